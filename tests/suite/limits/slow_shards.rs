//! A shard that hangs with its port open: what waits for it is bounded, and others go on.

use std::time::{Duration, Instant};

use super::{key_on, one_worker};
use crate::harness::{Reply, Shard, encode, eventually};

#[test]
fn requests_for_a_stopped_shard_are_bounded_and_all_answered_later() {
    let shards = Shard::several(2);
    let proxy = one_worker(&shards, "link_output_limit: 1mb");
    let (slow, well) = (key_on(&proxy, &shards[0]), key_on(&proxy, &shards[1]));
    let before = proxy.memory();
    shards[0].stop();
    let value = "v".repeat(10_000);
    let sets = encode(&["SET", &slow, &value]).repeat(500);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = proxy.client();
                    client.send(&sets);
                    client.expect("+OK\r\n".repeat(500));
                })
            })
            .collect();
        eventually("requests are on the link", || proxy.shard_stat("pool", "a", "requests") > 100);
        std::thread::sleep(Duration::from_millis(500));
        let mut other = proxy.client();
        assert_eq!(other.command(&["GET", &well]), Reply::bulk("v"));
        let grown = proxy.memory().saturating_sub(before);
        assert!(grown < 32 << 20, "{grown} bytes of 100 MB wait here");
        assert!(senders.iter().all(|sender| !sender.is_finished()));
        shards[0].cont();
    });
    assert_eq!(proxy.client().command(&["GET", &slow]), Reply::bulk(&value));
}

#[test]
fn a_request_fails_after_timeout_and_its_shard_is_used_again() {
    let shards = Shard::several(2);
    let proxy = one_worker(&shards, "timeout: 400\nserver_failure_limit: 1000");
    let (slow, well) = (key_on(&proxy, &shards[0]), key_on(&proxy, &shards[1]));
    let mut client = proxy.client();
    shards[0].stop();
    let start = Instant::now();
    client.send(&encode(&["GET", &slow]));
    let mut other = proxy.client();
    assert_eq!(other.command(&["GET", &well]), Reply::bulk("v"));
    let reply = client.read_reply();
    let waited = start.elapsed();
    let text = reply.error().expect("the shard is stopped");
    assert!(text.starts_with("ERR Connection timed out (shard 'a' of pool 'pool'"), "{text}");
    assert!(waited >= Duration::from_millis(380), "after {waited:?}");
    assert!(waited < Duration::from_secs(8), "after {waited:?}");
    assert_eq!(proxy.shard_stat("pool", "a", "server_timedout"), 1);
    assert_eq!(other.command(&["GET", &well]), Reply::bulk("v"));

    shards[0].cont();
    eventually("its keys are served again", || client.command(&["GET", &slow]) == Reply::bulk("v"));
    // The late reply went nowhere.
    for _ in 0..100 {
        assert_eq!(client.command(&["ECHO", "mine"]), Reply::bulk("mine"));
        assert_eq!(client.command(&["GET", &slow]), Reply::bulk("v"));
    }
}
