//! What is said of commands is what is done with them.

use super::told::{Told, explain};
use crate::harness::{Circlet, Reply, Shard, pool_yaml};

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

fn pool(shards: &[Shard], settings: &str) -> String {
    let named = shards.iter().zip(NAMES);
    let servers: Vec<_> = named.map(|(shard, name)| shard.server(1, Some(name))).collect();
    // fnv1a, the default, gives short keys that are alike neighbouring points.
    pool_yaml("pool", &servers, &format!("hash: md5\n{settings}"))
}

#[test]
fn a_command_is_explained_as_it_is_handled_and_not_done() {
    let shards = Shard::several(3);
    let proxy = Circlet::with_config(&pool(&shards, "hash_tag: \"{}\""));
    let mut client = proxy.client();
    for (line, handling, count) in [
        ("SET a 1", "forwarded to one shard", 1),
        ("MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7", "split over 3 shards, and the replies merged", 3),
        ("MGET {x}a {x}b", "forwarded to one shard", 1),
        ("INFO server", "sent to all 3 shards", 3),
        ("SCAN 0 COUNT 7", "asked of all 3 shards, one after the other", 3),
        ("BLPOP a 0", "forwarded to one shard, on a link of the session's own", 1),
        ("XREAD BLOCK 0 STREAMS a $", "forwarded to one shard, on a link of the session's own", 1),
        ("XREAD STREAMS a 0", "forwarded to one shard", 1),
        ("EVAL return 1 a", "forwarded to one shard", 1),
        ("EVAL return 0", "sent to one shard, any would do", 1),
        ("SCRIPT LOAD x", "done on all 3 shards", 3),
        ("PUBLISH news x", "by the channel's shard", 1),
        ("SUBSCRIBE news other", "by all shards", 3),
        ("LOLWUT VERSION", "sent to one shard, any would do", 1),
        ("WATCH a", "forwarded to one shard, on a link of the session's own", 1),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let told = explain(&mut client, &words);
        assert_eq!(told.text("handling"), handling, "{line}: {told:?}");
        assert_eq!(told.texts("shards").len(), count, "{line}: {told:?}");
        let mut of_keys: Vec<String> =
            told.maps("keys").iter().map(|key| key.text("shard")).collect();
        of_keys.sort();
        of_keys.dedup();
        let mut shards = told.texts("shards");
        shards.sort();
        assert!(of_keys.is_empty() || of_keys == shards, "{line}: {told:?}");
    }
    for line in ["PING x", "CLIENT ID", "MULTI x"] {
        let words: Vec<&str> = line.split(' ').collect();
        let told = explain(&mut client, &words);
        assert!(!told.has("shards"), "{told:?}");
    }
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(0));
}

#[test]
fn a_refusal_is_the_error_that_the_client_would_read() {
    let shards = Shard::several(3);
    let settings = "hash_tag: \"{}\"\ncommands: \"+@all -flushall\"";
    let proxy = Circlet::with_config(&pool(&shards, settings));
    let mut client = proxy.client();
    for line in [
        "RENAME a b",
        "SINTERSTORE a b c d e",
        "NOSUCH a",
        "GET a b",
        "CONFIG NOSUCH",
        "SHUTDOWN NOSAVE",
        "FLUSHALL ASYNC",
        "SORT a BY w_*",
        "EVAL return x a",
        "ZUNION 0 a",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let told = explain(&mut client, &words);
        let done = client.command(&words);
        let error = done.error().unwrap_or_else(|| panic!("{line}: {done}"));
        assert_eq!(told.text("refused"), error, "{line}");
        assert!(!told.has("handling"), "{told:?}");
    }
}

#[test]
fn with_steps_allowed_a_command_is_said_to_be_done_in_steps() {
    let shards = Shard::several(3);
    let proxy = Circlet::with_config(&pool(&shards, "cross_shard: allow"));
    let mut client = proxy.client();
    let told = explain(&mut client, &["SUNIONSTORE", "a", "b", "c", "d", "e", "f"]);
    assert!(told.text("handling").starts_with("done in steps over 3 shards"), "{told:?}");
    assert_eq!(explain(&mut client, &["EVAL", "x", "2", "a", "b"]).has("refused"), {
        let shard = |client: &mut _, key| explain(client, &[key]).text("shard");
        shard(&mut client, "a") != shard(&mut client, "b")
    });
}

#[test]
fn who_asks_is_told_and_whether_it_may() {
    let shards = Shard::several(3);
    let users = "auth: users\nusers:\n- \"default on nopass +@all ~*\"\n- \"reader on >pw \
                 +@read +proxy +auth ~cache:*\"";
    let proxy = Circlet::with_config(&pool(&shards, users));
    let mut client = proxy.client();
    let told = explain(&mut client, &["SET", "a", "1"]);
    assert_eq!((told.text("user"), told.has("handling")), ("default".into(), true));
    assert_eq!(client.command(&["AUTH", "reader", "pw"]), Reply::ok());
    let told = explain(&mut client, &["GET", "cache:1"]);
    assert_eq!(told.text("user"), "reader");
    assert_eq!(told.text("allowed"), "yes, by the rules of its user");
    for line in [&["SET", "cache:1", "1"][..], &["GET", "a"]] {
        let told = explain(&mut client, line);
        let error = client.command(line).error().map(str::to_owned);
        assert_eq!(Some(told.text("refused")), error);
        assert_eq!(told.text("allowed"), "no, by the rules of its user");
    }
    assert_eq!(told.text("to_shards"), "database 0, RESP2");
}

#[test]
fn of_many_keys_the_first_are_told_and_the_rest_counted() {
    let shards = Shard::several(3);
    let proxy = Circlet::with_config(&pool(&shards, ""));
    let keys: Vec<String> = (0..250).map(|number| format!("key:{number}")).collect();
    let words: Vec<&str> =
        [&["MGET"][..], &keys.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let told: Told = explain(&mut proxy.client(), &words);
    assert_eq!(told.maps("keys").len(), 100);
    assert_eq!(*told.field("more_keys"), Reply::Integer(150));
}
