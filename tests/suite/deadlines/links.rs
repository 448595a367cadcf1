//! What becomes of the link: it stays while its shard answers anybody in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{PATIENT, one_worker};
use crate::harness::{
    Circlet, Client, FakeShard, Reply, Shard, encode, eventually, honest, pool_yaml,
};

/// A network that swallows what it is given, on one connection only: heartbeats are fine.
#[test]
fn a_link_that_stays_silent_is_given_up() {
    let silent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&silent);
    let fake = FakeShard::start(move |mut link| {
        let Some(first) = link.read_command() else { return };
        let is_silent = first[0] == b"GET" && count.fetch_add(1, Ordering::SeqCst) == 0;
        link.send(honest(&first));
        if is_silent {
            return link.keep_silent();
        }
        link.serve(honest);
    });
    let settings = "timeout: 300\nheartbeat_timeout: 900\nauto_eject_hosts: true";
    let text = pool_yaml("pool", &[fake.server(1, Some("a"))], settings);
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut client = proxy.client();
    assert_eq!(client.command(&["GET", "k"]), Reply::Nil);
    let start = Instant::now();
    let mut errors = 0;
    while client.command(&["GET", "k"]) != Reply::Nil {
        errors += 1;
        assert!(start.elapsed() < Duration::from_secs(15), "still on the silent link");
    }
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(1_100), "given up after {waited:?}");
    assert!((3..=6).contains(&errors), "{errors} in {waited:?}");
    assert_eq!(silent.load(Ordering::SeqCst), 2, "two links");
    assert!(proxy.log().contains("link to shard failed"), "{}", proxy.log());
    assert!(!proxy.log().contains("ejected"), "its heartbeats are well: {}", proxy.log());
}

/// Each reply would be taken for the one before, and be late, for ever.
#[test]
fn a_link_on_which_a_reply_was_left_out_is_given_up() {
    let fake = FakeShard::start({
        let left_out = Arc::new(AtomicUsize::new(0));
        move |mut link| {
            while let Some(command) = link.read_command() {
                let is_first = command[0] == b"GET" && left_out.fetch_add(1, Ordering::SeqCst) == 0;
                if !is_first {
                    link.send(honest(&command));
                }
            }
        }
    });
    let settings = "timeout: 200\nheartbeat_timeout: 400";
    let text = pool_yaml("pool", &[fake.server(1, Some("a"))], settings);
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut client = proxy.client();
    assert!(client.command(&["GET", "k"]).error().is_some(), "it was left out");
    eventually("a new link serves", || client.command(&["GET", "k"]) == Reply::Nil);
    proxy.expect_log("link to shard failed");
}

/// A shard that falls behind ever more: what nobody waits for is thrown away with the link.
#[test]
fn a_link_that_carries_too_much_for_nobody_is_given_up() {
    let fake = FakeShard::start(|mut link| {
        while let Some(command) = link.read_command() {
            if command[0] == b"GET" {
                // Never silent for long, and never in time.
                sleep(Duration::from_millis(20));
            }
            link.send(honest(&command));
        }
    });
    let settings = "timeout: 200\nclient_pipeline_limit: 20000";
    let text = pool_yaml("pool", &[fake.server(1, Some("a"))], settings);
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut client = proxy.client();
    client.send(&encode(&["GET", "k"]).repeat(12_000));
    let failed = (0..12_000).filter(|_| client.read_reply().error().is_some()).count();
    assert!(failed > 11_000, "{failed}");
    eventually("the link is given up", || proxy.log().contains("link to shard failed"));
    assert!(client.command(&["GET", "k"]) == Reply::Nil, "{}", proxy.log());
}

/// Round after round of requests that wait in vain, by sessions that stay and sessions that leave.
#[test]
fn thousands_of_timeouts_in_a_row_leave_nothing_behind() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "timeout: 60\nheartbeat_timeout: 3000");
    let mut stays = proxy.client();
    stays.command(&["SET", "k", "v"]);
    let mut grown = Vec::new();
    for _ in 0..8 {
        shards[0].stop();
        for _ in 0..4 {
            time_out(&mut stays, 500);
            let mut leaves: Vec<Client> = (0..50).map(|_| proxy.client()).collect();
            leaves.iter_mut().for_each(|client| client.send(&encode(&["GET", "k"]).repeat(20)));
            time_out(&mut leaves[0], 0);
        }
        shards[0].cont();
        served_again(&mut stays);
        grown.push(proxy.memory());
    }
    assert!(*grown.last().unwrap() < grown[1] + (4 << 20), "{grown:?}");
    let open = || std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).unwrap().count();
    eventually("all sockets are closed", || open() < 40);
    assert!(!proxy.log().contains("link to shard failed"), "{}", proxy.log());
}

fn time_out(client: &mut Client, count: usize) {
    client.send(&encode(&["GET", "k"]).repeat(count));
    for _ in 0..count {
        assert!(client.read_reply().error().is_some());
    }
}

/// A busy machine may make a request late; never another's reply.
#[track_caller]
fn served_again(client: &mut Client) {
    eventually("it is served", || client.command(&["GET", "k"]) == Reply::bulk("v"));
    let is_late = |reply: &Reply| reply.error().is_some_and(|text| text.contains("timed out"));
    let mut served = 0;
    for number in 0..100 {
        let mark = number.to_string();
        let set = client.command(&["SET", "mark", &mark]);
        let get = client.command(&["GET", "mark"]);
        if !is_late(&set) && !is_late(&get) {
            assert_eq!((set, get), (Reply::ok(), Reply::bulk(&mark)));
            served += 1;
        }
    }
    assert!(served > 10, "{served}");
}

/// The late reply is as large as it may be, and still nobody's.
#[test]
fn a_large_late_reply_is_dropped_whole() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, PATIENT);
    let mut client = proxy.client();
    client.command(&["SET", "large", &"L".repeat(8 << 20)]);
    client.command(&["SET", "small", "s"]);
    shards[0].stop();
    client.send(&[encode(&["GET", "large"]), encode(&["GET", "small"])].concat());
    assert!(client.read_reply().error().is_some() && client.read_reply().error().is_some());
    shards[0].cont();
    eventually("it is served", || client.command(&["GET", "small"]) == Reply::bulk("s"));
    for _ in 0..100 {
        assert_eq!(client.command(&["GET", "small"]), Reply::bulk("s"));
    }
    assert!(!proxy.log().contains("link to shard failed"), "{}", proxy.log());
}
