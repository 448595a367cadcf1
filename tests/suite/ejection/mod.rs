//! A shard that dies, hangs, resets, slows down, and returns; and what that costs the clients.
//!
//! Debian's nutcracker runs beside circlet over the same shards and suffers the same faults; its
//! figures are printed (`cargo test --test suite ejection -- --nocapture`).

mod cycle;
mod load;
mod placement;
mod stays;

use std::time::Duration;

use crate::harness::{Relay, Shard};
use cycle::{Fault, cycle};

#[test]
fn killed_and_restarted() {
    let shards = Shard::several(3);
    let victim = shards[0].server(1, Some("a"));
    let fault =
        Fault { name: "kill -9", strike: &|| shards[0].kill9(), mend: &|| shards[0].restart() };
    cycle(&shards, victim, &fault);
}

#[test]
fn stopped_with_its_port_open_and_continued() {
    let shards = Shard::several(3);
    let victim = shards[0].server(1, Some("a"));
    let fault = Fault { name: "SIGSTOP", strike: &|| shards[0].stop(), mend: &|| shards[0].cont() };
    cycle(&shards, victim, &fault);
}

#[test]
fn its_connections_reset() {
    let shards = Shard::several(3);
    let relay = Relay::to(&shards[0]);
    let fault =
        Fault { name: "connection reset", strike: &|| relay.reset(), mend: &|| relay.pass() };
    cycle(&shards, relay.server(1, "a"), &fault);
}

#[test]
fn slower_than_the_timeouts() {
    let shards = Shard::several(3);
    let relay = Relay::to(&shards[0]);
    let slow = Duration::from_secs(3);
    let fault =
        Fault { name: "3 s too slow", strike: &|| relay.delay(slow), mend: &|| relay.pass() };
    cycle(&shards, relay.server(1, "a"), &fault);
}
