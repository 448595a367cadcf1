//! SCAN and INFO while a shard is away.

use std::collections::HashSet;

use super::{keys_of, over, page, scan_all, set_all};
use crate::harness::{Client, Proxy, Reply, Shard, eventually};

const FAST: &str = "timeout: 1000\nheartbeat_interval: 50\nheartbeat_timeout: 300\n\
                    server_failure_limit: 2\nserver_retry_timeout: 300";

fn fleet(eject: bool) -> (Vec<Shard>, Proxy, Client) {
    let shards = Shard::several(3);
    let proxy = over(&shards, &format!("auto_eject_hosts: {eject}\n{FAST}"));
    let mut client = proxy.client();
    let keys: Vec<String> = (0..3_000).map(|number| format!("k{number}")).collect();
    set_all(&mut client, &keys);
    (shards, proxy, client)
}

/// Goes on from `cursor`; an error is tried again with the same cursor.
fn go_on(client: &mut Client, cursor: String, found: &mut HashSet<String>) {
    let mut cursor = cursor;
    loop {
        let mut got = None;
        eventually("the page comes", || {
            got = page(client, &cursor, &["COUNT", "50"]).ok();
            got.is_some()
        });
        let (next, keys) = got.expect("it came");
        found.extend(keys);
        cursor = next;
        if cursor == "0" {
            return;
        }
    }
}

/// Pages until one is of the shard with this index; the cursor to go on with.
fn up_to_shard(client: &mut Client, index: u64, found: &mut HashSet<String>) -> String {
    let mut cursor = "0".to_owned();
    loop {
        let (next, keys) = page(client, &cursor, &["COUNT", "50"]).expect("a page");
        found.extend(keys);
        cursor = next;
        let number: u64 = cursor.parse().expect("a number");
        if number % 3 == index && number / 3 != 0 {
            return cursor;
        }
    }
}

#[test]
fn keys_of_shards_that_stay_are_returned_while_another_is_ejected() {
    let (shards, proxy, mut client) = fleet(true);
    let homes: Vec<HashSet<String>> = shards.iter().map(keys_of).collect();
    assert!(homes.iter().all(|keys| keys.len() > 200), "each shard has several pages");
    let all: HashSet<String> = homes.iter().flatten().cloned().collect();

    // It vanishes when part of it was scanned.
    let mut found = HashSet::new();
    let cursor = up_to_shard(&mut client, 1, &mut found);
    shards[1].stop();
    proxy.expect_log("ejected after");
    go_on(&mut client, cursor, &mut found);
    assert!(homes[0].is_subset(&found) && homes[2].is_subset(&found));
    assert!(!homes[1].is_subset(&found), "otherwise it did not vanish midway");

    // It is away from the start.
    let mut found = HashSet::new();
    go_on(&mut client, "0".to_owned(), &mut found);
    assert_eq!(found, &homes[0] | &homes[2]);

    // It returns before its turn.
    let mut found = HashSet::new();
    let (cursor, keys) = page(&mut client, "0", &["COUNT", "50"]).expect("a page");
    found.extend(keys);
    shards[1].cont();
    proxy.expect_log("readmitted after");
    eventually("all workers know", || {
        client.command(&["DBSIZE"]) == Reply::Integer(all.len() as i64)
    });
    go_on(&mut client, cursor, &mut found);
    assert_eq!(found, all);
}

#[test]
fn keys_of_a_shard_that_is_down_are_never_silently_missing() {
    let (shards, proxy, mut client) = fleet(false);
    let all: HashSet<String> = shards.iter().flat_map(keys_of).collect();
    let mut found = HashSet::new();
    let cursor = up_to_shard(&mut client, 1, &mut found);
    shards[1].stop();
    eventually("b is down", || {
        page(&mut client, &cursor, &[]).is_err_and(|text| text.contains("'b'"))
    });
    for cursor in [&cursor, "1"] {
        let error = page(&mut client, cursor, &[]).expect_err("b is down");
        assert!(error.contains("shard 'b' of pool 'pool'"), "{error}");
    }
    // A page that reaches the shard ends before it, with all keys that were gathered.
    let (next, keys) = page(&mut client, "0", &["COUNT", "100000"]).expect("a is in");
    assert_eq!((next.as_str(), keys.into_iter().collect()), ("1", keys_of(&shards[0])));
    let info = client.command(&["INFO"]);
    let text = String::from_utf8_lossy(info.bytes()).into_owned();
    assert!(text.contains("answered:2") && text.contains("db0:keys="), "{text}");
    shards[1].cont();
    go_on(&mut client, cursor, &mut found);
    assert_eq!(found, all);
    assert_eq!(scan_all(&mut proxy.client(), &[]).len(), all.len());
}

#[test]
fn nobody_in_is_told() {
    let (shards, _proxy, mut client) = fleet(true);
    shards.iter().for_each(Shard::kill9);
    eventually("all are ejected", || {
        page(&mut client, "0", &[]).is_err_and(|text| text.contains("all 3 shards"))
    });
    for command in [&["RANDOMKEY"][..], &["CONFIG", "GET", "save"], &["ROLE"], &["DBSIZE"]] {
        let reply = client.command(command);
        assert!(reply.error().is_some_and(|text| text.contains("all 3 shards")), "{reply}");
    }
    let info = client.command(&["INFO"]);
    let text = String::from_utf8_lossy(info.bytes()).into_owned();
    assert!(text.contains("ejected:3\r\n") && text.contains("redis_version:"), "{text}");
}
