//! Every command of Redis, with arguments that make it do something, through circlet over three
//! shards and on one Redis: the same replies, byte for byte, in RESP2 and RESP3.
//!
//! ```text
//!   examples/*.txt ─▶ scenarios ─▶ steps ─┬─▶ circlet ─▶ three shards ─▶ bytes ─┐
//!                                         └─▶ one redis-server ────────▶ bytes ─┴─▶ compared
//! ```

mod compare;
mod scenario;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use scenario::{Keys, Mode, Scenario};
use stage::Stage;

use crate::harness::{Client, Reply, Shard};
use crate::one_redis::Pair;

#[test]
fn every_example_gets_the_same_reply_in_resp2() {
    play_all(Keys::Together, 2);
}

#[test]
fn every_example_gets_the_same_reply_in_resp3() {
    play_all(Keys::Together, 3);
}

#[test]
fn with_cross_shard_the_keys_of_an_example_may_live_anywhere() {
    play_all(Keys::Scattered, 3);
}

#[test]
fn wrong_arities_and_subcommands_get_the_same_error() {
    let mut pair = Pair::start();
    let (commands, containers) = commands(&mut pair.direct);
    let mut wrong: Vec<Vec<String>> = Vec::new();
    for (name, arity) in commands {
        let words: Vec<String> = name.split('|').map(str::to_uppercase).collect();
        let of_length = |length: i64| {
            let fill = (words.len() as i64..length).map(|index| format!("k{index}"));
            words.iter().cloned().chain(fill).collect()
        };
        if words.len() < arity.unsigned_abs() as usize {
            wrong.push(of_length(arity.abs() - 1));
        }
        if arity > 0 {
            wrong.push(of_length(arity + 1));
        }
    }
    // COMMAND alone is a command.
    for name in containers.into_iter().filter(|name| name != "command") {
        wrong.extend([vec![name.clone()], vec![name.clone(), "nosuch".into()]]);
        wrong.push(vec![name, "no\r\nsuch'".into(), "k".into()]);
    }
    assert!(wrong.len() > 400, "more commands than {} can be wrong", wrong.len());
    for resp3 in [false, true] {
        if resp3 {
            pair.speak_resp3();
        }
        for command in &wrong {
            let error = pair.same(command);
            assert!(error.starts_with(b"-"), "{command:?}");
        }
    }
}

#[test]
fn every_command_of_the_server_has_an_example() {
    let shard = Shard::start();
    let (commands, containers) = commands(&mut shard.client());
    let scenarios = scenarios();
    let steps = scenarios.iter().flat_map(|scenario| &scenario.steps);
    let shown: BTreeSet<String> = steps.filter_map(|step| step.command(&containers)).collect();
    let lacking: Vec<&String> = commands.keys().filter(|name| !shown.contains(*name)).collect();
    assert!(lacking.is_empty(), "without an example: {lacking:?}");
}

#[test]
fn exceptions_are_few_and_have_reasons() {
    let scenarios = scenarios();
    let mut exceptions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for step in scenarios.iter().flat_map(|scenario| &scenario.steps) {
        if let Mode::Exception { reason, .. } = &step.mode {
            exceptions.entry(reason).or_default().push(&step.text);
        }
    }
    let count: usize = exceptions.values().map(Vec::len).sum();
    println!("{count} exceptions, for {} reasons:", exceptions.len());
    for (reason, lines) in &exceptions {
        println!("  {reason}: {}", lines.join("; "));
    }
    assert!(count <= MOST_EXCEPTIONS, "{count} exceptions: {exceptions:#?}");
}

/// More would mean that circlet is no Redis to its clients.
const MOST_EXCEPTIONS: usize = 60;

fn play_all(keys: Keys, resp: u8) {
    let mut stage = Stage::new(keys, resp);
    let wanted = std::env::var("CIRCLET_EXAMPLES").ok();
    let is_wanted = |scenario: &&Scenario| match &wanted {
        Some(part) => scenario.name.contains(part),
        None => !PENDING.lines().any(|name| name == scenario.name),
    };
    let mut failures = Vec::new();
    let mut tags = stage.tags();
    for scenario in scenarios().iter().filter(is_wanted) {
        let outcome = (0..tags.len()).try_for_each(|_| {
            tags.rotate_left(1);
            stage.play(scenario, &tags)
        });
        failures.extend(outcome.err());
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{count} scenarios differ:\n{}", failures.join("\n"));
}

/// Scenarios that circlet cannot play yet; `CIRCLET_EXAMPLES=:` plays them too.
const PENDING: &str = include_str!("pending.txt");

/// Leaf commands with their arities, and the names of containers.
fn commands(client: &mut Client) -> (BTreeMap<String, i64>, Vec<String>) {
    let (mut leaves, mut containers) = (BTreeMap::new(), Vec::new());
    for command in client.command(&["COMMAND"]).elements() {
        let fields = command.elements();
        let name = String::from_utf8_lossy(fields[0].bytes()).into_owned();
        let subcommands = fields.get(9).map_or(&[][..], Reply::elements);
        if subcommands.is_empty() {
            leaves.insert(name, fields[1].integer());
            continue;
        }
        for subcommand in subcommands.iter().map(Reply::elements) {
            let name = String::from_utf8_lossy(subcommand[0].bytes()).into_owned();
            leaves.insert(name, subcommand[1].integer());
        }
        containers.push(name);
    }
    (leaves, containers)
}

/// Every command of the examples, its keys without hash tags: `%k` is `k`, `%%k` is `kk`.
pub fn examples() -> Vec<Vec<String>> {
    let filled = |word: &String| {
        let key = word.trim_start_matches('%');
        if word == key { word.clone() } else { key.repeat(word.len() - key.len()) }
    };
    let steps = scenarios().into_iter().flat_map(|scenario| scenario.steps);
    steps.filter_map(|step| Some(step.words()?.iter().map(filled).collect())).collect()
}

fn scenarios() -> Vec<Scenario> {
    FILES.iter().flat_map(|(file, text)| scenario::parse(file, text)).collect()
}

macro_rules! files {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("examples/", $name, ".txt"))),)*]
    };
}

const FILES: &[(&str, &str)] = files![
    "string",
    "generic",
    "hash",
    "list",
    "set",
    "sorted_set",
    "stream",
    "bitmap_hyperloglog_geo",
    "several_shards",
    "keyspace",
    "scripting",
    "transactions",
    "blocking",
    "pubsub",
    "connection",
    "server",
    "bad_input",
];
