//! redis-cli: commands, its modes, and a person at a terminal.

mod modes;
mod terminal;
mod watching;

use std::process::Command;

use super::{Fleet, output};

#[test]
fn commands_as_arguments_and_as_input() {
    let fleet = Fleet::start();
    let cli = |arguments: &[&str], input: &str| cli(&fleet, arguments, input);
    assert_eq!(cli(&["set", "1k", "one"], ""), "OK\n");
    assert_eq!(cli(&["mget", "1k", "2k"], ""), "one\n\n");
    assert_eq!(cli(&["-3", "hset", "hash", "field", "value"], ""), "1\n");
    let shown = cli(&["-3", "--no-raw", "hgetall", "hash"], "");
    assert_eq!(shown, "1# \"field\" => \"value\"\n");
    assert_eq!(cli(&["-n", "4", "get", "1k"], ""), "\n");
    let session = "mset 1k a 2k b 3k c\nmget 3k 2k 1k\nselect 2\ndbsize\nselect 0\ndbsize\nquit\n";
    assert_eq!(cli(&[], session), "OK\nc\nb\na\nOK\n0\nOK\n4\n");
}

#[test]
fn options() {
    let fleet = Fleet::start();
    let cli = |arguments: &[&str]| cli(&fleet, arguments, "");
    assert_eq!(cli(&["-r", "3", "-i", "0.01", "incr", "count"]), "1\n2\n3\n");
    assert_eq!(cli(&["--csv", "mget", "count", "none"]), "\"3\",NULL\n");
    assert_eq!(cli(&["--json", "mget", "count", "none"]), "[\"3\",null]\n");
    assert_eq!(cli(&["-n", "3", "set", "count", "drei"]), "OK\n");
    assert_eq!(cli(&["-u", &fleet.url("3"), "get", "count"]), "drei\n");
    assert_eq!(cli(&["-3", "-n", "3", "--no-raw", "get", "count"]), "\"drei\"\n");
    assert_eq!(cli(&["-X", "VALUE", "set", "k", "VALUE"]), "OK\n");
}

#[test]
fn a_value_from_the_input_and_a_script_from_a_file() {
    let fleet = Fleet::start();
    assert_eq!(cli(&fleet, &["-x", "set", "big"], &"x".repeat(1 << 20)), "OK\n");
    assert_eq!(cli(&fleet, &["strlen", "big"], ""), "1048576\n");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let script = directory.path().join("script.lua");
    std::fs::write(&script, "redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1]}")
        .expect("a temporary file");
    let script = script.to_str().expect("its path is text");
    for number in 0..6 {
        let key = format!("{number}k");
        let shown = cli(&fleet, &["--eval", script, &key, ",", "value"], "");
        assert_eq!(shown, format!("{key}\nvalue\n"));
        assert_eq!(cli(&fleet, &["get", &key], ""), "value\n");
    }
}

#[test]
fn errors_are_shown_as_one_redis_does() {
    let fleet = Fleet::start();
    cli(&fleet, &["rpush", "list", "x"], "");
    let shown = cli(&fleet, &["incr", "list"], "");
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value\n\n";
    assert_eq!(shown, wrong);
    let shown = cli(&fleet, &["nosuch", "a"], "");
    assert_eq!(shown, "ERR unknown command 'nosuch', with args beginning with: 'a' \n\n");
}

fn cli(fleet: &Fleet, arguments: &[&str], input: &str) -> String {
    output(Command::new("redis-cli").args(["-p", &fleet.port()]).args(arguments), input)
}
