//! Shard time is the shard's, and proxy time is not.

use std::time::Duration;

use super::{Metrics, over_servers, scrape};
use crate::harness::{Relay, Shard, encode, eventually, say};

/// The sum and the count of a shard's histogram.
fn times(metrics: &Metrics, name: &str, shard: &str) -> (f64, f64) {
    let of = |what: &str| {
        metrics
            .of(&format!("circlet_shard_{name}_seconds_{what}{{pool=\"pool\",shard=\"{shard}\"}}"))
    };
    (of("sum"), of("count"))
}

#[test]
fn a_slow_shard_shows_in_its_own_time_and_nowhere_else() {
    let (slow, quick) = (Shard::start(), Shard::start());
    let relay = Relay::to(&slow);
    let servers = [relay.server(1, "slow"), quick.server(1, Some("quick"))];
    let (circlet, port) = over_servers(&servers, "");
    let mut client = circlet.client();
    let keys = |metrics: &Metrics, shard: &str| times(metrics, "reply", shard).1;
    for key in 0..40 {
        say(&mut client, &format!("GET {key}:key:{key}"));
    }
    let before = scrape(port);
    relay.delay(DELAY);
    for key in 0..12 {
        say(&mut client, &format!("GET {key}:key:{key}"));
    }
    let after = scrape(port);
    let grown = |name, shard| {
        let (before, after) = (times(&before, name, shard), times(&after, name, shard));
        (after.0 - before.0, after.1 - before.1)
    };
    let requests = keys(&after, "slow") - keys(&before, "slow");
    assert!((2.0..11.0).contains(&requests), "both shards have keys: {requests}");
    let expected = requests * DELAY.as_secs_f64();
    let (reply, _) = grown("reply", "slow");
    assert!((expected..expected * 2.0).contains(&reply), "{reply} s of {expected}");
    // All that circlet itself spent is but a small part.
    for (name, shard) in [("queue", "slow"), ("queue", "quick"), ("reply", "quick")] {
        let (seconds, count) = grown(name, shard);
        assert!(
            seconds < count * DELAY.as_secs_f64() / 2.0,
            "{name} of {shard}: {seconds} s for {count} requests"
        );
    }
    let family = |metrics: &Metrics, name: &str| {
        let series = format!("circlet_command_{name}_seconds_sum");
        metrics.of(&format!("{series}{{pool=\"pool\",family=\"string\"}}"))
    };
    assert!(family(&after, "shard") - family(&before, "shard") >= expected);
    assert!(family(&after, "queue") - family(&before, "queue") < expected / 2.0);
    let long = |metrics: &Metrics| {
        let series =
            "circlet_shard_reply_seconds_bucket{pool=\"pool\",shard=\"slow\",le=\"0.0512\"}";
        keys(metrics, "slow") - metrics.of(series)
    };
    assert!(long(&after) - long(&before) >= requests, "each took longer than 51.2 ms");
}

#[test]
fn what_waits_here_is_queue_time_and_what_is_in_flight_is_seen() {
    let shard = Shard::start();
    let (circlet, port) = over_servers(&[shard.server(1, Some("one"))], "link_pipeline_limit: 1");
    let mut client = circlet.client();
    say(&mut client, "SET warm up");
    let before = times(&scrape(port), "queue", "one");
    // The second waits here until the first, which is slow, is answered, and the third for it.
    let sleep = encode(&[
        "EVAL",
        "local t = redis.call('TIME') local s = t[1] * 1000 + t[2] / 1000 repeat t = redis.call('TIME') until t[1] * 1000 + t[2] / 1000 - s > 120",
        "1",
        "k",
    ]);
    client.send(
        &[sleep, encode(&["GET", "a"]), encode(&["GET", "b"]), encode(&["GET", "c"])].concat(),
    );
    let mut seen = (0.0, 0.0);
    eventually("a request is in flight", || {
        let metrics = scrape(port);
        let gauge = |name: &str| {
            metrics.of(&format!("circlet_shard_in_flight_{name}{{pool=\"pool\",shard=\"one\"}}"))
        };
        seen = (gauge("requests"), gauge("bytes"));
        seen.0 > 0.0
    });
    assert!(seen.1 > 0.0, "its bytes are known");
    for _ in 0..4 {
        client.read_reply();
    }
    let after = times(&scrape(port), "queue", "one");
    assert!(after.0 - before.0 > 0.1, "{before:?} {after:?}");
}

#[test]
fn waiting_on_purpose_is_not_slowness() {
    let shard = Shard::start();
    let (circlet, port) = over_servers(&[shard.server(1, Some("one"))], "");
    let mut client = circlet.client();
    say(&mut client, "BLPOP nothing 0.3");
    let (seconds, _) = times(&scrape(port), "reply", "one");
    assert!(seconds < 0.2, "{seconds}");
}

/// Much longer than anything takes on a busy machine.
const DELAY: Duration = Duration::from_millis(100);
