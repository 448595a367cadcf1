//! The memory of the whole process: it stays below `max_memory`, and goes back after a peak.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENT;
use crate::harness::{
    Circlet, Client, PATIENCE, Proxy, Reply, Shard, encode, eventually, pool_yaml,
};

const MIB: u64 = 1 << 20;

fn start(shard: &Shard, max_memory: &str) -> Proxy {
    let text = pool_yaml("pool", &[shard.server(1, Some("a"))], PATIENT);
    Circlet::with_arguments(&text, &["--threads", "2", "--max-memory", max_memory])
}

/// Asks and is answered until told to end; the longest wait.
fn asks_until(proxy: &Proxy, is_over: &AtomicBool) -> Duration {
    let mut client = proxy.client();
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        assert_eq!(client.command(&["SET", "small", "value"]), Reply::ok());
        assert_eq!(client.command(&["GET", "small"]), Reply::bulk("value"));
        longest = longest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(2));
    }
    longest
}

/// 800 MB are asked for and hardly read; those who ask for little are served meanwhile.
#[test]
fn clients_that_do_not_read_give_way_before_memory_is_out() {
    let shard = Shard::start();
    let value = vec![b'v'; 8 << 20];
    assert_eq!(shard.client().command(&[&b"SET"[..], b"large", &value]), Reply::ok());
    let proxy = start(&shard, "256mb");
    let is_over = AtomicBool::new(false);
    let longest = thread::scope(|scope| {
        let asker = scope.spawn(|| asks_until(&proxy, &is_over));
        let mut slow: Vec<Client> = Vec::new();
        for _ in 0..100 {
            // One that is turned away because memory is short is one that asks for nothing.
            let Ok(mut client) = Client::try_connect(&proxy.address()) else { continue };
            let _ = client.try_send(&encode(&["GET", "large"]));
            slow.push(client);
            thread::sleep(Duration::from_millis(5));
        }
        eventually("some had to go", || proxy.pool_stat("pool", "shed_clients") > 0);
        thread::sleep(Duration::from_millis(500));
        is_over.store(true, Ordering::Relaxed);
        asker.join().expect("it was served")
    });
    assert!(proxy.peak_memory() < 256 * MIB, "{} bytes at the peak", proxy.peak_memory());
    assert!(longest < PATIENCE, "waited {longest:?}");
    proxy.expect_log("client disconnected: it does not read its replies and max_memory is near");
    // Who reads gets all of it, now that there is room.
    eventually("memory is no longer short", || {
        let mut client = proxy.client();
        let reply = client.try_command(&["GET", "large"]);
        reply.is_ok_and(|reply| reply.error().is_none() && reply.bytes() == value)
    });
}

#[test]
fn commands_in_part_give_way_with_an_error_that_names_the_limit() {
    let shard = Shard::start();
    let proxy = start(&shard, "128mb");
    let mut command = encode(&[&b"SET"[..], b"key", &vec![b'v'; 16 << 20]]);
    command.truncate(15 << 20);
    thread::scope(|scope| {
        let tells: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::try_connect(&proxy.address()).ok()?;
                    client.set_patience(Duration::from_secs(3));
                    client.try_send(&command).ok()?;
                    client.try_read_reply().ok()?.error().map(str::to_owned)
                })
            })
            .collect();
        let told: Vec<String> =
            tells.into_iter().filter_map(|tell| tell.join().expect("no panic")).collect();
        assert!(told.iter().any(|error| error.contains("max_memory")), "{told:?}");
    });
    assert!(proxy.peak_memory() < 128 * MIB, "{} bytes at the peak", proxy.peak_memory());
    assert_eq!(proxy.client().command(&["PING"]), Reply::Simple("PONG".into()));
}

/// What is freed goes back to the system: within a fifth of what circlet has at rest.
#[test]
fn memory_goes_back_after_a_peak() {
    let shard = Shard::start();
    let mut direct = shard.client();
    for (name, size) in [("large", 4 << 20), ("medium", 10_000), ("small", 100)] {
        let value = vec![b'v'; size];
        assert_eq!(direct.command(&[b"SET", name.as_bytes(), &value]), Reply::ok());
    }
    let proxy = start(&shard, "4gb");
    peak(&proxy, 2, 0);
    thread::sleep(Duration::from_secs(3));
    let at_rest = proxy.memory();
    peak(&proxy, 100, 4 * at_rest);
    eventually("memory goes back", || proxy.memory() < at_rest + at_rest / 5);
}

/// So many clients ask for what is large, medium and small, wait, for the large until the proxy has
/// so much memory, and read it.
fn peak(proxy: &Proxy, clients: usize, enough: u64) {
    for (key, times) in [("large", 1), ("medium", 100), ("small", 1000)] {
        let mut all: Vec<Client> = (0..clients).map(|_| proxy.client()).collect();
        for client in &mut all {
            client.send(&encode(&["GET", key]).repeat(times));
        }
        thread::sleep(Duration::from_millis(300));
        eventually("a peak", || key != "large" || proxy.memory() > enough);
        for client in &mut all {
            for _ in 0..times {
                assert!(!client.read_reply().bytes().is_empty());
            }
        }
    }
}
