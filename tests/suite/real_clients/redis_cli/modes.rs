//! The modes that walk over all keys, or fill them.

use std::collections::BTreeSet;
use std::process::Command;

use super::cli;
use crate::harness::Client;
use crate::real_clients::{Fleet, finished, text};

#[test]
fn pipe_of_100_000_commands() {
    let fleet = Fleet::start();
    let inserts: String = (0..100_000).map(|n| format!("SET {n}:piped {n}\r\n")).collect();
    let shown = cli(&fleet, &["--pipe"], &inserts);
    assert!(shown.contains("errors: 0, replies: 100000"), "{shown}");
    let encoded: String = (0..1000)
        .map(|n| format!("*3\r\n$4\r\nSADD\r\n$3\r\nset\r\n${}\r\n{n}\r\n", n.to_string().len()))
        .collect();
    let shown = cli(&fleet, &["--pipe"], &encoded);
    assert!(shown.contains("errors: 0, replies: 1000"), "{shown}");
    assert_eq!(cli(&fleet, &["dbsize"], ""), "100001\n");
    assert_eq!(cli(&fleet, &["mget", "7:piped", "99999:piped"], ""), "7\n99999\n");
}

#[test]
fn pipe_counts_errors() {
    let fleet = Fleet::start();
    let command = &mut Command::new("redis-cli");
    let ended = finished(
        command.args(["-p", &fleet.port(), "--pipe"]),
        "SET text x\r\nINCR text\r\nSET more x\r\n",
    );
    assert!(text(&ended.stdout).contains("errors: 1, replies: 3"), "{}", text(&ended.stdout));
}

#[test]
fn scan() {
    let fleet = filled();
    let all = lines(&cli(&fleet, &["--scan"], ""));
    assert_eq!(all.len(), 3003);
    let some = lines(&cli(&fleet, &["--scan", "--pattern", "key:1*"], ""));
    assert_eq!(some.len(), 1111);
    assert!(some.is_subset(&all));
    let in_small_pages = cli(&fleet, &["--scan", "-i", "0.001"], "");
    assert_eq!(lines(&in_small_pages), all);
}

#[test]
fn bigkeys() {
    let fleet = filled();
    let shown = cli(&fleet, &["--bigkeys"], "");
    assert!(shown.contains("Sampled 3003 keys in the keyspace!"), "{shown}");
    assert!(shown.contains("Biggest   list found '\"list\"' has 500 items"), "{shown}");
    assert!(shown.contains("Biggest   hash found '\"hash\"' has 300 fields"), "{shown}");
    assert!(shown.contains("3000 strings with 10890 bytes"), "{shown}");
    assert_no_progress_over_100(&shown);
}

#[test]
fn memkeys() {
    let fleet = filled();
    let shown = cli(&fleet, &["--memkeys"], "");
    assert!(shown.contains("Sampled 3003 keys in the keyspace!"), "{shown}");
    assert!(shown.contains("Biggest   zset found '\"zset\"' has "), "{shown}");
    assert_no_progress_over_100(&shown);
}

#[test]
fn hotkeys() {
    let fleet = filled();
    let refused = finished(Command::new("redis-cli").args(["-p", &fleet.port(), "--hotkeys"]), "");
    assert!(!refused.status.success());
    let shown = text(&refused.stdout) + &text(&refused.stderr);
    assert!(shown.contains("An LFU maxmemory policy is not selected"), "{shown}");
    assert_eq!(cli(&fleet, &["config", "set", "maxmemory-policy", "allkeys-lfu"], ""), "OK\n");
    let gets = "get key:7\n".repeat(2000);
    cli(&fleet, &[], &gets);
    let shown = cli(&fleet, &["--hotkeys"], "");
    assert!(shown.contains("Sampled 3003 keys in the keyspace!"), "{shown}");
    assert!(shown.contains("keyname: \"key:7\""), "{shown}");
}

#[test]
fn a_dump_of_the_whole_server_is_refused() {
    let fleet = Fleet::start();
    if fleet.proxy.is_none() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("dump.rdb");
    let mut command = Command::new("redis-cli");
    command.args(["-p", &fleet.port(), "--rdb"]).arg(&file);
    let refused = finished(&mut command, "");
    let shown = text(&refused.stdout) + &text(&refused.stderr);
    assert!(!refused.status.success(), "{shown}");
    assert!(shown.contains("SYNC"), "{shown}");
    assert!(shown.to_lowercase().contains("shard"), "{shown}");
}

/// 3,000 strings, a list, a hash and a sorted set.
fn filled() -> Fleet {
    let fleet = Fleet::start();
    let mut client = Client::connect(&fleet.address());
    let mut commands: Vec<Vec<String>> =
        (0..3000).map(|n| vec!["SET".to_owned(), format!("key:{n}"), n.to_string()]).collect();
    let several = |name: &str, key: &str| vec![name.to_owned(), key.to_owned()];
    let (mut list, mut hash, mut zset) =
        (several("RPUSH", "list"), several("HSET", "hash"), several("ZADD", "zset"));
    list.extend((0..500).map(|n| n.to_string()));
    hash.extend((0..300).flat_map(|n| [format!("f{n}"), n.to_string()]));
    zset.extend((0..200).flat_map(|n| [n.to_string(), format!("m{n}")]));
    commands.extend([list, hash, zset]);
    client.pipeline(&commands);
    fleet
}

fn lines(shown: &str) -> BTreeSet<String> {
    shown.lines().map(str::to_owned).collect()
}

/// The share that it tells comes from DBSIZE, of all shards.
#[track_caller]
fn assert_no_progress_over_100(shown: &str) {
    let shares = shown.split('[').filter_map(|part| part.split_once("%]"));
    for (share, _) in shares {
        let share: f64 = share.trim().parse().expect("a share in percent");
        assert!(share <= 100.0, "{shown}");
    }
}
