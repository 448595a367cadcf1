//! The hottest keys of a skewed load.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::{ask, number, over, row_of};
use crate::harness::{Proxy, Shard, eventually};

/// Ten hot keys, the first the hottest, and many cold ones; each round says the first twenty times
/// and the tenth eleven times.
fn round(turn: usize) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for hot in 0..10 {
        commands.extend((0..20 - hot).map(|_| vec!["GET".into(), format!("hot:{hot}")]));
    }
    commands.extend((0..200).map(|cold| vec!["GET".into(), format!("cold:{}", turn * 200 + cold)]));
    commands
}

/// Four clients, so that both workers have some, say rounds for so long.
fn load(proxy: &Proxy, time: Duration) {
    std::thread::scope(|threads| {
        for client in 0..4 {
            threads.spawn(move || {
                let (mut connection, until) = (proxy.client(), Instant::now() + time);
                for turn in 0.. {
                    connection.pipeline(&round(client * 1000 + turn));
                    if Instant::now() > until {
                        break;
                    }
                }
            });
        }
    });
}

/// The name of the shard that has a key, by asking the shards.
fn home<'a>(shards: &'a [Shard], key: &str) -> &'a Shard {
    let has = |shard: &&Shard| shard.client().command(&["EXISTS", key]).integer() == 1;
    shards.iter().find(has).expect("a shard has it")
}

#[test]
fn the_hottest_ten_are_found_over_two_workers_with_their_shards() {
    let shards = Shard::several(3);
    let circlet = over(&shards, "", &["--hotkeys-samples", "300"]);
    let mut client = circlet.client();
    for hot in 0..10 {
        client.command(&["SET", &format!("hot:{hot}"), "value"]);
    }
    load(&circlet, Duration::from_millis(2500));
    let told = ask(&mut client, &["PROXY", "HOTKEYS"]);
    let names: HashSet<&str> = told.iter().map(|row| row["key"].as_str()).collect();
    let hot: Vec<String> = (0..10).map(|hot| format!("hot:{hot}")).collect();
    assert_eq!(names, hot.iter().map(String::as_str).collect(), "{told:?}");
    for row in &told {
        let shard = home(&shards, &row["key"]).address().to_string();
        assert_eq!(row["shard"], shard, "{row:?}");
        assert_eq!(row["command"], "get");
        // The first is 20 of 355 commands, the tenth 11.
        assert!((2.0..8.0).contains(&number(row, "share")), "{row:?}");
        assert!(number(row, "share-of-shard") > number(row, "share"), "{row:?}");
        assert!(number(row, "rate") > number(row, "error"), "{row:?}");
    }
}

#[test]
fn after_an_ejection_the_shard_is_the_one_that_stands_in() {
    let shards = Shard::several(3);
    let settings = "auto_eject_hosts: true\nserver_failure_limit: 1\nheartbeat_interval: 100\n\
                    heartbeat_timeout: 500\nserver_retry_timeout: 60000\ndisplaced_limit: 0";
    let circlet = over(&shards, settings, &[]);
    let mut client = circlet.client();
    client.command(&["SET", "hot", "value"]);
    let told = ask(&mut client, &["PROXY", "HOTKEYS"]);
    let home = home(&shards, "hot");
    let own = home.address().to_string();
    assert_eq!(row_of(&told, "hot").map(|row| row["shard"].clone()), Some(own.clone()));
    home.kill9();
    eventually("a stand-in takes the key", || {
        client.command(&["SET", "hot", "b"]).error().is_none()
    });
    let told = ask(&mut client, &["PROXY", "HOTKEYS"]);
    let now = &row_of(&told, "hot").expect("it is told still")["shard"];
    let stand_in = shards.iter().filter(|shard| shard.address().to_string() != own);
    let names: Vec<String> = stand_in.map(|shard| shard.address().to_string()).collect();
    assert!(names.contains(now), "{now} is none of {names:?}");
}

#[test]
fn every_key_of_a_command_counts_and_so_do_those_of_transactions() {
    let shards = Shard::several(2);
    let circlet = over(&shards, "hash_tag: \"{}\"", &[]);
    let mut client = circlet.client();
    for _ in 0..10 {
        client.command(&["MGET", "a", "b", "c"]);
    }
    client.command(&["MSET", "a", "1", "d", "2"]);
    for words in [&["MULTI"][..], &["INCR", "{t}1"], &["INCR", "{t}1"], &["EXEC"]] {
        client.command(words);
    }
    let told = ask(&mut client, &["PROXY", "HOTKEYS"]);
    let rate = |key: &str| row_of(&told, key).map_or(0.0, |row| number(row, "rate"));
    assert!((rate("a") / rate("b") - 1.1).abs() < 0.02, "{told:?}");
    assert!((rate("d") / rate("b") - 0.1).abs() < 0.05, "{told:?}");
    assert!((rate("{t}1") / rate("b") - 0.2).abs() < 0.05, "{told:?}");
    // 13 commands had keys; 11 had a, one of which wrote.
    let a = row_of(&told, "a").expect("it is told");
    assert!((number(a, "share") - 100.0 * 11.0 / 13.0).abs() < 0.1, "{a:?}");
    assert!((number(a, "writes") - 100.0 / 11.0).abs() < 0.1, "{a:?}");
}
