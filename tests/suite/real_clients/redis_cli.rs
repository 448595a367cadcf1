//! redis-cli and its modes.

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

fn cli(fleet: &Fleet, arguments: &[&str], input: &str) -> String {
    output(Command::new("redis-cli").args(["-p", &fleet.port()]).args(arguments), input)
}
