//! What clients send that they should not, and what they read.

pub mod crowds;
mod descriptors;
mod disguised;
mod excess;
mod floods;
mod protocol;
mod silence;
mod slow;
mod storms;
mod strangers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Proxy, Reply, encode};

/// A shard that is stopped, or a machine that is busy, is not down for these tests.
const PATIENT: &str = "heartbeat_timeout: 60000";

/// What a client that behaves saw while others did not.
#[derive(Debug)]
struct Seen {
    /// Pairs of SET and GET that it had answered, each rightly.
    served: usize,
    /// The longest that a pair took.
    slowest: Duration,
    /// What half of them took at most: shown where a test fails.
    #[allow(dead_code)]
    median: Duration,
}

/// Does something bad to `proxy` beside a client that behaves, and tells what that one saw: all
/// that it read was right, or this panics.
#[track_caller]
fn beside<T>(proxy: &Proxy, act: impl FnOnce() -> T) -> (T, Seen) {
    let over = AtomicBool::new(false);
    let mut client = proxy.client();
    std::thread::scope(|scope| {
        let served = scope.spawn(|| {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) || times.is_empty() {
                let value = format!("value {}", times.len());
                let began = Instant::now();
                client.send(&[encode(&["SET", "good", &value]), encode(&["GET", "good"])].concat());
                assert_eq!(client.read_reply(), Reply::ok());
                assert_eq!(client.read_reply(), Reply::bulk(&value));
                times.push(began.elapsed());
                std::thread::sleep(Duration::from_micros(500));
            }
            times.sort_unstable();
            times
        });
        // Not for ever when the act panics.
        let end = EndsWhenDropped(&over);
        let done = act();
        drop(end);
        let times = served.join().expect("the client that behaves is served");
        let (served, slowest) = (times.len(), times[times.len() - 1]);
        (done, Seen { served, slowest, median: times[served / 2] })
    })
}

struct EndsWhenDropped<'a>(&'a AtomicBool);

impl Drop for EndsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// File descriptors that the proxy has open.
fn descriptors(proxy: &Proxy) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).expect("circlet runs").count()
}
