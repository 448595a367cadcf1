//! What comes before a waiting command is done before it, what comes after it after it.

use super::{Stage, connected};
use crate::harness::{Reply, encode};

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
        std::thread::sleep(std::time::Duration::from_millis(30));
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
