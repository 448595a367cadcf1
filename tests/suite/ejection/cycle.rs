//! One fault from strike to readmission, under load, through circlet and nutcracker at once.

use std::collections::{HashMap, HashSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::load::{self, Load, Plan, Tally};
use super::placement;
use crate::harness::{Circlet, Nutcracker, Proxy, Shard, pool_yaml};

/// How the first shard breaks and how it is mended.
pub struct Fault<'a> {
    pub name: &'a str,
    pub strike: &'a dyn Fn(),
    pub mend: &'a dyn Fn(),
}

/// What both proxies are set to; circlet's heartbeats are as by default.
const SETTINGS: &str = "hash: md5
    auto_eject_hosts: true
    server_failure_limit: 2
    server_retry_timeout: 600
    timeout: 1000";

/// The moments of a cycle.
struct Moments {
    struck: Instant,
    /// circlet's log says so.
    ejected: Instant,
    mended: Instant,
    ended: Instant,
}

/// Strikes the first of `shards`, which both proxies reach by the server line `victim`, waits for
/// several retry cycles, mends it, and checks what circlet's clients saw.
pub fn cycle(shards: &[Shard], victim: String, fault: &Fault<'_>) {
    let servers = [victim, shards[1].server(1, Some("b")), shards[2].server(1, Some("c"))];
    let circlet = Circlet::with_config(&pool_yaml("pool", &servers, SETTINGS));
    let nutcracker = Nutcracker::with_config(&pool_yaml("pool", &servers, SETTINGS));
    let (ours, homes) = plan("circlet", &circlet, shards);
    let (theirs, their_homes) = plan("nutcracker", &nutcracker, shards);
    let (our_load, their_load) = (Load::start(&ours), Load::start(&theirs));

    sleep(Duration::from_millis(500));
    let struck = Instant::now();
    (fault.strike)();
    circlet.expect_log("ejected after");
    let ejected = Instant::now();
    sleep(DEAD);
    let moved = placement::moved(shards, &homes, 0);
    let their_moved = placement::moved(shards, &their_homes, 0);
    let mended = Instant::now();
    (fault.mend)();
    circlet.expect_log("readmitted after");
    sleep(Duration::from_millis(1_000));

    let moments = Moments { struck, ejected, mended, ended: Instant::now() };
    let tally = our_load.finish();
    print_row(fault.name, "circlet", &tally, &moments, moved.len());
    print_row(fault.name, "nutcracker", &their_load.finish(), &moments, their_moved.len());
    check(&tally, &moments, &homes, &circlet);
    assert!(moved.is_empty(), "keys of live shards moved: {moved:?}");
    check_home_again(&circlet, shards, &homes);
}

fn plan(name: &'static str, proxy: &Proxy, shards: &[Shard]) -> (Plan, HashMap<String, usize>) {
    let homes = placement::seed(proxy, shards, &load::keys(name));
    let doubtful: HashSet<String> =
        homes.iter().filter(|(_, home)| **home == 0).map(|(key, _)| key.clone()).collect();
    assert!(doubtful.len() > homes.len() / 10 && doubtful.len() < homes.len() / 2, "a fair share");
    let echo = name == "circlet";
    (Plan { name, address: proxy.address(), echo, doubtful }, homes)
}

fn check(tally: &Tally, at: &Moments, homes: &HashMap<String, usize>, circlet: &Proxy) {
    assert!(tally.wrong.is_empty(), "replies to the wrong request: {:#?}", tally.wrong);
    assert_eq!(tally.broken, 0, "no client is disconnected");
    for failure in &tally.failures {
        let key = &failure.key;
        assert_eq!(homes[key], 0, "a live shard's key {key} failed: {}", failure.text);
        let says_who = failure.text.contains("shard 'a' of pool 'pool'");
        assert!(failure.text.starts_with("ERR ") && says_who, "{}", failure.text);
    }
    let settled = at.ejected + SLACK;
    let late = tally.failures_between(settled, at.ended);
    assert_eq!(late, 0, "errors after the ejection; the log:\n{}", circlet.log());
    let waited = tally.longest_wait(settled, at.mended);
    assert!(waited < 3 * TIMEOUT, "a dead shard made clients wait {waited:?}");
    assert_eq!(tally.failures_between(at.mended, at.ended), 0, "the return costs no error");
    assert!(at.ejected - at.struck < LONGEST_TO_EJECT, "{:?}", at.ejected - at.struck);
    let log = circlet.log();
    assert_eq!(log.matches("ejected after").count(), 1, "nobody else, and once:\n{log}");
}

/// After its return the shard has its keys again, and the others have none of their own elsewhere.
fn check_home_again(circlet: &Proxy, shards: &[Shard], homes: &HashMap<String, usize>) {
    let mut client = circlet.client();
    for (key, &home) in homes {
        let value = format!("{key}#home#");
        assert_eq!(client.command(&["SET", key, &value]).bytes(), b"OK");
        assert_eq!(shards[home].client().command(&["GET", key]).bytes(), value.as_bytes());
    }
}

fn print_row(fault: &str, who: &str, tally: &Tally, at: &Moments, moved: usize) {
    let retried = at.struck + at.ejected.duration_since(at.struck).max(RETRY);
    // Those in flight when it was struck were sent before.
    let at_death = tally.failures.iter().filter(|failure| failure.sent < retried).count();
    let later = tally.failures_between(retried, at.mended);
    let cycles = (at.mended - retried).as_secs_f64() / RETRY.as_secs_f64();
    println!(
        "{fault:<16} | {who:<10} | errors at death {at_death:>4} | per retry cycle {:>5.1} | \
         after the return {:>3} | longest wait while out {:>4} ms | \
         requests {:>6} | wrong {} | disconnected {} | live keys moved {moved} | \
         circlet ejected after {} ms",
        later as f64 / cycles,
        tally.failures_between(at.mended, at.ended),
        tally.longest_wait(retried, at.mended).as_millis(),
        tally.requests,
        tally.wrong.len(),
        tally.broken,
        (at.ejected - at.struck).as_millis(),
    );
}

/// As in [`SETTINGS`].
const TIMEOUT: Duration = Duration::from_millis(1_000);
const RETRY: Duration = Duration::from_millis(600);
/// How long the shard stays broken after its ejection: seven retry cycles.
const DEAD: Duration = Duration::from_millis(4_200);
/// From the log line to the last worker that knows, on a busy machine.
const SLACK: Duration = Duration::from_millis(250);
/// Two heartbeats that time out, on a busy machine.
const LONGEST_TO_EJECT: Duration = Duration::from_secs(8);
