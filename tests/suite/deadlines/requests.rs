//! Many clients on one link, one of them with slow commands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{PATIENT, SLACK, TIMEOUT, busy, one_worker};
use crate::harness::{Proxy, Reply, Shard, encode, eventually};

/// What one client saw.
#[derive(Default)]
struct Seen {
    served: u32,
    timed_out: u32,
}

/// A failed assertion must not leave the clients at work.
struct EndsThem<'a>(&'a AtomicBool);

impl Drop for EndsThem<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn only_what_waited_past_its_timeout_fails_and_nobody_reads_anothers_reply() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, PATIENT);
    let connections = connections(&shards[0]);
    let ended = AtomicBool::new(false);
    let seen: Vec<Seen> = scope(|scope| {
        let ends = EndsThem(&ended);
        let clients: Vec<_> = (0..19)
            .map(|name| {
                let (proxy, ended) = (&proxy, &ended);
                scope.spawn(move || pipelines(proxy, name, ended))
            })
            .collect();
        let mut slow = proxy.client();
        for _ in 0..3 {
            let sent = Instant::now();
            let reply = slow.command(&busy(0.7));
            expect_timed_out(&reply, sent);
            // Its own late reply is dropped: it reads what it asks next.
            let mark = format!("slow {sent:?}");
            eventually("it is served", || slow.command(&["SET", "slow", &mark]) == Reply::ok());
            assert_eq!(slow.command(&["GET", "slow"]), Reply::bulk(&mark));
            sleep(Duration::from_millis(200));
        }
        drop(ends);
        clients.into_iter().map(|client| client.join().expect("no client panics")).collect()
    });
    for seen in &seen {
        assert!(seen.served > 0 && seen.timed_out > 0, "{} and {}", seen.served, seen.timed_out);
    }
    assert_eq!(self::connections(&shards[0]), connections + 2, "one link, and this question");
    let log = proxy.log();
    assert!(log.contains("requests to shard timed out"), "{log}");
    assert!(!log.contains("link to shard failed"), "{log}");
}

/// Reads and writes keys of its own whose values say which they are.
fn pipelines(proxy: &Proxy, name: usize, ended: &AtomicBool) -> Seen {
    let mut rng = Rng::with_seed(name as u64);
    let mut client = proxy.client();
    let mut seen = Seen::default();
    let mut count = 0;
    while !ended.load(Ordering::SeqCst) {
        let mut bytes = Vec::new();
        let keys: Vec<String> = (0..rng.usize(1..8))
            .map(|_| {
                count += 1;
                format!("{name}:{count}")
            })
            .collect();
        for key in &keys {
            bytes.extend(encode(&["SET", key, key]));
            bytes.extend(encode(&["GETDEL", key]));
        }
        let sent = Instant::now();
        client.send(&bytes);
        for key in &keys {
            for expected in [Reply::ok(), Reply::bulk(key)] {
                match client.read_reply() {
                    reply if reply == expected => {
                        assert!(sent.elapsed() < TIMEOUT + SLACK, "{:?}", sent.elapsed());
                        seen.served += 1;
                    }
                    reply => {
                        expect_timed_out(&reply, sent);
                        seen.timed_out += 1;
                    }
                }
            }
        }
        sleep(Duration::from_millis(rng.u64(0..10)));
    }
    seen
}

#[track_caller]
pub fn expect_timed_out(reply: &Reply, sent: Instant) {
    let waited = sent.elapsed();
    let text = reply.error().unwrap_or_else(|| panic!("{reply} after {waited:?}"));
    assert!(text.starts_with("ERR Connection timed out (shard 'a' of pool 'pool'"), "{text}");
    assert!(waited >= TIMEOUT - Duration::from_millis(20), "after {waited:?}");
    assert!(waited < TIMEOUT + SLACK, "after {waited:?}");
}

/// How many connections the shard has accepted, this one included.
fn connections(shard: &Shard) -> u64 {
    let info = shard.client().command(&["INFO", "stats"]);
    let text = String::from_utf8_lossy(info.bytes()).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|count| count.trim().parse().ok()).expect("Redis tells")
}

/// The link is full, so that a client's pipeline waits here: from when it was read.
#[test]
fn what_waits_before_it_is_sent_waits_since_it_arrived() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, &format!("{PATIENT}\nlink_output_limit: 64kb"));
    let (mut fills, mut client) = (proxy.client(), proxy.client());
    client.command(&["SET", "k", "v"]);
    shards[0].stop();
    // Not so large that it would travel apart.
    let filling = encode(&["SET", "large", &"L".repeat(200_000)]).repeat(60);
    scope(|scope| {
        scope.spawn(|| drop(fills.try_send(&filling)));
        eventually("a lot is sent", || proxy.shard_stat("pool", "a", "request_bytes") > 1 << 20);
        // The kernel has taken what it takes.
        sleep(Duration::from_millis(300));
        let sent = Instant::now();
        client.send(&encode(&["GET", "k"]).repeat(50));
        for number in 0..50 {
            let reply = client.read_reply();
            let text = reply.error().unwrap_or_else(|| panic!("{number}: {reply}"));
            assert!(text.starts_with("ERR Connection timed out ("), "{number}: {text}");
            assert_eq!(text.ends_with("it was not sent)"), number > 0, "{number}: {text}");
        }
        assert!(sent.elapsed() < TIMEOUT + SLACK, "after {:?}", sent.elapsed());
        shards[0].cont();
        eventually("it is served", || client.command(&["GET", "k"]) == Reply::bulk("v"));
    });
}

/// What a client says behind a BLPOP of its own waits for that, and for nobody's fault.
#[test]
fn what_a_client_lets_wait_itself_does_not_count() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, PATIENT);
    let mut client = proxy.client();
    client.send(&[encode(&["BLPOP", "none", "1.2"]), encode(&["SET", "k", "v"])].concat());
    sleep(Duration::from_millis(100));
    client.send(&encode(&["GET", "k"]));
    assert_eq!(client.read_reply(), Reply::Nil);
    assert_eq!(client.read_reply(), Reply::ok());
    assert_eq!(client.read_reply(), Reply::bulk("v"));

    client.command(&["CLIENT", "PAUSE", "900"]);
    client.send(&[encode(&["SET", "k", "w"]), encode(&["GET", "k"])].concat());
    assert_eq!(client.read_reply(), Reply::ok());
    assert_eq!(client.read_reply(), Reply::bulk("w"));
}
