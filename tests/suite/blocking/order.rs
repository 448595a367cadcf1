//! What comes before a waiting command is done before it, what comes after it after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Stage, connected};
use crate::harness::{Circlet, FakeShard, Reply, encode, honest, pool_yaml};

#[test]
fn commands_around_it_keep_their_order() {
    let stage = Stage::start("");
    stage.same(|play| {
        let mut bytes = Vec::new();
        for number in 0..50 {
            for line in ["RPUSH l x", "GET nosuch", "BLPOP l 0", "LLEN l", "INCR n"] {
                bytes.extend(encode(&line.split(' ').collect::<Vec<_>>()));
            }
            bytes.extend(encode(&["SET", &format!("other{number}"), "x"]));
        }
        play.waiter.send(&bytes);
        for _ in 0..50 * 6 {
            play.reads();
        }
    });
}

#[test]
fn what_is_said_while_waiting_is_done_afterwards() {
    let stage = Stage::start("");
    stage.same(|play| {
        play.waits("BLPOP {t}l 0");
        play.waiter.send(&encode(&["RPUSH", "{t}l", "own"]));
        play.waiter.send(&encode(&["LLEN", "{t}l"]));
        play.waiter.send(b"LRANGE {t}l 0 -1\r\n");
        std::thread::sleep(Duration::from_millis(30));
        play.other("RPUSH {t}l first second");
        for _ in 0..4 {
            play.reads();
        }
    });
}

#[test]
fn a_command_in_pieces_waits_for_the_pause_to_end() {
    let stage = Stage::start("");
    stage.same(|play| {
        play.waits("BLPOP l 0");
        let set = encode(&[&b"SET"[..], b"k", &vec![b'v'; 300_000]]);
        play.waiter.send(&set[..200_000]);
        play.other("RPUSH l x");
        play.reads();
        play.waiter.send(&set[200_000..]);
        play.reads();
        play.at_once("STRLEN k");
    });
}

#[test]
fn a_large_argument_waits_as_well() {
    let stage = Stage::start("");
    stage.same(|play| {
        let key = "k".repeat(300_000);
        let value = "v".repeat(300_000);
        play.waits(&format!("BLPOP {key} 0"));
        play.other(&format!("RPUSH {key} {value}"));
        play.reads();
    });
}

#[test]
fn what_came_before_is_answered_before_the_shard_hears_of_the_waiting() {
    let is_set = Arc::new(AtomicBool::new(false));
    let fake = FakeShard::start(move |mut link| {
        let is_set = Arc::clone(&is_set);
        link.serve(move |command| match &command[0][..] {
            b"SET" => {
                std::thread::sleep(Duration::from_millis(200));
                is_set.store(true, Ordering::SeqCst);
                b"+OK\r\n".to_vec()
            }
            b"BLPOP" => format!(":{}\r\n", u8::from(is_set.load(Ordering::SeqCst))).into_bytes(),
            b"CLIENT" => b":7\r\n".to_vec(),
            _ => honest(command),
        });
    });
    let proxy = Circlet::with_config(&pool_yaml("pool", &[fake.server(1, None)], ""));
    let mut client = proxy.client();
    client.send(b"SET k v\r\nBLPOP k 0\r\n");
    client.expect("+OK\r\n:1\r\n");
}

#[test]
fn a_client_that_watches_may_wait_and_its_watch_holds() {
    let stage = Stage::start("");
    stage.same(|play| {
        for other in ["PING", "SET {t}watched other"] {
            play.at_once("SET {t}watched x");
            play.at_once("WATCH {t}watched");
            play.waits("BLPOP {t}l 0");
            play.other("RPUSH {t}l x");
            play.reads();
            play.other(other);
            for line in ["MULTI", "GET {t}watched", "BLPOP {t}l 0", "EXEC"] {
                play.at_once(line);
            }
        }
    });
}

#[test]
fn hundreds_one_after_the_other_use_one_connection() {
    let stage = Stage::start("");
    let mut client = stage.proxy.client();
    client.command(&["RPUSH", "l", "x"]);
    assert_eq!(client.command(&["BLPOP", "l", "0"]), pair("l", "x"));
    let before = connected(&stage.shards);
    let accepted = received(&stage);
    for _ in 0..300 {
        client.command(&["RPUSH", "l", "x"]);
        assert_eq!(client.command(&["BLPOP", "l", "0"]), pair("l", "x"));
    }
    assert_eq!(connected(&stage.shards), before);
    // Each look at the shards is a connection of its own.
    assert_eq!(received(&stage) - accepted, 2 * 3);
}

fn received(stage: &Stage) -> i64 {
    let total = |shard: &crate::harness::Shard| {
        super::info(&mut shard.client(), "total_connections_received:")
    };
    stage.shards.iter().map(total).sum()
}

fn pair(key: &str, value: &str) -> Reply {
    Reply::Array(vec![Reply::bulk(key), Reply::bulk(value)])
}
