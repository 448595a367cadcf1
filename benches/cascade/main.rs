//! The cascade: five shards, each loaded to three quarters of what it can do, and the largest dies.
//!
//! ```text
//!                  ┌▶ circlet ───────────────────┐     ┌▶ desk ▶ redis-server   ✝
//!  open-loop load ─┼▶ circlet, displaced_limit 0 ┼─▶ ──┼▶ desk ▶ redis-server
//!   (one at a time)└▶ nutcracker ────────────────┘     └▶ … (a desk serves one command after
//!                                                            the other, each in a fixed time)
//! ```
//!
//! The keys of the dead shard ask more of the others than these have left. What counts is what
//! becomes of the others' own keys: their latency, from the moment a request was meant to be sent.
//!
//! `CASCADE_SECONDS` (15) is how long it goes on after the death. `make bench-cascade` starts this.

mod picture;
mod report;

#[path = "../../tests/suite/harness/mod.rs"]
mod harness;
#[path = "../../tests/suite/cascade/open_loop.rs"]
mod open_loop;
#[path = "../../tests/suite/cascade/pacer.rs"]
mod pacer;
#[path = "../../tests/suite/cascade/scene.rs"]
mod scene;

use std::time::Duration;

use harness::{Circlet, Nutcracker, Proxy};
use scene::{Course, Fleet};

/// One proxy's course.
pub struct Ride {
    /// Its name in the report.
    pub name: &'static str,
    /// What its clients saw.
    pub course: Course,
}

/// Starts a proxy over a fleet.
type Start<'a> = &'a dyn Fn(&Fleet) -> Proxy;

/// Seconds of load before the death: circlet has to learn what is usual.
pub const BEFORE: u64 = 10;

fn main() {
    let given = std::env::var("CASCADE_SECONDS").ok();
    let after = given.map_or(15, |text| text.parse().expect("CASCADE_SECONDS: a number"));
    let circlet = |settings: &'static str| {
        move |fleet: &Fleet| Circlet::with_arguments(&fleet.config(settings), &["--threads", "2"])
    };
    let guarded = circlet("");
    let open = circlet("displaced_limit: 0");
    let nutcracker = |fleet: &Fleet| Nutcracker::with_config(&fleet.config(""));
    let entries: [(&str, Start); 3] = [
        ("circlet", &guarded),
        ("circlet, displaced_limit: 0", &open),
        ("nutcracker", &nutcracker),
    ];
    let mut rides = Vec::new();
    for (name, start) in entries {
        println!("{name} …");
        let fleet = Fleet::start(SHARDS, WEIGHT, SERVICE);
        let proxy = start(&fleet);
        let (before, after) = (Duration::from_secs(BEFORE), Duration::from_secs(after));
        rides.push(Ride { name, course: fleet.run(&proxy, before, after) });
    }
    report::publish(&rides, after);
}

const SHARDS: usize = 5;
/// The first shard has three times the keys of another, and three times its capacity: the others,
/// a quarter of which is left, would need another 56 %.
const WEIGHT: u32 = 3;
/// 500 commands a second.
const SERVICE: Duration = Duration::from_millis(2);
