//! What every integration test stands on: real Redis servers, the real circlet, the real
//! nutcracker, and a client that shares no line with what it tests.
//!
//! ```text
//!   Client ──bytes──▶ Circlet | Nutcracker ──▶ Shard (redis-server) | FakeShard (a closure)
//! ```
//!
//! Every value owns its process and takes it along when it is dropped; a test program that is
//! killed takes all of them along too. Addresses are free ones, found at start-up.

// Every test program compiles the whole harness and uses a part of it.
#![allow(dead_code, unused_imports)]

mod address;
mod client;
mod fake_shard;
mod process;
mod proxy;
mod relay;
mod shard;
mod web;
mod wire;

pub use address::{Address, free_port};
pub use client::{Client, raw, say};
pub use fake_shard::{FakeConnection, FakeShard, honest};
pub use process::{Process, process_runs};
pub use proxy::{CIRCLET, Circlet, Nutcracker, Proxy, Refused, pool_yaml};
pub use relay::Relay;
pub use shard::Shard;
pub use web::{Page, ask, ask_as, get};
pub use wire::{Reply, encode, read_command, read_reply};

use std::time::{Duration, Instant};

/// How long anything that must happen may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds; panics with `what` when it does not within [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(within(PATIENCE, &mut condition), "did not happen within {PATIENCE:?}: {what}");
}

/// Whether `condition` comes to hold within `limit`.
pub fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
