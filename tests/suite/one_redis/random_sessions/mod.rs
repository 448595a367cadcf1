//! Random sequences over several connections: transactions, subscriptions, waiting, scripts, muted
//! replies, databases and both versions of RESP, one in the midst of the other.
//!
//! `SESSIONS=20000` plays so many sequences instead of a few; `SESSION_SEED=7` plays one.

mod play;
mod script;
mod step;

use std::time::{Duration, Instant};

use play::{Heard, Play};
use step::Step;

use super::Pair;

#[test]
fn clients_on_keys_of_one_shard() {
    play_many(&mut Pair::start(), true);
}

#[test]
fn clients_on_keys_of_all_shards() {
    play_many(&mut Pair::with("hash_tag: \"{}\"\ncross_shard: allow"), false);
}

fn play_many(pair: &mut Pair, tagged: bool) {
    for client in [&mut pair.through, &mut pair.direct] {
        let loaded = client.command(&["FUNCTION", "LOAD", LIBRARY]);
        assert_eq!(loaded.bytes(), b"mine");
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SESSION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SESSIONS").unwrap_or(SEQUENCES),
    };
    for seed in seeds {
        let (clients, steps) = script::write(seed, tagged);
        let [theirs, ours] = plays(pair, clients);
        if let Err(first) = play(theirs, ours, &steps) {
            let steps = shrunk(pair, clients, steps, &first);
            let shown: Vec<String> = steps.iter().map(Step::to_string).collect();
            panic!("SESSION_SEED={seed}\n{}\n{first}", shown.join("\n"));
        }
    }
}

fn plays(pair: &Pair, clients: usize) -> [Play<'_>; 2] {
    let theirs = Play::on_redis(&pair.single, clients);
    [theirs, Play::on_circlet(&pair.proxy, &pair.shards, clients)]
}

/// Plays a sequence on both; `Err` says after which step what differs.
fn play(mut theirs: Play<'_>, mut ours: Play<'_>, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        let (expected, waiting) = theirs.discover(step);
        let heard = ours.expect(step, &expected, waiting);
        for (client, (ours, theirs)) in heard.iter().zip(&expected).enumerate() {
            if ours != theirs {
                return Err(difference(step, client, ours, theirs));
            }
        }
    }
    Ok(())
}

fn difference(step: &Step, client: usize, ours: &Heard, theirs: &Heard) -> String {
    let name = ["A", "B", "C", "D"][client];
    let shown = |heard: &Heard| {
        let closed = if heard.is_closed { " closed" } else { "" };
        format!("{}{closed}", [&heard.replies[..], &heard.messages].concat().join(" | "))
    };
    format!("after {step}\n{name} reads\n  Redis {}\ncirclet {}", shown(theirs), shown(ours))
}

/// The sequence without the steps that this difference does not need.
fn shrunk(pair: &Pair, clients: usize, mut steps: Vec<Step>, difference: &str) -> Vec<Step> {
    let until = Instant::now() + SHRINK_FOR;
    for index in (0..steps.len()).rev() {
        if Instant::now() > until {
            break;
        }
        let mut fewer = steps.clone();
        fewer.remove(index);
        let [theirs, ours] = plays(pair, clients).map(Play::impatient);
        if play(theirs, ours, &fewer).is_err_and(|other| other == difference) {
            steps = fewer;
        }
    }
    steps
}

/// The sequences of one ordinary run.
const SEQUENCES: u64 = 60;
/// A sequence that differs is made shorter for so long.
const SHRINK_FOR: Duration = Duration::from_secs(60);
const LIBRARY: &str = "#!lua name=mine\nredis.register_function('mine', \
     function(keys) return redis.call('TYPE', keys[1]) end)";
