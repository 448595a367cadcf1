//! What users may not do they cannot do, whichever way a command comes.

use super::{Scene, raw, refusal, say};
use crate::harness::{Circlet, Reply, Shard, eventually, pool_yaml};

const ANN: &str = "ann on >secret ~* &* +@all";
const BOB: &str = "bob on >other ~pub* %R~ro* %W~wo* &news* +@all -@dangerous +sort +sort_ro";
const OFF: &str = "off off >x ~* &* +@all";
const LOCKED: &str = "default resetpass -@all";

#[test]
fn who_one_is_is_said_in_redis_s_words() {
    let scene = Scene::with(&[ANN, BOB, OFF, LOCKED], "");
    scene.same(&[
        "GET k",
        "PING",
        "AUTH wrong",
        "AUTH ann wrong",
        "AUTH nobody secret",
        "AUTH off x",
        "AUTH a b c",
        "ACL WHOAMI",
        "AUTH ann secret",
        "ACL WHOAMI",
        "AUTH bob wrong",
        "ACL WHOAMI",
        "SET k v",
        "AUTH bob other",
        "ACL WHOAMI",
        "GET k",
        "RESET",
        "GET k",
        "ACL WHOAMI",
        "HELLO",
        "HELLO AUTH ann wrong",
        "HELLO AUTH off x",
        "HELLO AUTH bob other SETNAME me",
        "CLIENT GETNAME",
        "ACL WHOAMI",
        "GET k",
        "QUIT",
    ]);
    let open = Scene::with(&[BOB], "");
    open.same(&[
        "AUTH x",
        "AUTH default x",
        "SET k v",
        "AUTH bob other",
        "GET k",
        "RESET",
        "GET k",
    ]);
}

#[test]
fn keys_are_read_and_written_only_by_those_who_may() {
    let scene = Scene::with(&[ANN, BOB], "cross_shard: allow");
    scene.same(&[
        "FLUSHALL",
        "MSET ro:1 one wo:1 two pub:1 three other 4",
        "RPUSH pub:l 2 1 3",
        "AUTH bob other",
        "GET ro:1",
        "GET wo:1",
        "GET pub:1",
        "GET other",
        "SET ro:1 x",
        "SET wo:1 x",
        "SET wo:1 x GET",
        "GETSET wo:1 x",
        "APPEND wo:1 y",
        "MGET pub:1 ro:1",
        "MGET pub:1 ro:1 wo:1",
        "MSET pub:1 a ro:1 b",
        "DEL pub:1 ro:1",
        "EXISTS wo:1 ro:1 pub:1",
        "EXISTS wo:1 other",
        "TYPE wo:1",
        "STRLEN wo:1",
        "COPY ro:1 wo:2",
        "COPY wo:1 pub:2",
        "RENAME ro:1 wo:3",
        "BITFIELD ro:1 GET u8 0",
        "BITFIELD ro:1 SET u8 0 1",
        "BITFIELD_RO wo:1 GET u8 0",
        "ZUNIONSTORE wo:z 2 ro:z pub:z",
        "ZUNIONSTORE ro:z 1 wo:z",
        "LMPOP 2 other pub:l LEFT",
        "BLPOP other 0.01",
        "BLPOP pub:nothing 0.01",
        "XREAD COUNT 1 STREAMS wo:s 0",
        "XADD wo:s 1-1 a b",
        "GEORADIUS ro:g 0 0 1 m STORE other",
        "OBJECT ENCODING other",
        "MEMORY USAGE other",
        "MIGRATE h 1 other 0 1",
        "SORT pub:l",
        "SORT pub:l STORE ro:x",
        "SORT pub:l BY nosort",
        "SORT pub:l BY pub:*",
        "SORT pub:l GET #",
        "SORT pub:l LIMIT 0 1 GET pub:*",
        "SORT_RO pub:l BY x*",
        "WATCH other",
        "WATCH wo:1",
        "UNWATCH",
        "KEYS *",
        "FLUSHALL",
        "CONFIG GET port",
        "CONFIG",
        "NOSUCH x",
        "GET",
    ]);
}

#[test]
fn a_transaction_with_a_forbidden_command_is_none() {
    let scene = Scene::with(&[ANN, BOB, "eve on nopass ~* +@all -exec -discard"], "");
    scene.same(&[
        "FLUSHALL",
        "SET pub:1 one",
        "AUTH bob other",
        "MULTI",
        "GET pub:1",
        "EXEC",
        "MULTI",
        "SET pub:1 two",
        "GET other",
        "SET pub:1 three",
        "EXEC",
        "GET pub:1",
        "MULTI",
        "FLUSHALL",
        "DISCARD",
        "MULTI",
        "CONFIG GET port",
        "PUBLISH other x",
        "EXEC",
        "WATCH pub:1",
        "GET other",
        "MULTI",
        "GET pub:1",
        "EXEC",
        "MULTI",
        "ACL WHOAMI",
        "EXEC",
        "AUTH eve x",
        "MULTI",
        "SET pub:1 four",
        "DISCARD",
        "EXEC",
        "EXEC",
        "GET pub:1",
        // Redis says so before it looks at rules.
        "AUTH bob other",
        "MULTI",
        "SAVE",
        "EXEC",
    ]);
}

