//! Nothing is lost, mixed up or left behind while everything fails: hundreds of clients that know what
//! each of their keys must hold, and faults drawn from a seed.
//!
//! ```text
//!   client ──▶ proxy ──▶ wire (resets, delays, cuts, black holes) ──▶ shard (killed, stopped)
//!     │ knows what it wrote, what was acknowledged, and what nobody told
//!     └─ compares each reply with what it must be, and at the end all keys
//! ```
//!
//! `CHAOS_SEED` repeats the faults and what clients draw; `CHAOS_SECONDS`, `CHAOS_CLIENTS` and
//! `CHAOS_THINK_MS` change the size. [`soak`] is `make soak`. That the harness is able to complain is
//! shown in [`planted`].

mod answer;
mod checks;
mod client;
mod connection;
mod episodes;
mod faults;
mod fleet;
mod judging;
mod liar;
mod namespace;
mod planted;
mod reckoning;
mod record;
mod run;
mod scene;
mod serving;
mod session;
mod shared;
mod state;
mod talk;
mod together;
mod value;
mod verdict;
mod waiting;
mod wire;
mod wording;

use std::time::{Duration, Instant};

use run::{Plan, Run};
use verdict::Figures;

/// Both kinds of pools at once, a hundred clients each.
#[test]
fn nothing_is_lost_or_mixed_up_while_everything_fails() {
    let seconds = from_environment("CHAOS_SECONDS", 80);
    let figures = survive(plan(true), Duration::from_secs(seconds));
    assert!(figures.requests > 1_000 && figures.checked > 500, "the clients did little");
    assert!(figures.faults.values().sum::<u64>() > 10, "the faults did little");
    assert!(figures.wrong.is_empty(), "{}", figures.told.join("\n"));
}

/// As long as one asks, with a summary every minute; nutcracker's findings are told, not failed for.
#[test]
#[ignore = "it is `make soak`"]
fn soak() {
    let is_circlet = std::env::var("CHAOS_PROXY").as_deref() != Ok("nutcracker");
    let seconds = from_environment("CHAOS_SECONDS", 600);
    let figures = survive(plan(is_circlet), Duration::from_secs(seconds));
    assert!(figures.wrong.is_empty() || !is_circlet, "{}", figures.told.join("\n"));
}

fn plan(is_circlet: bool) -> Plan {
    Plan {
        seed: from_environment("CHAOS_SEED", fastrand::u64(..1 << 32)),
        clients: from_environment("CHAOS_CLIENTS", 200) as usize,
        think: Duration::from_millis(from_environment("CHAOS_THINK_MS", 500)),
        is_circlet,
        ejects: true,
        shards: 3,
        patience: Duration::from_secs(30),
        liar: None,
    }
}

/// Rounds of at most a minute; after each all that was written is compared, and the proxy is at rest
/// as before.
fn survive(plan: Plan, length: Duration) -> Figures {
    let seed = plan.seed;
    let who = if plan.is_circlet { "circlet" } else { "nutcracker" };
    println!("chaos: {who}, CHAOS_SEED={seed}, {} clients, {length:?}", plan.clients);
    let mut run = Run::start(plan);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    run.round(WARM_UP, seed ^ 1, false);
    let calm = run.book.figures().errors.clone();
    println!("chaos: errors without a fault: {calm:?}");
    let before = runtime.block_on(run.rest());
    let start = Instant::now();
    for round in 0.. {
        let left = length.saturating_sub(start.elapsed());
        if left < SHORTEST {
            break;
        }
        run.clear();
        run.round(left.min(MINUTE), seed.wrapping_add(round * 104_729), true);
        runtime.block_on(run.expect_rest(before));
        println!("chaos: after {:.0} s\n{}", start.elapsed().as_secs_f64(), run.book.figures());
    }
    run.book.figures().clone()
}

fn from_environment(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

const WARM_UP: Duration = Duration::from_secs(6);
const MINUTE: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(3);
