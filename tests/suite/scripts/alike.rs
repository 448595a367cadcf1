//! The same replies as from one Redis, byte for byte.

use crate::harness::{Reply, encode};
use crate::one_redis::{Pair, words};

const LIBRARY: &str = "#!lua name=mine\nredis.register_function('put', function(keys, args) \
     return redis.call('SET', keys[1], args[1]) end)";

#[test]
fn a_script_runs_where_its_keys_are() {
    let mut pair = Pair::start();
    for key in pair.key_on_each_shard("k") {
        let put = "return redis.call('SET', KEYS[1], ARGV[1])";
        assert_eq!(pair.same(&["EVAL", put, "1", &key, "value"]), b"+OK\r\n");
        assert_eq!(pair.same(&["GET", &key]), b"$5\r\nvalue\r\n");
        let two = "return redis.call('MGET', KEYS[1], KEYS[2])";
        pair.same(&["EVAL", two, "2", &key, &format!("{{{key}}}other")]);
    }
}

#[test]
fn a_reply_is_as_deep_as_lua_lets_it_be() {
    let mut pair = Pair::start();
    let endless = "local a = {}; local b = {a}; a[1] = b; return a";
    let told = [&mut pair.through, &mut pair.direct].map(|client| {
        client.send(&encode(&["EVAL", endless, "0"]));
        client.read_to_end_of("*1\r\n-ERR reached lua stack limit\r\n")
    });
    assert_eq!(told[0], told[1]);
    pair.same(&["PING"]);
}

#[test]
fn keys_on_several_shards_are_refused() {
    let mut pair = Pair::start();
    let [one, two, _] = pair.key_on_each_shard("k");
    pair.same(&["SCRIPT", "LOAD", "return 1"]);
    pair.same(&["FUNCTION", "LOAD", LIBRARY]);
    let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    for command in [["EVAL", "return 1"], ["EVALSHA", sha], ["FCALL", "put"]] {
        let reply = pair.through.command(&[command[0], command[1], "2", &one, &two]);
        let text = reply.error().unwrap_or_else(|| panic!("{command:?}: {reply}"));
        assert!(text.starts_with("CROSSSLOT ") && text.contains(&one) && text.contains(&two));
    }
    pair.same(&["PING"]);
}

#[test]
fn a_loaded_script_is_known_to_every_shard() {
    let mut pair = Pair::start();
    let script = "return redis.call('INCR', KEYS[1])";
    let sha = pair.same(&["SCRIPT", "LOAD", script]);
    let sha = String::from_utf8_lossy(&sha[5..45]).into_owned();
    for key in pair.key_on_each_shard("n") {
        assert_eq!(pair.same(&["EVALSHA", &sha, "1", &key]), b":1\r\n");
    }
    assert_eq!(pair.same(&["SCRIPT", "EXISTS", &sha, "nosuch", &sha]), b"*3\r\n:1\r\n:0\r\n:1\r\n");
    pair.shards[2].client().command(&["SCRIPT", "FLUSH"]);
    let known = pair.through.command(&["SCRIPT", "EXISTS", &sha]);
    assert_eq!(known, Reply::Array(vec![Reply::Integer(1)]), "it is given to the shard");
    for flush in ["SCRIPT FLUSH", "SCRIPT FLUSH ASYNC", "SCRIPT FLUSH SYNC"] {
        pair.same(&["SCRIPT", "LOAD", script]);
        assert_eq!(pair.same(&words(flush)), b"+OK\r\n");
        assert_eq!(pair.same(&["SCRIPT", "EXISTS", &sha]), b"*1\r\n:0\r\n");
    }
    pair.all_same(&["SCRIPT LOAD nonsense(", "SCRIPT FLUSH NOW", "SCRIPT NOSUCH", "SCRIPT KILL"]);
}

#[test]
fn a_library_of_functions_lives_on_every_shard() {
    let mut pair = Pair::start();
    assert_eq!(pair.same(&["FUNCTION", "LOAD", LIBRARY]), b"$4\r\nmine\r\n");
    let error = pair.same(&["FUNCTION", "LOAD", LIBRARY]);
    assert!(error.starts_with(b"-ERR Library 'mine' already exists"));
    assert_eq!(pair.same(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]), b"$4\r\nmine\r\n");
    for key in pair.key_on_each_shard("k") {
        assert_eq!(pair.same(&["FCALL", "put", "1", &key, "v"]), b"+OK\r\n");
        assert_eq!(pair.same(&["GET", &key]), b"$1\r\nv\r\n");
    }
    pair.all_same(&["FUNCTION LIST", "FUNCTION LIST WITHCODE LIBRARYNAME mine", "FUNCTION HELP"]);
    let dump = pair.direct.command(&["FUNCTION", "DUMP"]).bytes().to_vec();
    pair.same(&["FUNCTION", "DUMP"]);
    pair.same(&["FUNCTION", "DELETE", "mine"]);
    assert!(pair.same(&["FUNCTION", "DELETE", "mine"]).starts_with(b"-ERR Library not found"));
    pair.same(&[&b"FUNCTION"[..], b"RESTORE", &dump]);
    pair.all_same(&["FUNCTION LIST", "FUNCTION FLUSH", "FUNCTION LIST"]);
    for shard in &pair.shards {
        assert_eq!(shard.client().command(&["FUNCTION", "LIST"]), Reply::Array(vec![]));
    }
}
