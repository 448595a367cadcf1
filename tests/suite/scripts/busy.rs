//! Scripts that do not end: SCRIPT KILL and FUNCTION KILL reach the shard that runs one.

use std::time::Duration;

use super::Fleet;
use crate::blocking::Stage;
use crate::harness::{Client, Reply, encode, eventually};

const ENDLESS: &str = "while true do end";
const LIBRARY: &str = "#!lua name=loops\nredis.register_function('endless', function(keys, args) \
     while true do end end)";

/// The shard is in a script and says so.
fn is_busy(fleet: &Fleet, index: usize) -> bool {
    let reply = fleet.shards[index].client().command(&["PING"]);
    reply.error().is_some_and(|text| text.starts_with("BUSY "))
}

fn impatient(fleet: &Fleet) {
    for shard in &fleet.shards {
        let reply = shard.client().command(&["CONFIG", "SET", "busy-reply-threshold", "50"]);
        assert_eq!(reply, Reply::ok());
    }
}

#[test]
fn a_script_is_killed_on_the_shard_that_runs_it() {
    let fleet = Fleet::start("");
    impatient(&fleet);
    for index in 0..3 {
        let mut runner = fleet.proxy.client();
        runner.send(&encode(&["EVAL", ENDLESS, "1", &fleet.keys[index]]));
        eventually("the shard is busy", || is_busy(&fleet, index));
        assert_eq!(fleet.proxy.client().command(&["SCRIPT", "KILL"]), Reply::ok());
        let reply = runner.read_reply();
        assert!(
            reply.error().is_some_and(|text| text.contains("Script killed by user")),
            "{reply}"
        );
        assert_eq!(runner.command(&["INCR", &fleet.keys[index]]), Reply::Integer(1));
    }
    let reply = fleet.proxy.client().command(&["SCRIPT", "KILL"]);
    assert!(reply.error().is_some_and(|text| text.starts_with("NOTBUSY ")), "{reply}");
}

#[test]
fn a_function_is_told_of_and_killed() {
    let fleet = Fleet::start("");
    impatient(&fleet);
    for resp3 in [false, true] {
        let (mut runner, mut other) = (fleet.proxy.client(), fleet.proxy.client());
        if resp3 {
            other.command(&["HELLO", "3"]);
        }
        other.command(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]);
        let command = ["FCALL", "endless", "1", &fleet.keys[1]];
        runner.send(&encode(&command));
        eventually("the shard is busy", || is_busy(&fleet, 1));
        other.send(&encode(&["FUNCTION", "STATS"]));
        let stats = other.read_reply_bytes();
        let stats = String::from_utf8_lossy(&stats).into_owned();
        assert!(stats.contains("endless") && stats.contains(&fleet.keys[1]), "{stats}");
        assert_eq!(other.command(&["FUNCTION", "KILL"]), Reply::ok());
        assert!(runner.read_reply().error().is_some());
    }
}

#[test]
fn a_script_that_wrote_cannot_be_killed_and_that_is_said() {
    let fleet = Fleet::start("");
    impatient(&fleet);
    let mut runner = fleet.proxy.client();
    let script = "redis.call('SET', KEYS[1], 'x') while true do end";
    runner.send(&encode(&["EVAL", script, "1", &fleet.keys[2]]));
    eventually("the shard is busy", || is_busy(&fleet, 2));
    let reply = fleet.proxy.client().command(&["SCRIPT", "KILL"]);
    assert!(reply.error().is_some_and(|text| text.starts_with("UNKILLABLE ")), "{reply}");
    runner.expect_silence(Duration::from_millis(20));
    fleet.shards[2].kill9();
}

#[test]
fn other_shards_go_on_meanwhile() {
    let fleet = Fleet::start("");
    impatient(&fleet);
    let mut runner = fleet.proxy.client();
    runner.send(&encode(&["EVAL", ENDLESS, "1", &fleet.keys[0]]));
    eventually("the shard is busy", || is_busy(&fleet, 0));
    let mut clients: Vec<Client> = (0..4).map(|_| fleet.proxy.client()).collect();
    for client in &mut clients {
        assert_eq!(client.command(&["SET", &fleet.keys[1], "x"]), Reply::ok());
    }
    assert_eq!(clients[0].command(&["SCRIPT", "KILL"]), Reply::ok());
    assert!(runner.read_reply().error().is_some());
}

#[test]
fn a_client_that_waits_does_not_hinder_scripts() {
    let stage = Stage::start("");
    stage.same(|play| {
        play.waits("BLPOP {t}l 0");
        play.other("EVAL \"return redis.call('RPUSH', KEYS[1], 'x')\" 1 {t}l");
        play.reads();
        play.at_once("EVAL \"return redis.call('BLPOP', KEYS[1], 0)\" 1 {t}l");
        play.at_once("FUNCTION STATS");
        play.at_once("FUNCTION KILL");
        play.at_once("SCRIPT KILL");
    });
}
