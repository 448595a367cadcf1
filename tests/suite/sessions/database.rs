//! SELECT: each session has a database of its own, the same on every shard.

use super::{keys_in, over, same, split};
use crate::harness::{Reply, Shard, encode};

#[test]
fn select_leads_to_that_database_on_every_shard_for_that_session_alone() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut one, mut two) = (proxy.client(), proxy.client());
    assert_eq!(one.command(&["SELECT", "5"]), Reply::ok());
    for number in 0..30 {
        one.command(&["SET", &format!("{number}key"), "five"]);
    }
    assert_eq!((keys_in(&shards, 5), keys_in(&shards, 0)), (30, 0));
    assert_eq!(two.command(&["GET", "1key"]), Reply::Nil);
    assert_eq!(one.command(&["DBSIZE"]), Reply::Integer(30));
    assert_eq!(one.command(&["SELECT", "0"]), Reply::ok());
    assert_eq!(one.command(&["DBSIZE"]), Reply::Integer(0));
    assert_eq!(two.command(&["SELECT", "5"]), Reply::ok());
    assert_eq!(two.command(&["GET", "29key"]), Reply::bulk("five"));
    assert_eq!(one.command(&["GET", "29key"]), Reply::Nil);
}

#[test]
fn a_refused_select_leaves_the_session_where_it_was() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "auto_eject_hosts: true\nserver_failure_limit: 1");
    let single = Shard::start();
    let (mut ours, mut theirs) = (proxy.client(), single.client());
    let lines = [
        "SELECT 4",
        "SET k four",
        "SELECT 16",
        "GET k",
        "SELECT 4000000000",
        "SELECT 2147483647",
        "SELECT -1",
        "SELECT x",
        "SELECT 01",
        "SELECT",
        "SELECT 99999999999999999999",
        "GET k",
        "SELECT 0",
        "SELECT 16",
        "GET k",
        "SET k zero",
        "SELECT 4",
        "GET k",
    ];
    same(&mut ours, &mut theirs, &lines);
    // In one write, too: what follows a SELECT waits for its outcome.
    let mut bytes = Vec::new();
    for _ in 0..20 {
        lines.iter().for_each(|line| bytes.extend(encode(&split(line))));
        for db in ["7", "8", "77", "9"] {
            bytes.extend(encode(&["SELECT", db]));
            bytes.extend(encode(&["APPEND", "k", db]));
            bytes.extend(encode(&["DBSIZE"]));
        }
    }
    ours.send(&bytes);
    theirs.send(&bytes);
    for number in 0..20 * (lines.len() + 12) {
        assert_eq!(ours.read_reply(), theirs.read_reply(), "reply {number}");
    }
    assert_eq!(keys_in(&shards, 8), 1);
    // No client can blame a shard for a database that is none.
    for db in 16..60 {
        let refused = ours.command(&["SELECT".to_owned(), db.to_string()]);
        assert_eq!(refused.error(), Some("ERR DB index is out of range"));
    }
    assert!(!proxy.log().contains("failed"), "{}", proxy.log());
    assert_eq!(ours.command(&["DBSIZE"]), theirs.command(&["DBSIZE"]));
}

#[test]
fn sessions_on_different_databases_pipeline_at_the_same_time() {
    const COMMANDS: usize = 3000;
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let work = &|db: usize| {
        let mut client = proxy.client();
        let select = encode(&["SELECT".to_owned(), db.to_string()]);
        let back_and_forth = [encode(&["SELECT", "9"]), select.clone()].concat();
        let mut bytes = select;
        for number in 0..COMMANDS {
            let (key, value) = (format!("{}key", number % 50), format!("{db}:{number}"));
            bytes.extend(encode(&["SET", &key, &value]));
            if number % 100 == 0 {
                bytes.extend(&back_and_forth);
            }
            bytes.extend(encode(&["GET", &key]));
        }
        std::thread::scope(|scope| {
            let mut writer = client.try_clone().expect("a second handle");
            scope.spawn(move || writer.send(&bytes));
            assert_eq!(client.read_reply(), Reply::ok());
            for number in 0..COMMANDS {
                assert_eq!(client.read_reply(), Reply::ok());
                if number % 100 == 0 {
                    assert_eq!(
                        [client.read_reply(), client.read_reply()],
                        [Reply::ok(), Reply::ok()]
                    );
                }
                assert_eq!(client.read_reply(), Reply::bulk(format!("{db}:{number}")));
            }
        });
    };
    std::thread::scope(|scope| {
        for db in 0..4 {
            scope.spawn(move || work(db));
        }
    });
    assert_eq!((0..5).map(|db| keys_in(&shards, db)).collect::<Vec<_>>(), [50, 50, 50, 50, 0]);
}

#[test]
fn sessions_start_in_the_pools_database() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "redis_db: 6");
    let mut client = proxy.client();
    for number in 0..10 {
        client.command(&["SET", &format!("{number}key"), "v"]);
    }
    assert_eq!((keys_in(&shards, 6), keys_in(&shards, 0)), (10, 0));
    assert_eq!(client.command(&["SELECT", "0"]), Reply::ok());
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(0));
    client.command(&["RESET"]);
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(10));
}
