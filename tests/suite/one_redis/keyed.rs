//! Every command of redis-server 7.0 that has keys, on keys of one shard.

use std::collections::BTreeSet;

use circlet::command::{Handling, Keys, table};

use super::{Pair, assert_same, words};
use crate::harness::Client;

#[test]
fn every_keyed_command_replies_as_redis_does_in_resp2() {
    run(Pair::start());
}

#[test]
fn every_keyed_command_replies_as_redis_does_in_resp3() {
    let mut pair = Pair::start();
    pair.speak_resp3();
    run(pair);
}

#[test]
fn every_keyed_command_of_redis_7_0_has_a_sample() {
    let sampled: BTreeSet<String> = samples("t", b"").into_iter().map(|s| s.name()).collect();
    let served = |handling| {
        use Handling::{Keyed, KeyedUnlessBlocking, Sort, Split};
        matches!(handling, Keyed | KeyedUnlessBlocking | Sort | Split)
    };
    let keyed: Vec<&str> = table::all()
        .filter(|spec| spec.keys != Keys::None && served(spec.handling) && is_in_7_0(spec.since))
        .map(|spec| spec.name)
        .collect();
    assert!(keyed.len() > 170, "redis-server 7.0 has more keyed commands than {}", keyed.len());
    let lacking: Vec<&&str> = keyed.iter().filter(|name| !sampled.contains(**name)).collect();
    assert!(lacking.is_empty(), "without a sample: {lacking:?}");
}

fn is_in_7_0(since: &str) -> bool {
    let mut numbers = since.split('.').map(|part| part.parse::<u32>().expect("a version"));
    (numbers.next(), numbers.next()) <= (Some(7), Some(0))
}

/// All samples in one pipeline, with tags that live on every shard.
fn run(mut pair: Pair) {
    let dump = dump(&mut pair.direct);
    for tag in pair.key_on_each_shard("tag") {
        pair.clear();
        let samples = samples(&tag, &dump);
        let commands: Vec<Vec<Vec<u8>>> = samples.iter().map(|s| s.arguments.clone()).collect();
        let replies = pair.replies(&commands);
        for (sample, [ours, theirs]) in samples.iter().zip(&replies) {
            sample.check(ours, theirs);
        }
        pair.all_same(&["DBSIZE", "SELECT 3", "DBSIZE", "SELECT 0"]);
    }
}

/// What DUMP makes of a string.
fn dump(direct: &mut Client) -> Vec<u8> {
    direct.command(&["SET", "dumped", "from afar"]);
    let dump = direct.command(&["DUMP", "dumped"]).bytes().to_vec();
    direct.command(&["DEL", "dumped"]);
    dump
}

struct Sample {
    arguments: Vec<Vec<u8>>,
    is_error: bool,
    tells_time: bool,
}

impl Sample {
    /// As the command table calls it.
    fn name(&self) -> String {
        let word = |at: usize| String::from_utf8_lossy(&self.arguments[at]).to_lowercase();
        let spec = table::lookup(&self.arguments[0]).expect("a sample is a command");
        if spec.subcommands.is_empty() { word(0) } else { format!("{}|{}", word(0), word(1)) }
    }

    #[track_caller]
    fn check(&self, ours: &[u8], theirs: &[u8]) {
        if !self.tells_time {
            assert_same(&self.arguments, ours, theirs);
        }
        let (ours, theirs) = (kind(ours), kind(theirs));
        assert_same(&self.arguments, ours, theirs);
        let is_error = theirs.starts_with(b"-");
        assert_eq!(is_error, self.is_error, "does the sample do what it says? {}", self.name());
    }
}

/// The first line, or of an integer only that it is one.
fn kind(reply: &[u8]) -> &[u8] {
    let end = reply.iter().position(|&byte| byte == b'\r').unwrap_or(reply.len());
    if reply.starts_with(b":") { &reply[..1] } else { &reply[..end] }
}

fn samples(tag: &str, dump: &[u8]) -> Vec<Sample> {
    let lines = include_str!("samples.txt").lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let argument = |word: String| match word.strip_prefix('%') {
        _ if word == "@dump" => dump.to_vec(),
        Some(key) => format!("{{{tag}}}{key}").into_bytes(),
        None => word.into_bytes(),
    };
    let parse = |line: &str| {
        let mark = line.split(' ').next().filter(|mark| matches!(*mark, "!" | "~"));
        let command = words(&line[mark.map_or(0, str::len)..]);
        Sample {
            arguments: command.into_iter().map(argument).collect(),
            is_error: mark == Some("!"),
            tells_time: mark == Some("~"),
        }
    };
    lines.map(parse).collect()
}
