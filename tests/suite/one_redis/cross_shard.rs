//! `cross_shard: allow`: commands over keys of several shards, in several steps.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use super::{Pair, assert_same, words};
use crate::harness::{Circlet, Client, Reply, Shard, encode, pool_yaml};

const ALLOWED: &str = "hash_tag: \"{}\"\ncross_shard: allow";

/// Enough keys of each type that any two commands meet keys on several shards.
const FILL: &[&str] = &[
    "SADD s1 a b c d",
    "SADD s2 b c d e",
    "SADD s3 c d e f",
    "SADD s4 x",
    "ZADD z1 1 a 2 b 3 c",
    "ZADD z2 10 b 20 c 30 d",
    "ZADD z3 -inf c 1.5 e inf b",
    "RPUSH l1 1 2 3 4",
    "RPUSH l2 9",
    "RPUSH l3 z",
    "MSET t1 ohmytext t2 mynewtext t3 \"foobar\" t4 abcdef",
    "PFADD h1 a b c",
    "PFADD h2 c d e",
    "PFADD h3 x y z",
    "GEOADD g1 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
    "XADD x1 1-1 f v",
    "XADD x2 2-1 f v",
    "XADD x2 2-2 f v",
    "XADD x3 3-1 f v",
];

/// Replies without an order of their own.
const UNORDERED: &[&str] = &[
    "SUNION s1 s2 s3 missing",
    "SUNION s4 s3 s2 s1",
    "SINTER s1 s2 s3",
    "SINTER s1 s2 missing",
    "SDIFF s1 s2 s4",
    "SDIFF s3 s2 s1 missing",
];

const EXACT: &[&str] = &[
    "SINTERCARD 3 s1 s2 s3",
    "SINTERCARD 2 s1 s2 LIMIT 1",
    "SUNION s1 t1",
    "SUNIONSTORE d1 s1 s2 s3 s4",
    "SCARD d1",
    "SINTERSTORE d2 s1 s2 s3",
    "SDIFFSTORE d3 s1 s3",
    "SDIFFSTORE d3 missing s3",
    "EXISTS d1 d2 d3",
    "SUNIONSTORE d1 s1 t1",
    "SCARD d1",
    "ZUNION 3 z1 z2 z3 WITHSCORES",
    "ZUNION 2 z1 s1 WEIGHTS 2 3 AGGREGATE MAX WITHSCORES",
    "ZINTER 3 z1 z2 z3 WITHSCORES",
    "ZINTERCARD 2 z1 z2 LIMIT 1",
    "ZDIFF 2 z1 z2 WITHSCORES",
    "ZUNIONSTORE d4 3 z1 z2 z3 WEIGHTS 1 2 3",
    "ZRANGE d4 0 -1 WITHSCORES",
    "ZINTERSTORE d5 2 z1 z2 AGGREGATE MIN",
    "ZDIFFSTORE d6 3 z1 z2 z3",
    "ZRANGESTORE d7 z1 0 1",
    "ZRANGESTORE d8 z2 0 -1 REV",
    "ZRANGE d8 0 -1 WITHSCORES",
    "ZUNION 3 z1 z2 WITHSCORES",
    "ZUNION 2 z1 l1",
    "LCS t1 t2",
    "LCS t1 t2 IDX WITHMATCHLEN",
    "PFCOUNT h1 h2 h3",
    "PFCOUNT h1 h2 t1",
    "PFMERGE d9 h1 h2 h3",
    "PFMERGE h1 h2",
    "PFCOUNT d9",
    "PFCOUNT h1",
    "BITOP AND d10 t3 t4",
    "BITOP XOR d11 t1 t2 t3 missing",
    "BITOP NOT d12 t4",
    "GET d10",
    "GET d11",
    "GET d12",
    "GEOSEARCHSTORE d13 g1 FROMLONLAT 15 37 BYRADIUS 200 km ASC",
    "ZRANGE d13 0 -1 WITHSCORES",
    "GEORADIUS g1 15 37 200 km STORE d14",
    "SORT l1 DESC STORE d15",
    "LRANGE d15 0 -1",
    "COPY t1 c1",
    "COPY t1 c1",
    "COPY t2 c1 REPLACE",
    "COPY missing c2",
    "COPY z1 c3",
    "ZRANGE c3 0 -1 WITHSCORES",
    "RENAME t1 r1",
    "RENAME t1 r2",
    "RENAMENX r1 r2",
    "RENAMENX r2 t2",
    "RENAMENX missing t2",
    "RENAMENX missing r9",
    "RENAME z1 t3",
    "ZRANGE t3 0 -1",
    "RENAME t3 z1",
    "EXISTS t1 t3 r1 r2 z1",
    "SMOVE s1 s2 a",
    "SMOVE s1 s3 missing",
    "SMOVE missing s3 a",
    "SMOVE s1 t2 b",
    "SISMEMBER s1 b",
    "SMOVE s4 s9 x",
    "EXISTS s4 s9",
    "LMOVE l1 l2 LEFT RIGHT",
    "LMOVE l1 l3 RIGHT LEFT",
    "RPOPLPUSH l1 l9",
    "RPOPLPUSH missing l9",
    "LMOVE l2 t2 LEFT LEFT",
    "LMOVE l2 t2 RIGHT LEFT",
    "LMOVE t2 l2 RIGHT LEFT",
    "LMOVE l2 l3 UP LEFT",
    "LRANGE l1 0 -1",
    "LRANGE l2 0 -1",
    "LRANGE l3 0 -1",
    "LRANGE l9 0 -1",
    "LMPOP 3 missing l1 l2 LEFT",
    "LMPOP 3 missing l8 l2 RIGHT COUNT 5",
    "LMPOP 2 missing gone LEFT",
    "LMPOP 2 l2 l3 SIDEWAYS",
    "ZMPOP 2 missing z1 MIN",
    "ZMPOP 3 gone z2 z3 MAX COUNT 2",
    "ZMPOP 2 t2 z1 MIN",
    "MSETNX n1 1 n2 2 n3 3 n4 4",
    "MSETNX n5 1 n2 other n6 3",
    "MGET n1 n2 n3 n4 n5 n6",
    "XREAD COUNT 1 STREAMS x1 x2 x3 0 0 3-1",
    "XREAD STREAMS x1 x2 x3 1-1 2-2 3-1",
    "XREAD STREAMS x1 t2 0 0",
    "XREAD STREAMS x2 x3 0 bad",
    "XGROUP CREATE x1 group 0",
    "XGROUP CREATE x2 group 0",
    "XGROUP CREATE x3 group 0",
    "XREADGROUP GROUP group me STREAMS x1 x2 x3 > > >",
    "XREADGROUP GROUP none me STREAMS x1 x2 > >",
    "DBSIZE",
];

