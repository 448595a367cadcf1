//! CLIENT REPLY: what is not wanted is not sent, and what is wanted is nobody else's.

use std::time::Duration;

use super::{Scene, say, words};
use crate::harness::encode;

/// Sends the same lines, in one write and one by one, to circlet and to Redis: the same bytes come.
fn same_bytes(scene: &Scene, lines: &[&str]) {
    for (protocol, at_once) in [(2, true), (3, true), (2, false), (3, false)] {
        let (mut ours, mut theirs) = scene.pair(protocol);
        for client in [&mut ours, &mut theirs] {
            say(client, "FLUSHALL");
            let mut bytes = Vec::new();
            for line in lines.iter().chain(&["CLIENT REPLY ON", "ECHO the-end"]) {
                bytes.extend(encode(&words(line)));
                if !at_once {
                    client.send(&std::mem::take(&mut bytes));
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            client.send(&bytes);
        }
        ours.expect(theirs.read_to_end_of("the-end\r\n"));
        ours.expect_silence(Duration::from_millis(20));
    }
}

#[test]
fn replies_that_are_not_wanted_are_not_sent() {
    let scene = Scene::start();
    same_bytes(
        &scene,
        &[
            "SET a 1",
            "MSET a 1 b 2 c 3 d 4",
            "CLIENT REPLY OFF",
            "GET a",
            "MGET a b c d e f",
            "PING",
            "NOSUCH",
            "GET",
            "DBSIZE",
            "SELECT 3",
            "SELECT 99",
            "GET a",
            "CLIENT ID",
            "CLIENT LIST",
            "CLIENT REPLY SKIP",
            "CLIENT REPLY x",
            "HGET a b",
            "SELECT 0",
        ],
    );
    same_bytes(&scene, &["CLIENT REPLY OFF", "GET a", "RESET", "PING", "GET b"]);
}

#[test]
fn one_reply_is_skipped_at_a_time() {
    let scene = Scene::start();
    same_bytes(
        &scene,
        &[
            "CLIENT REPLY SKIP",
            "GET a",
            "GET b",
            "CLIENT REPLY SKIP",
            "NOSUCH",
            "CLIENT REPLY SKIP",
            "MSET a 1 b 2 c 3 d 4",
            "MGET a b c d",
            "CLIENT REPLY SKIP",
            "CLIENT REPLY SKIP",
            "PING",
            "PING",
            "CLIENT REPLY SKIP",
            "CLIENT REPLY ON",
            "CLIENT REPLY SKIP",
            "CLIENT LIST",
            "SELECT 2",
            "CLIENT REPLY SKIP",
            "SELECT 7",
            "CLIENT REPLY SKIP",
            "CLIENT REPLY x",
            "GET a",
            "CLIENT REPLY SKIP",
            "RESET",
            "GET a",
        ],
    );
}

#[test]
fn what_a_client_listens_to_is_confirmed_in_any_case() {
    let scene = Scene::start();
    same_bytes(
        &scene,
        &[
            "CLIENT REPLY OFF",
            "SUBSCRIBE a b",
            "GET a",
            "UNSUBSCRIBE a b",
            "SUBSCRIBE",
            "CLIENT REPLY ON",
            "CLIENT REPLY SKIP",
            "PSUBSCRIBE a*",
            "CLIENT REPLY SKIP",
            "PUNSUBSCRIBE a*",
            "GET a",
        ],
    );
}

#[test]
fn thousands_of_unwanted_replies_leave_the_others_in_order() {
    let scene = Scene::start();
    let mut client = scene.proxy.client();
    let mut bytes = Vec::new();
    let mut expected = String::new();
    for number in 0..5_000 {
        let (key, value) = (format!("key{}", number % 97), number.to_string());
        bytes.extend(encode(&["CLIENT", "REPLY", "SKIP"]));
        bytes.extend(encode(&["SET", &key, &value]));
        if number % 3 == 0 {
            bytes.extend(encode(&["CLIENT", "REPLY", "SKIP"]));
            bytes.extend(encode(&["MGET", "key1", "key2", "key3", "key4"]));
        }
        bytes.extend(encode(&["GET", &key]));
        expected += &format!("${}\r\n{value}\r\n", value.len());
    }
    let mut writer = client.try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        scope.spawn(move || writer.send(&bytes));
        client.expect(&expected);
    });
    client.expect_silence(Duration::from_millis(20));
}

#[test]
fn a_client_that_wants_no_replies_reads_none_of_a_shard_that_fails() {
    let mut scene = Scene::start();
    let mut client = scene.proxy.client();
    client.send(&encode(&["CLIENT", "REPLY", "OFF"]));
    scene.shards.clear();
    for number in 0..50 {
        client.send(&encode(&["GET", &format!("{number}")]));
        client.send(&encode(&["MGET", "a", "b", "c", "d"]));
    }
    client.send(&encode(&["CLIENT", "REPLY", "ON"]));
    client.expect("+OK\r\n");
}
