//! Optimistic locking: what was read after WATCH is what EXEC relies on.

use std::thread;
use std::time::Duration;

use super::{key_on_each, over};
use crate::harness::Circlet;
use crate::harness::{Client, Relay, Reply, Shard, encode, pool_yaml};

/// Increments by reading and writing; how often somebody else was faster.
fn increment(client: &mut Client, key: &str) -> usize {
    for lost in 0.. {
        client.send(&[encode(&["WATCH", key]), encode(&["GET", key])].concat());
        assert_eq!(client.read_reply(), Reply::ok());
        let value = match client.read_reply() {
            Reply::Bulk(digits) => {
                String::from_utf8(digits).expect("digits").parse().expect("digits")
            }
            _ => 0_u64,
        };
        let next = (value + 1).to_string();
        let commands = [vec!["MULTI"], vec!["SET", key, &next], vec!["EXEC"]];
        match client.pipeline(&commands).pop() {
            Some(Reply::Array(_)) => return lost,
            Some(Reply::Nil) => {}
            other => panic!("EXEC says {other:?}"),
        }
    }
    unreachable!("somebody always succeeds")
}

#[test]
fn a_counter_incremented_by_optimistic_locking_ends_exact() {
    let shards = Shard::several(2);
    let proxy = over(&shards, "");
    let lost: usize = thread::scope(|scope| {
        let run = |_| {
            let mut client = proxy.client();
            scope.spawn(move || (0..40).map(|_| increment(&mut client, "{t}n")).sum::<usize>())
        };
        let threads: Vec<_> = (0..8).map(run).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(proxy.client().command(&["GET", "{t}n"]), Reply::bulk("320"));
    assert!(lost > 0, "no conflict at all: the test does not test");
}

#[test]
fn what_is_read_behind_watch_is_not_older_than_the_watch() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let mut writer = proxy.client();
    writer.command(&["SET", "{t}k", "0"]);
    // Each keeps its private link, so that the next one has to open its own, which takes longer
    // than a command on the shared link.
    let mut sessions = Vec::new();
    for round in 0..60 {
        let mut client = proxy.client();
        assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
        client.send(&[encode(&["WATCH", "{t}k"]), encode(&["GET", "{t}k"])].concat());
        thread::sleep(Duration::from_micros(round * 10));
        assert!(writer.command(&["INCR", "{t}k"]).integer() > 0);
        assert_eq!(client.read_reply(), Reply::ok());
        let read = client.read_reply();
        let current = writer.command(&["GET", "{t}k"]);
        client.command(&["MULTI"]);
        client.command(&["PING"]);
        let reply = client.command(&["EXEC"]);
        assert!(read == current || reply == Reply::Nil, "{read}, {current}: EXEC says {reply:?}");
        client.command(&["WATCH", "{t}k"]);
        sessions.push(client);
    }
}

#[test]
fn own_writes_before_and_behind_watch_are_done_before_what_follows() {
    let shards = [Shard::start()];
    let relay = Relay::to(&shards[0]);
    let text = pool_yaml("pool", &[relay.server(1, "a")], "hash_tag: \"{}\"");
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut client = proxy.client();
    let value = "v".repeat(200_000);
    for round in 0..20 {
        let large = format!("{round}{value}");
        let before = [vec!["SET", "{t}k", &large], vec!["WATCH", "{t}k"], vec!["GET", "{t}other"]];
        let after = [vec!["MULTI"], vec!["STRLEN", "{t}k"], vec!["EXEC"]];
        let replies = client.pipeline(&[&before[..], &after[..]].concat());
        let expected = Reply::Array(vec![Reply::Integer(large.len() as i64)]);
        assert_eq!(replies[5], expected, "the write stood before the WATCH");
        let between = [vec!["WATCH", "{t}k"], vec!["SET", "{t}k", &large]];
        let replies = client.pipeline(&[&between[..], &after[..]].concat());
        assert_eq!(replies[4], Reply::Nil, "the write stood behind the WATCH");
    }
}

#[test]
fn watched_keys_live_on_one_shard() {
    let shards = Shard::several(2);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    let [here, there] = &key_on_each(&mut client, &shards)[..] else { panic!("two shards") };
    let refusal = client.command(&["WATCH", here, there]);
    let text = refusal.error().expect("refused");
    assert!(text.starts_with("CROSSSLOT Keys in request don't hash to the same slot"), "{text}");
    assert!(text.contains(here.as_str()) && text.contains(there.as_str()), "{text}");
    assert_eq!(client.command(&["WATCH", here]), Reply::ok());
    let refusal = client.command(&["WATCH", there]);
    assert!(refusal.error().expect("refused").contains("'{"), "{refusal}");
    // The first watch stands.
    proxy.client().command(&["SET", here, "changed"]);
    client.command(&["MULTI"]);
    client.command(&["GET", here]);
    assert_eq!(client.command(&["EXEC"]), Reply::Nil);
    assert_eq!(client.command(&["WATCH", there]), Reply::ok());
    assert_eq!(client.command(&["UNWATCH"]), Reply::ok());
    assert_eq!(client.command(&["WATCH", here]), Reply::ok());
}

#[test]
fn commands_for_other_shards_pass_between_watch_and_multi() {
    let shards = Shard::several(2);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    let [here, there] = &key_on_each(&mut client, &shards)[..] else { panic!("two shards") };
    let replies = client.pipeline(&[
        vec!["WATCH", here],
        vec!["SET", there, "1"],
        vec!["MGET", here, there],
        vec!["MULTI"],
        vec!["SET", here, "2"],
        vec!["EXEC"],
    ]);
    assert_eq!(replies[2], Reply::Array(vec![Reply::Nil, Reply::bulk("1")]));
    assert_eq!(replies[5], Reply::Array(vec![Reply::ok()]));
    client.command(&["WATCH", here]);
    // A command that waits has a link of its own, and leaves the watch alone.
    for list in [here, there] {
        let list = format!("{list}:list");
        assert_eq!(client.command(&["RPUSH", &list, "x"]), Reply::Integer(1));
        let popped = Reply::Array(vec![Reply::bulk(&list), Reply::bulk("x")]);
        assert_eq!(client.command(&["BLPOP", &list, "0"]), popped);
    }
    proxy.client().command(&["SET", here, "changed"]);
    let replies = client.pipeline(&[vec!["MULTI"], vec!["GET", here], vec!["EXEC"]]);
    assert_eq!(replies[2], Reply::Nil);
}