#[test]
fn results_are_those_of_one_redis() {
    let mut pair = Pair::with(ALLOWED);
    for resp3 in [false, true] {
        pair.clear();
        if resp3 {
            pair.speak_resp3();
        }
        pair.all_same(FILL);
        for line in UNORDERED {
            pair.same_elements(line);
        }
        pair.all_same(EXACT);
    }
    // No copy is left behind.
    let keys = pair.same_elements("KEYS *");
    assert!(!keys.iter().any(|key| key.starts_with(b"__circlet")), "{keys:?}");
}

/// Commands that wait, where there is something or soon nothing to wait for.
const WAITS: &[&str] = &[
    "RPUSH w1 a b c",
    "RPUSH w3 z",
    "BLPOP w0 w1 w2 w3 0",
    "BRPOP w0 w3 w1 1",
    "BLPOP w0 w2 w4 0.05",
    "BLPOP w0 w2 w4 -1",
    "BLPOP w0 w2 w4 soon",
    "SET string x",
    "BLPOP w0 string w1 1",
    "ZADD wz1 1 a 2 b 3 c",
    "BZPOPMIN wz0 wz1 wz2 0",
    "BZPOPMAX wz0 wz1 wz2 0",
    "BZPOPMAX wz0 wz3 wz2 0.05",
    "BLMPOP 1 3 w0 w1 w2 LEFT COUNT 5",
    "BLMPOP 0.05 3 w0 w1 w2 LEFT",
    "BZMPOP 1 3 wz0 wz1 wz2 MIN",
    "BZMPOP 0.05 3 wz0 wz1 wz2 MIN",
    "RPUSH w1 a b c",
    "BLMOVE w1 w2 LEFT RIGHT 1",
    "BRPOPLPUSH w1 w4 1",
    "BLMOVE w7 w8 LEFT RIGHT 0.05",
    "BRPOPLPUSH w7 w8 0.05",
    "XADD wx1 1-1 f v",
    "XREAD COUNT 1 BLOCK 50 STREAMS wx0 wx1 wx2 0 0 $",
    "XREAD BLOCK 50 STREAMS wx0 wx1 wx2 $ $ $",
    "XREAD BLOCK soon STREAMS wx0 wx1 wx2 $ $ $",
    "XGROUP CREATE wx1 g 0",
    "XGROUP CREATE wx2 g 0 MKSTREAM",
    "XREADGROUP GROUP g c BLOCK 50 STREAMS wx1 wx2 > >",
    "XREADGROUP GROUP g c BLOCK 50 STREAMS wx1 wx2 > >",
];

