//! SCAN over three shards: all there is, while more comes and goes; options and cursors.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{over, page, scan_all, set_all};
use crate::harness::{Circlet, Client, FakeShard, Proxy, Shard, honest, pool_yaml};
use crate::one_redis::{Pair, words};

#[test]
fn every_key_that_stays_is_returned_while_others_come_and_go() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    let constant: Vec<String> = (0..20_000).map(|number| format!("constant:{number}")).collect();
    set_all(&mut client, &constant);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| come_and_go(&proxy, &is_done));
        let iterations =
            [&["COUNT", "100"][..], &["COUNT", "1000"], &["COUNT", "7", "MATCH", "c*"]];
        let found = iterations.map(|options| scan_all(&mut client, options));
        // The other thread ends before anything is judged, or a failure would wait for it.
        is_done.store(true, Ordering::SeqCst);
        for found in found {
            let found: HashSet<String> = found.into_iter().collect();
            let lost = constant.iter().filter(|key| !found.contains(*key)).count();
            assert_eq!(lost, 0, "of {} keys", constant.len());
        }
    });
}

/// Makes the tables of the shards grow and shrink.
fn come_and_go(proxy: &Proxy, is_done: &AtomicBool) {
    let mut client = proxy.client();
    let mut round = 0;
    while !is_done.load(Ordering::SeqCst) {
        let keys: Vec<String> = (0..30_000).map(|number| format!("{round}:{number}")).collect();
        set_all(&mut client, &keys);
        for keys in keys.chunks(1000) {
            let unlink: Vec<&str> =
                std::iter::once("UNLINK").chain(keys.iter().map(String::as_str)).collect();
            client.command(&unlink);
        }
        round += 1;
    }
}

#[test]
fn without_change_every_key_comes_as_it_does_from_its_shard() {
    let mut pair = Pair::start();
    for resp3 in [false, true] {
        pair.clear();
        let keys: Vec<String> = (0..3_000).map(|number| format!("{number}")).collect();
        for client in [&mut pair.through, &mut pair.direct] {
            set_all(client, &keys);
            client.command(&words("RPUSH list:1 x"));
            client.command(&words("SADD set:1 x"));
            client.command(&words("RPUSH list:2 x"));
        }
        for options in [
            "COUNT 1",
            "MATCH 1?7",
            "MATCH list:* COUNT 2000",
            "TYPE list",
            "TYPE string MATCH *99 COUNT 50",
            "TYPE nosuch",
            "MATCH nosuch",
            "COUNT 100000",
        ] {
            let options: Vec<String> = words(options);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let sorted = |client: &mut Client| {
                let mut keys = scan_all(client, &options);
                keys.sort();
                keys.dedup();
                keys
            };
            assert_eq!(sorted(&mut pair.through), sorted(&mut pair.direct), "{options:?}");
        }
        if !resp3 {
            pair.speak_resp3();
        }
    }
}

#[test]
fn an_empty_keyspace_ends_and_databases_are_apart() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    assert!(scan_all(&mut client, &[]).is_empty());
    client.command(&["SELECT", "3"]);
    client.command(&["SET", "k", "v"]);
    assert_eq!(scan_all(&mut client, &[]), ["k"]);
    client.command(&["SELECT", "0"]);
    assert!(scan_all(&mut client, &[]).is_empty());
}

#[test]
fn bad_cursors_and_options_get_redis_own_words() {
    let mut pair = Pair::start();
    for line in [
        "SCAN",
        "SCAN x",
        "SCAN 1x",
        "SCAN \" 1\"",
        "SCAN -",
        "SCAN +",
        "SCAN 0x10",
        "SCAN 1.5",
        "SCAN 18446744073709551616",
        "SCAN 99999999999999999999999",
        "SCAN x COUNT y",
        "SCAN 0 COUNT 0",
        "SCAN 0 COUNT -5",
        "SCAN 0 COUNT x",
        "SCAN 0 COUNT",
        "SCAN 0 NOSUCH 1",
        "SCAN 0 MATCH",
        "SCAN 0 TYPE",
    ] {
        let error = pair.same(&words(line));
        assert!(error.starts_with(b"-ERR"), "{line}: {}", error.escape_ascii());
    }
    for start in ["", "+0", "000", "-0"] {
        for client in [&mut pair.through, &mut pair.direct] {
            assert_eq!(page(client, start, &[]).expect("a page").1, Vec::<String>::new());
        }
    }
}

#[test]
fn a_cursor_that_nobody_gave_out_is_harmless() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    let keys: Vec<String> = (0..500).map(|number| format!("k{number}")).collect();
    set_all(&mut client, &keys);
    for cursor in ["1", "2", "5", "12345678", "9223372036854775807", "18446744073709551615", "-1"] {
        let mut cursor = cursor.to_owned();
        let mut pages = 0;
        while pages == 0 || cursor != "0" {
            let (next, found) = page(&mut client, &cursor, &[]).expect("a page");
            assert!(found.iter().all(|key| keys.contains(key)));
            cursor = next;
            pages += 1;
            assert!(pages < 1000, "it never ends");
        }
    }
    assert_eq!(scan_all(&mut client, &[]).len(), keys.len());
}

#[test]
fn a_shards_cursor_that_leaves_no_room_is_told_and_not_cut() {
    let shard = Shard::start();
    for (cursor, is_served) in [("18446744073709551615", false), ("12", true), ("x", false)] {
        let fake = FakeShard::start(move |mut link| {
            link.serve(|command| match &command[0][..] {
                b"SCAN" => format!("*2\r\n${}\r\n{cursor}\r\n*0\r\n", cursor.len()).into_bytes(),
                _ => honest(command),
            });
        });
        let servers = [fake.server(1, Some("odd")), shard.server(1, Some("plain"))];
        let proxy = Circlet::with_config(&pool_yaml("pool", &servers, ""));
        let mut client = proxy.client();
        match page(&mut client, "0", &[]) {
            Ok((next, _)) => assert_eq!((next.as_str(), is_served), ("24", true)),
            Err(text) => {
                assert!(!is_served && text.contains("shard 'odd' of pool 'pool'"), "{text}");
            }
        }
        assert_eq!(page(&mut client, "1", &[]), Ok(("0".to_owned(), Vec::new())));
    }
}
