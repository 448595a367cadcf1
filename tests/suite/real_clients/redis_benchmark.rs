//! redis-benchmark: no error, no warning, every test told of.

use std::process::Command;

use super::{Fleet, output};
use crate::harness::Client;

#[test]
fn all_its_tests() {
    let (fleet, shown) = benchmark(&["-n", "2000", "-q"]);
    assert_eq!(results(&shown), 20, "{shown}");
    let keys = Client::connect(&fleet.address()).command(&["DBSIZE"]).integer();
    assert!(keys >= 3, "the benchmark left only {keys} keys");
}

#[test]
fn pipelined_on_many_keys() {
    let (fleet, shown) = benchmark(&["-n", "4000", "-r", "1000", "-q", "-P", "16"]);
    assert_eq!(results(&shown), 20, "{shown}");
    let keys = Client::connect(&fleet.address()).command(&["DBSIZE"]).integer();
    assert!(keys > 500, "the benchmark left only {keys} keys");
}

#[test]
fn with_two_threads() {
    let tests = "set,get,incr,lpush,mset,sadd,hset,zadd,ping,lrange_100";
    let (_fleet, shown) = benchmark(&["-n", "4000", "--threads", "2", "-t", tests, "-q"]);
    assert_eq!(results(&shown), 12, "{shown}");
}

#[test]
fn as_a_table() {
    let (_fleet, shown) = benchmark(&["-n", "1000", "--csv", "-t", "set,get,mset"]);
    let names: Vec<&str> = shown.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(names, ["\"test\"", "\"SET\"", "\"GET\"", "\"MSET (10 keys)\""], "{shown}");
}

#[test]
fn a_command_of_ones_own() {
    let script = "return redis.call('INCR', KEYS[1])";
    let (fleet, _shown) =
        benchmark(&["-n", "1000", "-r", "100", "-q", "eval", script, "1", "own:__rand_int__"]);
    let keys = Client::connect(&fleet.address()).command(&["DBSIZE"]).integer();
    assert!((90..=100).contains(&keys), "{keys} keys of 100");
}

/// What it shows, on lines of their own, with nothing in it that a person would have to read.
#[track_caller]
fn benchmark(arguments: &[&str]) -> (Fleet, String) {
    let fleet = Fleet::start();
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &fleet.port()]).args(arguments);
    let shown = output(&mut command, "").replace('\r', "\n");
    for word in ["err", "warn", "could not"] {
        assert!(!shown.to_lowercase().contains(word), "{command:?}:\n{shown}");
    }
    (fleet, shown)
}

fn results(shown: &str) -> usize {
    shown.lines().filter(|line| line.contains(" requests per second")).count()
}