#[test]
fn waiting_on_several_shards_ends_as_on_one_redis() {
    let mut pair = Pair::with(ALLOWED);
    for resp3 in [false, true] {
        pair.clear();
        if resp3 {
            pair.speak_resp3();
        }
        pair.all_same(WAITS);
    }
    let [one, two, three] = pair.key_on_each_shard("w");
    let mut pusher = pair.proxy.client();
    for (wait, push) in [
        (format!("BLPOP {one} {two} {three} 0"), format!("RPUSH {three} late")),
        (format!("BLMOVE {one} {two} LEFT LEFT 0"), format!("RPUSH {one} late")),
        (format!("XREAD BLOCK 0 STREAMS x{one} x{two} $ $"), format!("XADD x{two} * f late")),
    ] {
        pair.through.send(&encode(&words(&wait)));
        thread::sleep(Duration::from_millis(100));
        pusher.command(&words(&push));
        let reply = pair.through.read_reply_bytes();
        assert!(reply.windows(4).any(|part| part == b"late"), "{wait}");
    }
}

#[test]
fn a_client_that_leaves_while_it_waits_on_several_shards_takes_nothing() {
    let mut pair = Pair::with(ALLOWED);
    let [one, two, _] = pair.key_on_each_shard("w");
    let mut leaver = pair.proxy.client();
    leaver.send(&encode(&["BLPOP", &one, &two, "0"]));
    thread::sleep(Duration::from_millis(100));
    drop(leaver);
    thread::sleep(Duration::from_millis(200));
    pair.through.command(&["RPUSH", &one, "kept"]);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(pair.through.command(&["LLEN", &one]), Reply::Integer(1));
}

/// Transactions over keys of several shards.
const TRANSACTIONS: &[&str] = &[
    "MULTI",
    "SET t:1 1",
    "SET t:2 2",
    "INCR t:1",
    "PING",
    "MGET t:1 t:2 t:3 t:4 missing t:1",
    "DEL t:1 t:2 t:3 nothing",
    "MSET t:5 a t:6 b t:7 c t:8 d",
    "LPUSH t:5 wrong",
    "EXISTS t:5 t:6 t:7 t:8",
    "CLIENT GETNAME",
    "EXEC",
    "MGET t:1 t:5 t:6 t:7 t:8",
    "MULTI",
    "SET t:1 1",
    "SET t:2 2",
    "SET t:3 3",
    "NOSUCHCOMMAND",
    "EXEC",
    "EXISTS t:1 t:2 t:3",
    "MULTI",
    "SET t:1 1",
    "SET t:2 2",
    "SET t:3 3",
    "DISCARD",
    "EXISTS t:1 t:2 t:3",
    "DBSIZE",
];

#[test]
fn transactions_reach_every_shard() {
    let mut pair = Pair::with(ALLOWED);
    for resp3 in [false, true] {
        pair.clear();
        if resp3 {
            pair.speak_resp3();
        }
        pair.all_same(TRANSACTIONS);
        pair.clear();
        let commands: Vec<Vec<String>> = TRANSACTIONS.iter().map(|line| words(line)).collect();
        for ([ours, theirs], command) in pair.replies(&commands).iter().zip(&commands) {
            assert_same(command, ours, theirs);
        }
    }
}

#[test]
fn a_transaction_that_one_shard_did_not_execute_says_so() {
    let mut pair = Pair::with(&format!("{ALLOWED}\ntimeout: 2000"));
    let [one, two, _] = pair.key_on_each_shard("key");
    pair.shards[1].stop();
    let client = &mut pair.through;
    for line in ["MULTI".to_owned(), format!("SET {one} v"), format!("SET {two} v")] {
        assert!(client.command(&words(&line)).error().is_none(), "{line}");
    }
    let reply = client.command(&["EXEC"]);
    pair.shards[1].cont();
    let Reply::Error(text) = reply else { panic!("{reply:?}") };
    assert!(text.contains("applied in part: 1 of its shards"), "{text}");
    assert_eq!(pair.through.command(&["GET", &one]).bytes(), b"v");
}

