//! The monitor over shards that behave as no real one can be made to.

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use circlet::shard::health::State;
use circlet::shard::heartbeat::{MAX_ANSWER, MIN_GAP};

use crate::fleet::{Fake, alpha, at};
use crate::watch::Watch;

const PONG: &[u8] = b"+PONG\r\n";

#[test]
fn what_no_redis_would_say_ejects_with_words_for_it() {
    let endless = vec![b'+'; MAX_ANSWER + 1];
    for (says, cause) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "answered garbage: \"HTTP/1.1 400 Bad Request\""),
        (b"+PONG\r\n+PONG\r\n", "answered more than it was asked"),
        (b"-DENIED Redis is running in protected mode\r\n", "-DENIED Redis is running in"),
        (b"-MASTERDOWN Link with MASTER is down\r\n", "replica without its master"),
        (b"", "closed the connection instead of answering"),
        (b"+PON", "no answer to PING in 300 ms"),
        (&endless, "more than 64 KiB"),
    ] {
        let (fake, sound) = (Fake::start(says), Fake::start(PONG));
        let watch = Watch::start(&alpha(vec![at(fake.port), at(sound.port)], |_| {}));
        watch.until_state(0, State::Ejected);
        assert!(watch.health(0).cause.contains(cause), "{:?}", watch.health(0));
        assert_eq!(watch.state(1), State::Live);
    }
}

#[test]
fn only_a_connection_in_step_is_asked_again() {
    let (odd, sound) = (Fake::start(b"+OK\r\n"), Fake::start(PONG));
    let _watch = Watch::start(&alpha(vec![at(odd.port), at(sound.port)], |_| {}));
    sleep(Duration::from_millis(600));
    let count =
        |fake: &Fake| (fake.heard.lock().unwrap().len(), fake.accepted.load(Ordering::Relaxed));
    let ((odd_heard, odd_accepted), (heard, accepted)) = (count(&odd), count(&sound));
    assert!(odd_heard > 2 && odd_accepted >= odd_heard, "{odd_heard} on {odd_accepted}");
    assert!(heard > 2 && accepted == 1, "{heard} on {accepted}");
}

#[test]
fn a_flapping_shard_waits_longer_each_time() {
    let (fake, sound) = (Fake::start(PONG), Fake::start(PONG));
    let watch = Watch::start(&alpha(vec![at(fake.port), at(sound.port)], |pool| {
        pool.server_retry_timeout = Duration::from_millis(300);
    }));
    for wait in ["300 ms", "600 ms", "1.2 s"] {
        fake.say(b"-LOADING Redis is loading the dataset in memory\r\n");
        watch.until_state(0, State::Ejected);
        watch.until_log(&format!("earliest return in {wait}"));
        fake.say(PONG);
        watch.until_state(0, State::Live);
    }
}

#[test]
fn a_storm_of_failures_is_no_storm_of_heartbeats() {
    let fake = Fake::start(PONG);
    let watch = Watch::start(&alpha(vec![at(fake.port)], |pool| {
        pool.heartbeat_interval = Duration::from_secs(3600);
        pool.server_failure_limit = 1_000_000;
    }));
    for _ in 0..1000 {
        watch.fail(0);
        sleep(Duration::from_millis(1));
    }
    let heard = fake.heard.lock().unwrap();
    assert!(heard.len() >= 5, "the failures are looked into: {}", heard.len());
    // Two arrivals may be closer than their departures by what the scheduler takes.
    let early = heard.windows(2).filter(|pair| pair[1] - pair[0] < MIN_GAP / 2).count();
    assert_eq!(early, 0, "{heard:?}");
}

#[test]
fn an_interval_of_zero_is_the_shortest_there_is() {
    let fake = Fake::start(PONG);
    let _watch = Watch::start(&alpha(vec![at(fake.port)], |pool| {
        pool.heartbeat_interval = Duration::ZERO;
    }));
    sleep(Duration::from_secs(1));
    let heard = fake.heard.lock().unwrap().len();
    assert!((3..=12).contains(&heard), "{heard} heartbeats in a second");
}
