//! A shard that goes while clients wait on it.

use std::time::Duration;

use super::{Stage, blocked, error, key_on_each, waiting};
use crate::harness::{Reply, eventually};

#[test]
fn a_client_is_told_at_once_which_shard_was_lost() {
    let stage = Stage::start("");
    let keys = key_on_each(&stage.proxy, &stage.shards);
    let mut lost = waiting(&stage.proxy, &stage.shards, &format!("BLPOP {} 0", keys[0]));
    let mut other = waiting(&stage.proxy, &stage.shards, &format!("BLPOP {} 0", keys[1]));
    stage.shards[0].kill9();
    let text = error(lost.read_reply());
    assert!(text.contains(&stage.shards[0].address().to_string()), "{text}");
    other.expect_silence(Duration::from_millis(50));
    // Tried again, it is an error at once.
    let text = error(lost.command(&["BLPOP", &keys[0], "0"]));
    assert!(text.contains(&stage.shards[0].address().to_string()), "{text}");
    assert_eq!(stage.proxy.client().command(&["RPUSH", &keys[1], "x"]), Reply::Integer(1));
    other.read_reply();
    stage.shards[0].restart();
    eventually("it waits again", || {
        lost.command(&["RPUSH", &keys[0], "x"]).error().is_none()
            && lost.command(&["BLPOP", &keys[0], "0"]).error().is_none()
    });
}

#[test]
fn a_shard_that_hangs_is_noticed_by_its_heartbeat() {
    let stage = Stage::start("auto_eject_hosts: true\nserver_retry_timeout: 300\ntimeout: 200");
    let keys = key_on_each(&stage.proxy, &stage.shards);
    let mut client = waiting(&stage.proxy, &stage.shards, &format!("BLPOP {} 0", keys[0]));
    stage.shards[0].stop();
    let text = error(client.read_reply());
    assert!(text.contains(&stage.shards[0].address().to_string()), "{text}");
    stage.shards[0].cont();
    eventually("nobody waits there", || blocked(&stage.shards) == 0);
}

#[test]
fn a_client_is_let_go_when_its_key_moves_back_to_a_shard_that_returns() {
    let stage = Stage::start("auto_eject_hosts: true\nserver_retry_timeout: 300\ntimeout: 400");
    let keys = key_on_each(&stage.proxy, &stage.shards);
    stage.shards[0].kill9();
    let mut client = stage.proxy.client();
    eventually("the shard is ejected", || client.command(&["SET", &keys[0], "x"]) == Reply::ok());
    client.command(&["DEL", &keys[0]]);
    let rest = &stage.shards[1..];
    let mut moved = waiting(&stage.proxy, rest, &format!("BLPOP {} 0", keys[0]));
    let mut stays = waiting(&stage.proxy, rest, &format!("BLPOP {} 0", keys[1]));
    stage.shards[0].restart();
    let text = error(moved.read_reply());
    assert!(text.starts_with("UNBLOCKED "), "{text}");
    stays.expect_silence(Duration::from_millis(50));
    stage.proxy.client().command(&["RPUSH", &keys[0], "home"]);
    let popped = moved.command(&["BLPOP", &keys[0], "1"]);
    assert_eq!(popped.elements()[1].bytes(), b"home");
}