#[test]
fn time_to_live_travels_along() {
    let mut pair = Pair::with(ALLOWED);
    let [one, two, three] = pair.key_on_each_shard("k");
    let ttl_of = |client: &mut Client, key: &str| client.command(&["PTTL", key]).integer();
    let client = &mut pair.through;
    client.command(&["SET", &one, "v", "PX", "50000"]);
    client.command(&["SET", &two, "old", "PX", "900000"]);
    assert_eq!(client.command(&["COPY", &one, &three]), Reply::Integer(1));
    assert_eq!(client.command(&["RENAME", &one, &two]), Reply::ok());
    for key in [&two, &three] {
        let left = ttl_of(client, key);
        assert!((40_000..=50_000).contains(&left), "{key}: {left}");
    }
    client.command(&["SET", &one, "v"]);
    client.command(&["RENAME", &one, &two]);
    assert_eq!(ttl_of(client, &two), -1);
}

#[test]
fn several_takers_get_each_element_once() {
    const ELEMENTS: usize = 600;
    let mut pair = Pair::with(ALLOWED);
    let [from, to, _] = pair.key_on_each_shard("list");
    let elements: Vec<String> = (0..ELEMENTS).map(|number| number.to_string()).collect();
    let push: Vec<&str> =
        ["RPUSH", &from].into_iter().chain(elements.iter().map(String::as_str)).collect();
    pair.through.command(&push);
    let clients: Vec<Client> = (0..6).map(|_| pair.proxy.client()).collect();
    let takers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let (from, to) = (from.clone(), to.clone());
            thread::spawn(move || {
                let mut taken = Vec::new();
                loop {
                    match client.command(&["LMOVE", &from, &to, "LEFT", "RIGHT"]) {
                        Reply::Nil => return taken,
                        reply => taken.push(reply.bytes().to_vec()),
                    }
                }
            })
        })
        .collect();
    let taken: Vec<Vec<u8>> =
        takers.into_iter().flat_map(|taker| taker.join().expect("a taker ends")).collect();
    assert_eq!(taken.len(), ELEMENTS);
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), ELEMENTS);
    assert_eq!(pair.through.command(&["LLEN", &to]).integer() as usize, ELEMENTS);
    assert_eq!(pair.through.command(&["DBSIZE"]).integer(), 1);
}

#[test]
fn nothing_is_lost_when_the_other_shard_does_not_answer() {
    let mut pair = Pair::with(&format!("{ALLOWED}\ntimeout: 2000"));
    let [from, to, _] = pair.key_on_each_shard("list");
    pair.through.command(&["RPUSH", &from, "only"]);
    pair.shards[1].stop();
    let error = pair.through.command(&["LMOVE", &from, &to, "LEFT", "RIGHT"]);
    pair.shards[1].cont();
    let Reply::Error(error) = error else { panic!("{error:?}") };
    assert!(error.contains("whether the command ran is unknown"), "{error}");
    let (_, place) = error.split_once("is kept in '").expect("the error says where it is");
    let (place, _) = place.split_once('\'').expect("the name is quoted");
    let mut source = pair.shards[0].client();
    assert_eq!(source.command(&["LRANGE", place, "0", "-1"]).elements()[0].bytes(), b"only");
}

#[test]
fn what_a_dead_shard_refuses_goes_back() {
    let mut pair = Pair::with(ALLOWED);
    let [from, to, _] = pair.key_on_each_shard("key");
    pair.shards[1].kill9();
    pair.through.command(&["RPUSH", &from, "a", "b"]);
    for line in [
        format!("LMOVE {from} {to} LEFT LEFT"),
        format!("RENAME {from} {to}"),
        format!("COPY {from} {to}"),
        format!("SUNIONSTORE {from} {to}"),
    ] {
        let reply = pair.through.command(&words(&line));
        assert!(matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
        let list = pair.through.command(&["LRANGE", &from, "0", "-1"]);
        assert_eq!(list.elements().len(), 2, "{line}");
    }
}

#[test]
fn what_cannot_be_done_in_steps_is_still_refused() {
    let mut pair = Pair::with(ALLOWED);
    let [one, two, _] = pair.key_on_each_shard("key");
    for line in [
        format!("EVAL \"return 1\" 2 {one} {two}"),
        format!("EVAL_RO \"return 1\" 2 {one} {two}"),
        format!("SORT {one} BY w_* STORE {two}"),
    ] {
        let reply = pair.through.command(&words(&line));
        let Reply::Error(text) = reply else { panic!("{line}: {reply:?}") };
        assert!(text.starts_with("CROSSSLOT"), "{line}: {text:?}");
    }
    let refusing = Circlet::with_config(&pool_yaml(
        "pool",
        &pair.shards.iter().map(|shard: &Shard| shard.server(1, None)).collect::<Vec<_>>(),
        "hash_tag: \"{}\"",
    ));
    let reply = refusing.client().command(&["SUNION", &one, &two]);
    assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
}