#[test]
fn channels_are_heard_and_spoken_to_only_by_those_who_may() {
    let scene = Scene::with(&[ANN, BOB, "pat on nopass ~* &a* &b +@all"], "");
    scene.same(&[
        "AUTH bob other",
        "PUBLISH news:1 x",
        "PUBLISH old x",
        "SPUBLISH old x",
        "SUBSCRIBE old",
        "SUBSCRIBE news:1 old",
        "SSUBSCRIBE old",
        "PSUBSCRIBE *",
        "PSUBSCRIBE news",
        "PSUBSCRIBE news*",
        "PUNSUBSCRIBE",
        "UNSUBSCRIBE old",
        "AUTH pat x",
        "PSUBSCRIBE a*",
        "PSUBSCRIBE b",
        "PSUBSCRIBE ab*",
        "SUBSCRIBE b",
        "SUBSCRIBE c",
    ]);
}

#[test]
fn scripts_are_run_for_those_alone_who_may_do_what_scripts_can() {
    let eval = "EVAL return(1) 1 pub:1";
    let scene = Scene::with(&[ANN, BOB], "");
    let mut client = scene.proxy.client();
    assert_eq!(say(&mut client, "AUTH bob other"), Reply::ok());
    for line in [eval, "EVAL_RO return(1) 0", "EVALSHA x 0", "FCALL f 0"] {
        let text = refusal(&mut client, line);
        assert!(text.starts_with("NOPERM ") && text.contains("user_scripts"), "{text}");
    }
    assert_eq!(say(&mut client, "AUTH ann secret"), Reply::ok());
    assert_eq!(say(&mut client, eval), Reply::Integer(1));

    let trusting = Scene::with(&[ANN, BOB], "user_scripts: trust");
    trusting.same(&[
        "AUTH bob other",
        eval,
        "EVAL return(1) 1 other",
        "EVAL return(1) 0",
        "EVAL return(1) 1 ro:1",
        "EVAL_RO return(1) 1 ro:1",
        "EVAL_RO return(1) 1 wo:1",
        "EVAL return(1) x",
        "FCALL nosuch 1 other",
        "SCRIPT FLUSH",
    ]);
}

#[test]
fn shards_hear_one_password_and_clients_say_theirs() {
    let shard = Shard::with(&["--requirepass", "inner"]);
    let users = format!("users: [\"{ANN}\", \"default off\"]\nredis_auth: inner");
    let proxy = Circlet::with_config(&pool_yaml("pool", &[shard.server(1, None)], &users));
    let mut client = proxy.client();
    assert_eq!(refusal(&mut client, "AUTH inner"), WRONG);
    assert_eq!(refusal(&mut client, "GET k"), "NOAUTH Authentication required.");
    assert_eq!(say(&mut client, "AUTH ann secret"), Reply::ok());
    assert_eq!(say(&mut client, "SET k v"), Reply::ok());
    assert!(!proxy.log().contains("secret") && !proxy.log().contains("inner"), "{}", proxy.log());
    proxy.expect_log("user ann: a password stands in the file as it is typed");
}

const WRONG: &str = "WRONGPASS invalid username-password pair or user is disabled.";

#[test]
fn users_come_from_a_file_too_and_clients_are_told_apart_by_them() {
    let shard = Shard::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("users.acl");
    let text = format!("# two users\nuser {ANN}\n\nuser {BOB}\n");
    std::fs::write(&file, text).expect("a file of our own");
    let settings = format!("users_file: {}\nusers: [\"{OFF}\"]", file.display());
    let proxy = Circlet::with_config(&pool_yaml("pool", &[shard.server(1, None)], &settings));
    let (mut ann, mut bob) = (proxy.client(), proxy.client());
    assert_eq!(say(&mut ann, "ACL USERS").elements().len(), 4);
    assert_eq!(say(&mut ann, "AUTH ann secret"), Reply::ok());
    assert_eq!(say(&mut bob, "AUTH bob other"), Reply::ok());
    let list = raw(&mut ann, "CLIENT LIST");
    assert!(list.contains(" user=ann ") && list.contains(" user=bob "), "{list}");
    assert!(refusal(&mut bob, "CLIENT LIST").starts_with("NOPERM "));
    assert_eq!(refusal(&mut ann, "CLIENT KILL USER nobody"), "ERR No such user 'nobody'");
    assert_eq!(say(&mut ann, "CLIENT KILL USER bob"), Reply::Integer(1));
    eventually("bob is gone", || !raw(&mut ann, "CLIENT LIST").contains("user=bob"));
}
