//! Commands that a pool switches off or on for everybody.

use super::{refusal, say};
use crate::harness::{Circlet, Proxy, Reply, Shard, pool_yaml};

fn pool(shards: &[Shard], commands: &str) -> Proxy {
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let settings = format!("hash_tag: \"{{}}\"\n{commands}");
    Circlet::with_config(&pool_yaml("pool", &servers, &settings))
}

#[test]
fn what_is_switched_off_is_served_to_nobody_and_says_where() {
    let shards = Shard::several(2);
    let proxy = pool(&shards, "commands: \"-flushall -flushdb -keys -config|set -shutdown -get\"");
    let mut client = proxy.client();
    assert_eq!(say(&mut client, "SET k v"), Reply::ok());
    let off = "is switched off in pool 'pool', by its key `commands` in circlet's configuration";
    for (line, name) in [
        ("FLUSHALL", "FLUSHALL"),
        ("flushdb ASYNC", "FLUSHDB"),
        ("KEYS *", "KEYS"),
        ("CONFIG SET maxmemory 0", "CONFIG SET"),
        ("GET k", "GET"),
    ] {
        assert_eq!(refusal(&mut client, line), format!("ERR {name} {off}"));
    }
    assert_eq!(say(&mut client, "MULTI"), Reply::ok());
    assert_eq!(refusal(&mut client, "GET k"), format!("ERR GET {off}"));
    assert!(refusal(&mut client, "EXEC").starts_with("EXECABORT "));
    assert_eq!(say(&mut client, "DBSIZE"), Reply::Integer(1));
    assert_eq!(say(&mut client, "CONFIG GET port").elements().len(), 2);
    assert_eq!(say(&mut client, "MGET k").elements().len(), 1);
}

#[test]
fn without_the_key_all_is_served_but_what_ends_shards() {
    let shards = Shard::several(2);
    let proxy = pool(&shards, "");
    let mut client = proxy.client();
    for line in ["FLUSHALL", "CONFIG SET maxmemory 0", "FLUSHDB"] {
        assert_eq!(say(&mut client, line), Reply::ok(), "{line}");
    }
    assert_eq!(say(&mut client, "KEYS *").elements().len(), 0);
    for (line, name) in [("DEBUG SLEEP 0", "debug"), ("SHUTDOWN NOSAVE", "shutdown")] {
        let text = refusal(&mut client, line);
        let remedy = format!("+{name} in the key `commands` of pool 'pool'");
        assert!(text.contains("is not served") && text.contains(&remedy), "{text}");
    }
    assert!(refusal(&mut client, "REPLICAOF NO ONE").contains("is not served"));
}

#[test]
fn debug_that_is_switched_on_goes_to_the_key_s_shard_or_to_all() {
    let shards = Shard::several(3);
    let proxy = pool(&shards, "commands: \"+debug -keys\"");
    let mut client = proxy.client();
    for number in 0..20 {
        let key = format!("k{number}");
        assert_eq!(say(&mut client, &format!("SET {key} v")), Reply::ok());
        let object = say(&mut client, &format!("DEBUG OBJECT {key}"));
        assert!(object.bytes().starts_with(b"Value at:"), "{object}");
    }
    assert_eq!(refusal(&mut client, "DEBUG OBJECT nothing"), "ERR no such key");
    assert!(refusal(&mut client, "DEBUG NOSUCH").contains("DEBUG HELP"));
    assert_eq!(say(&mut client, "DEBUG CHANGE-REPL-ID"), Reply::ok());
    assert_eq!(say(&mut client, "DEBUG DIGEST-VALUE {t}a {t}b").elements().len(), 2);
    assert!(
        refusal(&mut client, "DEBUG DIGEST-VALUE alpha beta gamma delta epsilon zeta eta theta")
            .starts_with("CROSSSLOT")
    );
    let partly = pool(&shards, "commands: \"+debug|sleep\"");
    let mut client = partly.client();
    assert_eq!(say(&mut client, "DEBUG SLEEP 0"), Reply::ok());
    assert!(refusal(&mut client, "DEBUG OBJECT k0").contains("is not served"));
}
