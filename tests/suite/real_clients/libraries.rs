//! Libraries of Python and Node: each program tells of its scenarios, one line for each.

use std::process::Command;

use super::{Fleet, finished, installed, program, text};

#[test]
fn redis_py() {
    every_scenario_succeeds(python("redis_py.py"), 78, PENDING);
}

#[test]
fn ioredis() {
    every_scenario_succeeds(node("ioredis.mjs"), 60, PENDING);
}

#[test]
fn node_redis() {
    every_scenario_succeeds(node("node_redis.mjs"), 57, PENDING);
}

// What the libraries do that circlet does not serve yet.
const PENDING: &[&str] = &[
    "a killed connection is made again",
    "a pool of connections",
    "blocking pops",
    "blocking reads of streams",
    "clients unblock pause and reply",
    "connection settings",
    "keyspace notifications",
    "many threads increment under watch",
    "monitor",
    "order of a thousand messages",
    "scan iterators",
    "scan streams",
    "scans",
    "scripts",
    "scripts and functions",
    "settings of a connection",
    "sharded pubsub",
    "streams and consumer groups",
    "subscribe and unsubscribe",
    "subscribe in a thread",
    "subscribe to patterns",
    "transactions",
    "watch conflict and retry",
    "what administrators ask",
    "who subscribes",
];

/// A program of Python that sees redis-py.
fn python(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", installed("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(program(name));
    command
}

/// A program of Node that sees what npm installed.
fn node(name: &str) -> Command {
    let mut command = Command::new(installed("node/node"));
    command.env("NODE_CLIENTS", installed("node")).arg(program(name));
    command
}

/// Runs a program whose lines are `ok NAME` or `FAILED NAME: why`, at least `least` of them.
///
/// Scenarios of `pending` (names without their variant) may fail for now, unless the environment
/// says `CLIENTS_PENDING=run`.
#[track_caller]
fn every_scenario_succeeds(mut command: Command, least: usize, pending: &[&str]) {
    let fleet = Fleet::start();
    let ended = finished(command.arg(fleet.port()), "");
    let (shown, complaints) = (text(&ended.stdout), text(&ended.stderr));
    let told = shown.lines().filter(|line| line.starts_with("ok ") || line.starts_with("FAILED "));
    let told = told.count();
    let excused = |line: &str| {
        let strict = std::env::var("CLIENTS_PENDING").is_ok_and(|wish| wish == "run");
        let name = line.trim_start_matches("FAILED ").split([',', ':']).next();
        !strict && pending.iter().any(|known| Some(*known) == name)
    };
    let failed: Vec<&str> =
        shown.lines().filter(|line| line.starts_with("FAILED ") && !excused(line)).collect();
    assert!(failed.is_empty(), "{command:?}:\n{}", failed.join("\n"));
    assert!(
        told >= least && complaints.is_empty(),
        "{command:?} tells of {told} scenarios, {least} are known: {}\n{shown}\n{complaints}\n\
         (has `make test` installed the libraries?)",
        ended.status
    );
}
