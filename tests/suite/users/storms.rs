//! Many wrong passwords, many users, many databases: the shards and circlet stay well.

use std::time::Duration;

use super::{ANN, BOB, Scene, say};
use crate::harness::{Circlet, Client, Reply, Shard, encode, eventually, pool_yaml};

/// One of the numbers of INFO.
fn info(shard: &Shard, section: &str, name: &str) -> u64 {
    let mut admin = shard.client();
    say(&mut admin, "AUTH ann secret");
    let text = say(&mut admin, &format!("INFO {section}"));
    let text = String::from_utf8_lossy(text.bytes()).into_owned();
    let found = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    found.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().expect("a number")
}

#[test]
fn ten_thousand_wrong_passwords_cost_the_shards_no_connection() {
    let scene = Scene::of_ann_and_bob();
    let mut ann = scene.proxy.client();
    assert_eq!(say(&mut ann, "AUTH ann secret"), Reply::ok());
    assert_eq!(say(&mut ann, "MGET a b c d e f").elements().len(), 6);
    let before: Vec<u64> = scene
        .shards
        .iter()
        .map(|shard| info(shard, "stats", "total_connections_received"))
        .collect();
    let mut guessers: Vec<Client> = (0..20).map(|_| scene.proxy.client()).collect();
    for round in 0..10 {
        for (index, guesser) in guessers.iter_mut().enumerate() {
            let guess = |number: usize| format!("guess-{index}-{}", round * 50 + number);
            let bytes: Vec<u8> =
                (0..50).flat_map(|number| encode(&["AUTH", "ann", &guess(number)])).collect();
            guesser.send(&bytes);
        }
        for guesser in &mut guessers {
            for _ in 0..50 {
                let refused = guesser.read_reply();
                assert!(refused.error().is_some_and(|text| text.starts_with("WRONGPASS")));
            }
        }
        assert_eq!(say(&mut ann, "SET k v"), Reply::ok());
    }
    for (shard, before) in scene.shards.iter().zip(before) {
        let opened = info(shard, "stats", "total_connections_received") - before;
        // Two workers' ushers, those who ask about openness, heartbeats and this test.
        assert!(opened < 30, "{opened}");
    }
    assert_eq!(say(&mut guessers[0], "AUTH ann secret"), Reply::ok());
    let long = "x".repeat(100_000);
    let refused = guessers[1].command(&["AUTH", "ann", &long]);
    assert_eq!(refused.error(), Some("ERR Protocol error: unauthenticated bulk length"));
    let long = "x".repeat(16_384);
    let refused = guessers[2].command(&["AUTH", "ann", &long]);
    assert!(refused.error().is_some_and(|text| text.starts_with("WRONGPASS")));
}

#[test]
fn identities_are_bounded_and_those_unused_make_room() {
    let shard = Shard::with(&["--databases", "5000"]);
    let text = pool_yaml("pool", &[shard.server(1, None)], "");
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut client = proxy.client();
    // More than there may be at once; each is left for the next.
    for db in 0..1500 {
        assert_eq!(say(&mut client, &format!("SELECT {db}")), Reply::ok());
        assert_eq!(say(&mut client, &format!("SET k {db}")), Reply::ok());
    }
    assert!(info(&shard, "clients", "connected_clients") < 1100);
    let mut others: Vec<Client> = (0..1023).map(|_| proxy.client()).collect();
    let mut refused = 0;
    for (number, other) in others.iter_mut().enumerate() {
        refused += usize::from(say(other, &format!("SELECT {}", 2000 + number)).error().is_some());
    }
    // The first identity and that of the first client are taken.
    assert_eq!(refused, 1);
    let refused = say(&mut proxy.client(), "SELECT 4000");
    let text = refused.error().expect("there is no room");
    assert!(text.starts_with("ERR max number of identities reached"), "{text}");
    assert_eq!(say(&mut client, "GET k"), Reply::bulk("1499"));
    drop(others);
    eventually("there is room again", || say(&mut client, "SELECT 4000") == Reply::ok());
    assert_eq!(say(&mut client, "GET k"), Reply::Nil);
    assert_eq!(say(&mut client, "SELECT 7"), Reply::ok());
    assert_eq!(say(&mut client, "GET k"), Reply::bulk("7"));
}

#[test]
fn a_default_user_that_takes_any_password_does_not_fill_circlet() {
    let scene = Scene::with(&[ANN, BOB], "");
    let mut client = scene.proxy.client();
    for number in 0..1500 {
        assert_eq!(say(&mut client, &format!("AUTH default any-{number}")), Reply::ok());
        assert_eq!(say(&mut client, "GET k"), Reply::Nil);
    }
    let connected = info(&scene.shards[0], "clients", "connected_clients");
    assert!(connected < 1100, "{connected}");
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(say(&mut client, "ACL WHOAMI"), Reply::bulk("default"));
}
