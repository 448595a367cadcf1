//! The race: circlet against other proxies and against none, on the same shards and load.
//!
//! ```text
//!                   ┌▶ circlet ────┐
//!  redis-benchmark ─┼▶ nutcracker ─┼▶ three redis-server
//!   (one at a time, ├▶ envoy ──────┘
//!    interleaved)   ├▶ haproxy ─────▶ the first of them
//!                   └───────────────▶ the first of them
//! ```
//!
//! The figure that counts is the CPU time that the proxy spends on one request: on a machine whose
//! cores load generator, shards and proxy share, requests per second say more about the machine.
//! Rounds of all contestants alternate, so that whatever else the machine does meets all of them;
//! every figure is the median over the rounds.
//!
//! Settings, all from the environment: `RACE_ROUNDS` (5), `RACE_SECONDS` a round (1),
//! `RACE_ONLY` workloads and `RACE_PROXIES` contestants by name, separated by commas,
//! `RACE_CIRCLET` another circlet to compare with (it runs as `parent`), `RACE_ENVOY` the path of
//! Envoy. `make bench` installs the others and starts this.

mod contestants;
mod idle;
mod load;
mod measure;
mod picture;
mod report;
mod scenes;
mod workloads;

// The tests' harness starts real processes and ends them; the race needs the same.
#[path = "../../tests/suite/harness/mod.rs"]
mod harness;

use std::collections::BTreeMap;
use std::time::Duration;

use contestants::{Contestant, Entry};
use harness::Shard;
use idle::Past;
use load::Outcome;
use scenes::Scenes;
use workloads::Workload;

/// All that was measured.
#[derive(Debug, Default)]
pub struct Race {
    /// Contestants in the order of the columns.
    pub contestants: Vec<String>,
    /// Workloads in the order of the rows.
    pub workloads: Vec<&'static Workload>,
    /// Medians by workload and contestant.
    pub results: BTreeMap<(&'static str, String), Outcome>,
    /// Bytes that one idle connection adds to the resident memory.
    pub idle_bytes: BTreeMap<(Past, String), f64>,
    /// Transactions and subscribers, when they were asked for (`scenes` in `RACE_ONLY`).
    pub scenes: Option<Scenes>,
    /// How many rounds each median is taken over.
    pub rounds: usize,
}

fn main() {
    // `cargo test --all-targets` runs benches too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("the race is run by `make bench`");
        return;
    }
    measure::raise_file_limit();
    let rounds = number("RACE_ROUNDS", 5.0) as usize;
    let seconds = Duration::from_secs_f64(number("RACE_SECONDS", 1.0));
    let shards = Shard::several(3);
    let mut field = enter(&shards);
    let mut race = Race { rounds, ..Race::default() };
    race.contestants = field.iter().map(|one| one.name.clone()).collect();
    for workload in workloads::ALL.iter().filter(|one| listed("RACE_ONLY", one.name)) {
        println!("\n{}", workload.title);
        workload.fill(&shards);
        race.workloads.push(workload);
        run(workload, &mut field, rounds, seconds, &mut race);
    }
    if listed("RACE_ONLY", "scenes") {
        race.scenes = Some(scenes::play(&field, &shards, rounds));
    }
    drop(field);
    for (entry, past) in entries().iter().flat_map(|entry| Past::ALL.map(|past| (entry, past))) {
        if let Some(bytes) = idle::bytes_per_connection(entry, &shards, past) {
            println!("{:>12}: {:.1} KiB each of {}", entry.name, bytes / 1024.0, past.title());
            race.idle_bytes.insert((past, entry.name.clone()), bytes);
        }
    }
    report::publish(&race);
}

/// One workload: a warm-up that sizes the rounds, the rounds, and one that counts system calls.
fn run(
    workload: &'static Workload,
    field: &mut [Contestant],
    rounds: usize,
    seconds: Duration,
    race: &mut Race,
) {
    let mut running = Vec::new();
    for contestant in field.iter_mut().filter(|one| workload.is_for(one)) {
        match load::requests_for(workload, contestant, seconds) {
            Ok(requests) => running.push((contestant, requests, Vec::new())),
            Err(fault) => println!("{:>12}: does not take part: {fault}", contestant.name),
        }
    }
    for round in 0..rounds {
        let first = round % running.len().max(1);
        running.rotate_left(first);
        for (contestant, requests, outcomes) in &mut running {
            match load::round(workload, contestant, *requests) {
                Ok(outcome) => outcomes.push(outcome),
                Err(fault) => println!("{:>12}: a round failed: {fault}", contestant.name),
            }
        }
        running.rotate_right(first);
    }
    for (contestant, _, outcomes) in running {
        let Some(mut outcome) = Outcome::median(&outcomes) else { continue };
        outcome.calls = measure::calls_per_request(workload, contestant);
        println!("{}", outcome.line(&contestant.name));
        race.results.insert((workload.name, contestant.name.clone()), outcome);
    }
}

/// Starts everybody who is asked for and can start.
fn enter(shards: &[Shard]) -> Vec<Contestant> {
    let mut field = Vec::new();
    for entry in entries() {
        match entry.start(shards) {
            Ok(contestant) => field.push(contestant),
            Err(fault) => println!("{} does not take part: {fault}", entry.name),
        }
    }
    field
}

fn entries() -> Vec<Entry> {
    contestants::all().into_iter().filter(|entry| listed("RACE_PROXIES", &entry.name)).collect()
}

/// Whether the comma-separated list in `variable` names `name`, or there is no list.
fn listed(variable: &str, name: &str) -> bool {
    match std::env::var(variable) {
        Ok(list) if !list.is_empty() => list.split(',').any(|one| one.trim() == name),
        _ => true,
    }
}

fn number(variable: &str, default: f64) -> f64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: a number")))
}
