//! Commands without keys: sent to all shards, to any, or answered by circlet.

use super::{Pair, words};
use crate::harness::Reply;

fn filled() -> Pair {
    let mut pair = Pair::start();
    fill(&mut pair);
    pair
}

/// 60 keys, wherever they fall.
fn fill(pair: &mut Pair) {
    let keys = (0..60).flat_map(|number| [format!("{number}k"), "v".into()]);
    let mset: Vec<String> = std::iter::once("MSET".into()).chain(keys).collect();
    pair.same(&mset);
}

#[test]
fn dbsize_and_keys_tell_of_all_shards() {
    let mut pair = filled();
    assert_eq!(pair.same(&["DBSIZE"]), b":60\r\n");
    assert_eq!(pair.same_elements("KEYS *").len(), 60);
    assert_eq!(pair.same_elements("KEYS 1?k").len(), 10);
    assert_eq!(pair.same(&["KEYS", "nosuch*"]), b"*0\r\n");
    pair.speak_resp3();
    assert_eq!(pair.same_elements("KEYS [12]k").len(), 2);
    assert_eq!(pair.same(&["DBSIZE"]), b":60\r\n");
}

#[test]
fn flushing_empties_every_shard() {
    let mut pair = Pair::start();
    for flush in ["FLUSHALL", "FLUSHALL ASYNC", "FLUSHALL SYNC", "FLUSHDB", "FLUSHDB ASYNC"] {
        fill(&mut pair);
        pair.all_same(&["SELECT 1", "SET other db", "SELECT 0"]);
        assert_eq!(pair.same(&words(flush)), b"+OK\r\n");
        for shard in &pair.shards {
            assert_eq!(shard.client().command(&["DBSIZE"]), Reply::Integer(0), "{flush}");
        }
        pair.same(&["SELECT", "1"]);
        let left = pair.same(&["DBSIZE"]);
        let expected = if flush.starts_with("FLUSHDB") { b":1\r\n" } else { b":0\r\n" };
        assert_eq!(left, expected, "{flush}");
        pair.same(&["SELECT", "0"]);
    }
    fill(&mut pair);
    let error = pair.same(&["FLUSHALL", "NOW"]);
    assert!(error.starts_with(b"-ERR syntax error"));
    assert_eq!(pair.same(&["DBSIZE"]), b":60\r\n");
}

#[test]
fn randomkey_finds_the_only_key_wherever_it_is_and_nothing_where_there_is_none() {
    let mut pair = Pair::start();
    for _ in 0..5 {
        assert_eq!(pair.same(&["RANDOMKEY"]), b"$-1\r\n");
    }
    for key in pair.key_on_each_shard("only") {
        pair.same(&["SET", &key, "v"]);
        for _ in 0..20 {
            assert_eq!(pair.through.command(&["RANDOMKEY"]), Reply::bulk(&key));
        }
        pair.same(&["DEL", &key]);
    }
    pair.speak_resp3();
    assert_eq!(pair.same(&["RANDOMKEY"]), b"_\r\n");
}

#[test]
fn randomkey_comes_to_keys_of_every_shard() {
    // Where keys fall depends on the shards' ports: one for each is looked for, not hoped for.
    let mut pair = filled();
    for key in pair.key_on_each_shard("home") {
        pair.through.command(&["SET", &key, "v"]);
    }
    let homes: Vec<Reply> =
        pair.shards.iter().map(|s| s.client().command(&["KEYS", "*"])).collect();
    let mut seen = [false; 3];
    for _ in 0..200 {
        let key = pair.through.command(&["RANDOMKEY"]);
        let home = homes.iter().position(|keys| keys.elements().contains(&key));
        seen[home.expect("a key that exists")] = true;
    }
    assert_eq!(seen, [true; 3]);
}

#[test]
fn time_goes_on_and_is_the_time() {
    let mut pair = Pair::start();
    let read = |reply: Reply| {
        let numbers =
            reply.elements().iter().map(|part| String::from_utf8_lossy(part.bytes()).parse());
        let numbers: Vec<u64> = numbers.map(|number| number.expect("digits")).collect();
        numbers[0] * 1_000_000 + numbers[1]
    };
    let mut before = read(pair.direct.command(&["TIME"]));
    for _ in 0..3 {
        for client in [&mut pair.through, &mut pair.direct] {
            let now = read(client.command(&["TIME"]));
            assert!((before..before + 20_000_000).contains(&now), "{before} … {now}");
            before = now;
        }
    }
}

#[test]
fn command_tells_at_least_what_the_server_tells() {
    let mut pair = Pair::start();
    let count = pair.through.command(&["COMMAND", "COUNT"]).integer();
    assert!(count >= pair.direct.command(&["COMMAND", "COUNT"]).integer());
    assert_eq!(pair.through.command(&["COMMAND"]).elements().len() as i64, count);
    let docs = pair.through.command(&["COMMAND", "DOCS", "get"]);
    assert_eq!(docs.elements()[0], Reply::bulk("get"));
    let theirs = pair.direct.command(&["COMMAND", "LIST"]);
    let ours = pair.through.command(&["COMMAND", "LIST"]);
    for name in theirs.elements() {
        assert!(ours.elements().contains(name), "{name}");
    }
}

#[test]
fn config_set_reaches_every_shard() {
    let mut pair = Pair::start();
    pair.same(&["CONFIG", "SET", "maxmemory", "123456789"]);
    for shard in &pair.shards {
        let value = shard.client().command(&["CONFIG", "GET", "maxmemory"]);
        assert_eq!(value.elements()[1], Reply::bulk("123456789"));
    }
    let error = pair.same(&["CONFIG", "SET", "nosuch", "1"]);
    assert!(error.starts_with(b"-ERR Unknown option"), "{}", error.escape_ascii());
}
