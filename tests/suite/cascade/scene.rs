//! Shards that are loaded to three quarters of what they can do, and the largest of them dies.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::open_loop::{Load, Outcome, Plan, Sample, percentile};
use super::pacer::Pacer;
use crate::harness::{Proxy, Shard, pool_yaml};

/// Shards of limited capacity. The first has the weight of several others, and their capacity.
pub struct Fleet {
    shards: Vec<Shard>,
    pacers: Vec<Pacer>,
    rates: Vec<f64>,
    weight: u32,
}

/// What a load saw before and after the first shard's death.
pub struct Course {
    /// When it died.
    pub died: Instant,
    /// All requests.
    pub samples: Vec<Sample>,
}

impl Fleet {
    /// `count` shards of which each but the first takes `service` for a command.
    pub fn start(count: usize, weight: u32, service: Duration) -> Fleet {
        let shards = Shard::several(count);
        let times = (0..count).map(|index| if index == 0 { service / weight } else { service });
        let pacers =
            shards.iter().zip(times.clone()).map(|(shard, time)| Pacer::to(shard, time)).collect();
        let rates = times.map(|time| LOAD / time.as_secs_f64()).collect();
        Fleet { shards, pacers, rates, weight }
    }

    /// The config of a pool over them.
    pub fn config(&self, settings: &str) -> String {
        let line = |(index, pacer): (usize, &Pacer)| {
            pacer.server(if index == 0 { self.weight } else { 1 }, &format!("shard{index}"))
        };
        let servers: Vec<String> = self.pacers.iter().enumerate().map(line).collect();
        pool_yaml("pool", &servers, &format!("{SETTINGS}\n{settings}"))
    }

    /// Loads them through `proxy`, cuts the first off, and goes on.
    pub fn run(&self, proxy: &Proxy, before: Duration, after: Duration) -> Course {
        let keys = self.seed(proxy);
        let plan = Plan { address: proxy.address(), keys, rates: self.rates.clone() };
        let load = Load::start(plan);
        sleep(before);
        let died = Instant::now();
        self.pacers[0].cut();
        sleep(after);
        Course { died, samples: load.finish() }
    }

    /// Sets keys; gives those of each shard.
    fn seed(&self, proxy: &Proxy) -> Vec<Vec<String>> {
        let commands: Vec<Vec<String>> =
            (0..KEYS).map(|key| vec!["SET".into(), format!("{key}:key"), "value".into()]).collect();
        for reply in proxy.client().pipeline(&commands) {
            assert_eq!(reply.bytes(), b"OK");
        }
        let keys_of = |shard: &Shard| {
            let reply = shard.client().command(&["KEYS", "*"]);
            let name = |key: &crate::harness::Reply| String::from_utf8_lossy(key.bytes()).into();
            reply.elements().iter().map(name).collect::<Vec<String>>()
        };
        let keys: Vec<Vec<String>> = self.shards.iter().map(keys_of).collect();
        assert!(keys.iter().all(|keys| keys.len() > 10), "each shard has some");
        keys
    }
}

impl Course {
    /// Requests of the shards that live which were to be sent between these times from the death.
    pub fn native(&self, from: f64, to: f64) -> impl Iterator<Item = &Sample> {
        self.between(from, to).filter(|sample| sample.home != 0)
    }

    /// Requests of the shard that dies, likewise.
    pub fn displaced(&self, from: f64, to: f64) -> impl Iterator<Item = &Sample> {
        self.between(from, to).filter(|sample| sample.home == 0)
    }

    /// A percentile of those of [`Self::native`] that were served, in milliseconds; none if none was.
    pub fn served_ms(&self, from: f64, to: f64, percent: usize) -> Option<f64> {
        let served = || self.native(from, to).filter(|one| one.outcome == Outcome::Served);
        served().next()?;
        Some(percentile(served(), percent).as_secs_f64() * 1e3)
    }

    /// How many of the dead shard's requests after its death came to this.
    pub fn displaced_count(&self, outcome: Outcome) -> usize {
        self.displaced(0.0, f64::MAX).filter(|sample| sample.outcome == outcome).count()
    }

    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = &Sample> {
        let since = |at: Instant| match at.checked_duration_since(self.died) {
            Some(after) => after.as_secs_f64(),
            None => -(self.died - at).as_secs_f64(),
        };
        self.samples.iter().filter(move |sample| (from..to).contains(&since(sample.at)))
    }
}

/// What both circlet and nutcracker are told.
const SETTINGS: &str = "hash: md5
    auto_eject_hosts: true
    server_failure_limit: 2
    server_retry_timeout: 60000";
/// The part of each shard's capacity that its own keys take.
const LOAD: f64 = 0.75;
const KEYS: usize = 240;
