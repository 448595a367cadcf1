//! A shard that goes does not take those along that stand in for it.

mod budget;
mod open_loop;
mod pacer;
mod scene;

use std::time::Duration;

use crate::harness::Circlet;
use open_loop::Outcome;
use scene::{Course, Fleet};

/// `make bench-cascade` is the same with five shards, for longer, and with nutcracker beside it.
#[test]
fn what_is_native_to_the_stand_ins_is_held_up_little() {
    let run = |settings: &'static str| {
        std::thread::spawn(move || {
            let fleet = Fleet::start(3, 2, Duration::from_millis(20));
            let circlet = Circlet::with_arguments(&fleet.config(settings), &["--threads", "1"]);
            let course =
                fleet.run(&circlet, Duration::from_millis(8_000), Duration::from_millis(4_000));
            let refused = circlet.pool_stat("pool", "displaced_refused");
            let told = course.samples.iter().filter(|one| one.outcome == Outcome::Refused);
            assert_eq!(refused as usize, told.count());
            course
        })
    };
    let (guarded, open) = (run(PATIENT), run(PATIENT_AND_OPEN));
    let (guarded, open) = (guarded.join().expect("it ran"), open.join().expect("it ran"));
    let half = |course: &Course, from, to| course.served_ms(from, to, 50).expect("some are served");
    let end = |course: &Course| half(course, 3.0, 4.0);
    for (name, course) in [("guarded", &guarded), ("without", &open)] {
        println!(
            "{name}: half of the native requests within {:.1} ms before, {:.1} ms in the fourth \
             second after; of displaced ones {} served, {} refused, {} failed",
            half(course, -4.0, 0.0),
            end(course),
            course.displaced_count(Outcome::Served),
            course.displaced_count(Outcome::Refused),
            course.displaced_count(Outcome::Failed),
        );
    }
    assert_eq!(open.displaced_count(Outcome::Refused), 0, "0 is no limit");
    assert!(guarded.displaced_count(Outcome::Refused) > 0);
    assert!(guarded.displaced_count(Outcome::Served) > 0, "what there is room for is served");
    let all_served = guarded.native(-4.0, 4.0).all(|one| one.outcome == Outcome::Served);
    assert!(all_served, "no native request is refused");
    assert!(end(&guarded) * 6.0 < end(&open), "{} and {} ms", end(&guarded), end(&open));
}

/// A stand-in that is late is not taken for dead: its latency is to be seen.
const PATIENT: &str = "heartbeat_timeout: 20000";
const PATIENT_AND_OPEN: &str = "heartbeat_timeout: 20000\ndisplaced_limit: 0";
