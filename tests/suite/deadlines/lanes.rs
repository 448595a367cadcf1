//! What is heavy travels apart, and no session's commands overtake each other on the way there or
//! back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use fastrand::Rng;

use super::one_worker;
use crate::harness::{
    Circlet, Client, FakeShard, Proxy, Reply, Shard, encode, eventually, honest, pool_yaml,
};

/// As large as what is heavy, and a little more.
const LARGE: usize = 300 * 1024;

/// A shard that answers GET with the number of the connection it came on, and `GET big` with
/// something large, which it keeps back half of while `stalls`.
fn shard_that_tells(stalls: &Arc<AtomicBool>) -> FakeShard {
    let (numbers, stalls) = (AtomicUsize::new(0), Arc::clone(stalls));
    FakeShard::start(move |mut link| {
        let Some(mut command) = link.read_command() else { return };
        if command[0] == b"PING" {
            link.send(honest(&command));
            return link.serve(honest);
        }
        let number = numbers.fetch_add(1, Ordering::SeqCst);
        loop {
            let big = format!("${LARGE}\r\n{}\r\n", "b".repeat(LARGE));
            match (&command[0][..], command.get(1).map(|key| &key[..])) {
                (b"GET", Some(b"big")) => {
                    link.send(&big[..LARGE / 2]);
                    while stalls.load(Ordering::SeqCst) {
                        sleep(Duration::from_millis(5));
                    }
                    link.send(&big[LARGE / 2..]);
                }
                _ => drop(link.send(format!(":{number}\r\n"))),
            }
            match link.read_command() {
                Some(next) => command = next,
                None => return,
            }
        }
    })
}

fn proxy_over(fake: &FakeShard) -> Proxy {
    let text = pool_yaml("pool", &[fake.server(1, Some("a"))], "heartbeat_timeout: 20000");
    Circlet::with_arguments(&text, &["--threads", "1"])
}

#[track_caller]
fn way(client: &mut Client) -> i64 {
    client.command(&["GET", "which"]).integer()
}

#[test]
fn a_session_goes_to_the_heavy_lane_and_comes_back() {
    let fake = shard_that_tells(&Arc::default());
    let proxy = proxy_over(&fake);
    let (mut client, mut other) = (proxy.client(), proxy.client());
    assert_eq!((way(&mut client), way(&mut other)), (0, 0));
    assert_eq!(client.command(&["GET", "big"]).bytes().len(), LARGE);
    assert_eq!((way(&mut client), way(&mut other)), (1, 0), "a large reply");
    for _ in 0..30 {
        assert_eq!(way(&mut client), 1);
    }
    for _ in 0..3 {
        way(&mut client);
    }
    assert_eq!((way(&mut client), way(&mut other)), (0, 0), "light for a while");

    let value = "v".repeat(LARGE);
    assert_eq!(client.command(&["SET", "k", &value]), Reply::Integer(1), "a large request");
    let together = [encode(&["GET", "big"]), encode(&["GET", "which"]).repeat(3)].concat();
    other.send(&together);
    other.read_reply();
    for _ in 0..3 {
        assert_eq!(other.read_reply(), Reply::Integer(0), "what was sent stays in its order");
    }
    assert_eq!(way(&mut other), 1);
}

#[test]
fn a_large_reply_that_takes_long_holds_up_nobody() {
    let stalls = Arc::new(AtomicBool::new(false));
    let fake = shard_that_tells(&stalls);
    let proxy = proxy_over(&fake);
    let (mut heavy, mut light) = (proxy.client(), proxy.client());
    heavy.command(&["GET", "big"]);
    stalls.store(true, Ordering::SeqCst);
    heavy.send(&encode(&["GET", "big"]));
    for _ in 0..50 {
        assert_eq!(way(&mut light), 0);
    }
    heavy.expect_silence(Duration::from_millis(50));
    stalls.store(false, Ordering::SeqCst);
    assert_eq!(heavy.read_reply().bytes().len(), LARGE);
}

/// One command and what one Redis would say.
type Step = (Vec<u8>, Reply);

/// A sequence in which each reply depends on all writes before it: bursts of middling values that
/// fill a link, now and then something heavy, and stretches that are light for a while.
fn sequence(seed: u64) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    let (mut lengths, mut count) = ([0_usize; 3], 0);
    let mut steps = Vec::new();
    for _ in 0..12 {
        let (size, turns) = match rng.u8(..4) {
            0 => (10, 70),
            1 => (LARGE, 2),
            _ => (rng.usize(60_000..220_000), 10),
        };
        for _ in 0..turns {
            let at = rng.usize(..3);
            let key = format!("{seed}:{at}");
            let counter = format!("{seed}:counter");
            match rng.u8(..5) {
                0 | 1 => {
                    lengths[at] = size;
                    steps.push((encode(&["SET", &key, &value(seed, at, size)]), Reply::ok()));
                }
                2 => {
                    count += 1;
                    steps.push((encode(&["INCR", &counter]), Reply::Integer(count)));
                }
                3 if lengths[at] > 0 => {
                    let expected = Reply::bulk(value(seed, at, lengths[at]));
                    steps.push((encode(&["GET", &key]), expected));
                }
                _ => steps.push((encode(&["STRLEN", &key]), Reply::Integer(lengths[at] as i64))),
            }
        }
    }
    steps
}

fn value(seed: u64, at: usize, size: usize) -> String {
    let mut value = format!("{seed}:{at}:{size}:");
    value.truncate(size);
    let padding = size - value.len();
    value + &"x".repeat(padding)
}

#[test]
fn order_holds_through_lane_changes() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "heartbeat_timeout: 20000");
    for round in 0..2 {
        scope(|scope| {
            for client in 0..4 {
                let proxy = &proxy;
                scope.spawn(move || follow(proxy, round * 4 + client));
            }
        });
    }
    let mut direct = shards[0].client();
    eventually("there is a link of each lane, and a heartbeat", || {
        let list = direct.command(&["CLIENT", "LIST", "TYPE", "normal"]);
        String::from_utf8_lossy(list.bytes()).lines().count() == 4
    });
}

fn follow(proxy: &Proxy, seed: u64) {
    let steps = sequence(seed);
    let mut client = proxy.client();
    let mut sender = client.try_clone().expect("a spare file");
    scope(|scope| {
        let steps = &steps;
        scope.spawn(move || {
            let mut rng = Rng::with_seed(seed);
            for (command, _) in steps {
                sender.send(command);
                if rng.u8(..20) == 0 {
                    sleep(Duration::from_micros(rng.u64(..5_000)));
                }
            }
        });
        for (number, (command, expected)) in steps.iter().enumerate() {
            let reply = client.read_reply();
            let shown = command.escape_ascii().take(60).collect::<Vec<_>>();
            let shown = String::from_utf8_lossy(&shown);
            assert!(reply == *expected, "seed {seed}, step {number}, {shown}: {reply:.80}");
        }
    });
}
