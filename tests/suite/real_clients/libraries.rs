//! Libraries of Python and Node: each program tells of its scenarios, one line for each.

use std::process::Command;

use super::{Fleet, finished, installed, program, text};

#[test]
fn redis_py() {
    every_scenario_succeeds(python("redis_py.py"), 78, PENDING);
}

#[test]
fn redis_py_with_asyncio() {
    every_scenario_succeeds(python("redis_asyncio.py"), 18, PENDING);
}

#[test]
fn what_applications_do() {
    every_scenario_succeeds(python("applications.py"), 13, PENDING);
}

#[test]
fn celery() {
    every_scenario_succeeds(python("celery_tasks.py"), 6, PENDING);
}

#[test]
fn rq() {
    // Its keys have no tag of their own, but all begin with `rq:`: what is between is `q`.
    let fleet = Fleet::with_hash_tag("r:");
    every_scenario_succeeds_on(&fleet, python("rq_jobs.py"), 6, PENDING);
}

#[test]
fn ioredis() {
    every_scenario_succeeds(node("ioredis.mjs"), 60, PENDING);
}

#[test]
fn node_redis() {
    every_scenario_succeeds(node("node_redis.mjs"), 57, PENDING);
}

#[test]
fn bullmq() {
    every_scenario_succeeds(node("bullmq.mjs"), 7, PENDING);
}

// What the libraries do that circlet does not serve yet.
const PENDING: &[&str] = &[];

/// A program of Python that sees redis-py.
pub fn python(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", installed("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(program(name));
    command
}

/// A program of Node that sees what npm installed.
pub fn node(name: &str) -> Command {
    let mut command = Command::new(installed("node/node"));
    command.env("NODE_CLIENTS", installed("node")).arg(program(name));
    command
}

/// Runs a program whose lines are `ok NAME` or `FAILED NAME: why`, at least `least` of them.
///
/// Scenarios of `pending` (names without their variant) may fail for now, unless the environment
/// says `CLIENTS_PENDING=run`.
#[track_caller]
fn every_scenario_succeeds(command: Command, least: usize, pending: &[&str]) {
    every_scenario_succeeds_on(&Fleet::start(), command, least, pending);
}

/// The same with a fleet of the caller's.
#[track_caller]
pub fn every_scenario_succeeds_on(
    fleet: &Fleet,
    mut command: Command,
    least: usize,
    pending: &[&str],
) {
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
    let quiet = complaints.is_empty() || shown.contains("FAILED ");
    assert!(
        told >= least && quiet,
        "{command:?} tells of {told} scenarios, {least} are known: {}\n{shown}\n{complaints}\n\
         (has `make test` installed the libraries?)",
        ended.status
    );
}
