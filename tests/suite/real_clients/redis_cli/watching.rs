//! The modes that look on: they run until somebody ends them.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::cli;
use crate::real_clients::Fleet;

#[test]
fn stat() {
    let fleet = Fleet::start();
    cli(&fleet, &["mset", "1k", "a", "2k", "b", "3k", "c"], "");
    let shown = first_lines(&fleet, &["--stat", "-i", "0.1"], 5);
    assert!(shown[0].contains("data") && shown[0].contains("load"), "{shown:?}");
    assert!(shown[1].starts_with("keys       mem      clients blocked requests"), "{shown:?}");
    for line in &shown[2..] {
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(fields[0], "3", "keys of all shards: {shown:?}");
        assert!(fields[1].ends_with('M') || fields[1].ends_with('K'), "memory: {shown:?}");
        assert!(fields[2].parse::<u32>().is_ok_and(|clients| clients >= 1), "{shown:?}");
        assert_eq!(fields[3], "0", "blocked clients: {shown:?}");
        assert!(fields[4].parse::<u32>().is_ok_and(|requests| requests >= 1), "{shown:?}");
    }
}

#[test]
fn latency() {
    let fleet = Fleet::start();
    let shown = cli(&fleet, &["--latency", "--raw", "-i", "0.3"], "");
    let numbers: Vec<f64> =
        shown.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    assert_eq!(numbers.len(), 4, "minimum, maximum, average, samples: {shown}");
    assert!(numbers[3] > 1.0, "{shown}");
    let shown = first_lines(&fleet, &["--latency-history", "--csv", "-i", "0.2"], 1);
    assert_eq!(shown[0].split(',').count(), 4, "{shown:?}");
}

#[test]
fn monitor() {
    let fleet = Fleet::start();
    let watching = Command::new("redis-cli")
        .args(["-p", &fleet.port(), "monitor"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut watching = watching.expect("redis-cli starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "OK");
    cli(&fleet, &["-n", "3", "set", "watched", "a b\"c"], "");
    let line = lines.map(|line| line.expect("text")).find(|line| line.contains("watched"));
    let line = line.expect("MONITOR goes on");
    assert!(
        line.contains(" [3 127.0.0.1:") && line.ends_with(r#""set" "watched" "a b\"c""#),
        "{line}"
    );
    let _ = watching.kill();
    let _ = watching.wait();
}

/// The first lines that redis-cli shows; then it is killed.
fn first_lines(fleet: &Fleet, arguments: &[&str], count: usize) -> Vec<String> {
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "redis-cli", "-p", &fleet.port()]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("stdbuf is of coreutils");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let lines = lines.take(count).map(|line| line.expect("text")).collect();
    let _ = child.kill();
    let _ = child.wait();
    lines
}
