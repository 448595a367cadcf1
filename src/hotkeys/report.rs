//! What the workers know, put together: the hottest keys of each pool, and the biggest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::HotKeys;
use super::hitters::{Hitter, LISTED};
use super::key::Key;
use crate::config::Distribution;
use crate::worker::{PoolState, Shared, Worker};

/// A hot key.
#[derive(Debug, Clone)]
pub struct HotKey {
    /// The key.
    pub key: Key,
    /// The shard's name; `None` where keys have no place (distribution `random`).
    pub shard: Option<Arc<str>>,
    /// Index of the shard.
    pub shard_index: usize,
    /// Commands a second.
    pub rate: f64,
    /// How far from the truth `rate` may be: in 19 of 20 cases less.
    pub error: f64,
    /// Its share of the pool's commands that have keys, 0 to 1.
    pub share: f64,
    /// Its share of the keys that its shard is asked for, 0 to 1.
    pub share_of_shard: f64,
    /// Which of its commands write, 0 to 1.
    pub writes: f64,
    /// Bytes of its commands and their replies, a second.
    pub bytes: f64,
    /// The command that it came with last.
    pub command: &'static str,
}

/// A key with large transfers.
#[derive(Debug, Clone)]
pub struct BigKey {
    /// The key.
    pub key: Key,
    /// The shard's name; `None` where keys have no place (distribution `random`).
    pub shard: Option<Arc<str>>,
    /// Bytes of its largest transfer.
    pub largest: usize,
    /// Bytes of its last large transfer.
    pub last: usize,
    /// How long ago that was.
    pub ago: Duration,
    /// Bytes of its large transfers, a second.
    pub bytes: f64,
    /// The command of the last one.
    pub command: &'static str,
}

/// What is known of a pool's keys.
#[derive(Debug, Clone)]
pub struct PoolReport {
    /// The pool's name.
    pub pool: Arc<str>,
    /// Commands with keys a second.
    pub rate: f64,
    /// The hottest keys, the hottest first.
    pub hot: Vec<HotKey>,
    /// Those with the largest transfers, the largest first.
    pub big: Vec<BigKey>,
    /// The share of each shard's hottest key in all that the shard is asked for, 0 to 1, by the
    /// shard's index; shards may be missing at the end.
    pub hottest_of_shards: Vec<f64>,
}

impl PoolReport {
    /// The share of the hottest key in all of the pool's commands that have keys, 0 to 1.
    pub fn hottest(&self) -> f64 {
        self.hot.first().map_or(0.0, |key| key.share)
    }
}

/// Asks the workers; a report for each pool, or for the one with this index.
pub async fn ask(shared: &Shared, pool: Option<usize>) -> Vec<PoolReport> {
    let told = shared
        .ask_all(move |worker| {
            let pools = (0..worker.pools.len()).filter(|&index| pool.is_none_or(|it| it == index));
            pools.map(|index| worker.known_keys(index)).collect::<Vec<Known>>()
        })
        .await;
    let mut by_pool: Vec<Vec<Known>> = Vec::new();
    for of_worker in told {
        by_pool.resize_with(of_worker.len().max(by_pool.len()), Vec::new);
        of_worker.into_iter().zip(&mut by_pool).for_each(|(known, all)| all.push(known));
    }
    let mut reports: Vec<PoolReport> = by_pool.into_iter().filter_map(merge).collect();
    let redactor = shared.journal.redactor();
    for report in &mut reports {
        report.hot.iter_mut().for_each(|hot| hot.key.redact(&redactor));
        report.big.iter_mut().for_each(|big| big.key.redact(&redactor));
    }
    reports
}

/// Lets all workers forget what they know of a pool.
pub fn forget(shared: &Shared, pool: usize) {
    shared.tell_all(move |worker| worker.hotkeys.forget(pool));
}

/// A share of 0 to 1 in percent, to the hundredth.
pub fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}

/// A rate to the tenth.
pub fn tenths(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

/// What one worker knows of a pool's keys: rates, no longer weighted counts.
#[derive(Default)]
pub(super) struct Known {
    pool: Arc<str>,
    rate: f64,
    keys_of_shards: Vec<f64>,
    hot: Vec<Hot>,
    /// How hot a key may be that is not among `hot`.
    others: f64,
    big: Vec<(u64, BigKey)>,
}

/// A hot key of one worker, or of several.
pub(super) struct Hot {
    hash: u64,
    /// Shares are still rates here.
    key: HotKey,
    surplus: f64,
    variance: f64,
}

impl Worker {
    fn known_keys(&self, index: usize) -> Known {
        let pool = &self.pools[index];
        self.hotkeys
            .known(index, &pool.config.name, Instant::now(), |key, last| place(pool, key, last))
    }
}

impl HotKeys {
    /// What is known of the keys of pool `index`; `place` tells where a key lives that lived there
    /// last.
    pub(super) fn known(
        &self,
        index: usize,
        name: &str,
        now: Instant,
        place: impl Fn(&Key, usize) -> Place,
    ) -> Known {
        let mut known = Known { pool: name.into(), ..Known::default() };
        let Some(tracker) = self.tracker(index) else { return known };
        let seconds = self.seconds(tracker, now);
        let rate = |count: f32| f64::from(count) / seconds;
        known.rate = rate(tracker.commands);
        known.keys_of_shards = tracker.keys_of_shards.iter().map(|&keys| rate(keys)).collect();
        let listed = tracker.hitters.listed();
        if listed.len() >= LISTED {
            let rates = listed.iter().map(|hitter| rate(hitter.count));
            known.others = rates.fold(f64::INFINITY, f64::min);
        }
        known.hot.extend(listed.iter().map(|hitter| {
            let (shard_index, shard) = place(&hitter.key, hitter.shard);
            Hot::of(hitter, shard_index, shard, seconds)
        }));
        known.big.extend(tracker.big.listed(now).map(|big| {
            let key = BigKey {
                key: big.key.clone(),
                shard: place(&big.key, big.shard).1,
                largest: big.largest,
                last: big.last,
                ago: now.saturating_duration_since(big.seen),
                bytes: rate(big.bytes),
                command: big.command,
            };
            (big.hash, key)
        }));
        known
    }
}

impl Hot {
    fn of(hitter: &Hitter, shard_index: usize, shard: Option<Arc<str>>, seconds: f64) -> Self {
        let rate = |count: f32| f64::from(count) / seconds;
        let key = HotKey {
            key: hitter.key.clone(),
            shard,
            shard_index,
            rate: rate(hitter.count),
            error: 0.0,
            share: 0.0,
            share_of_shard: 0.0,
            writes: rate(hitter.count) * part(hitter.writes.into(), hitter.looked_at.into()),
            bytes: rate(hitter.bytes),
            command: hitter.command,
        };
        let variance = f64::from(hitter.variance) / (seconds * seconds);
        Self { hash: hitter.hash, key, surplus: rate(hitter.surplus), variance }
    }
}

/// The index of a shard and its name.
type Place = (usize, Option<Arc<str>>);

/// Where a key lives now; where it lived when it came last if not all of it is remembered.
fn place(pool: &PoolState, key: &Key, last: usize) -> Place {
    let now = key.whole().and_then(|key| pool.ring.shard(key));
    let index = now.unwrap_or(last);
    let has_place = pool.config.distribution != Distribution::Random;
    let server = pool.config.servers.get(index).filter(|_| has_place);
    (index, server.map(|server| server.name.as_str().into()))
}

/// Puts together what the workers know of one pool.
pub(super) fn merge(workers: Vec<Known>) -> Option<PoolReport> {
    let pool = Arc::clone(&workers.first()?.pool);
    let rate: f64 = workers.iter().map(|known| known.rate).sum();
    let mut keys_of_shards = Vec::new();
    for known in &workers {
        keys_of_shards.resize(known.keys_of_shards.len().max(keys_of_shards.len()), 0.0);
        keys_of_shards.iter_mut().zip(&known.keys_of_shards).for_each(|(all, one)| *all += one);
    }
    let (hot, big) = (merge_hot(&workers), merge_big(&workers));
    let hot = hot.into_iter().map(|mut hot| {
        let key = &mut hot.key;
        key.error = hot.surplus + 2.0 * hot.variance.sqrt();
        key.writes = part(key.writes, key.rate);
        key.share = part(key.rate, rate);
        let of_shard = keys_of_shards.get(key.shard_index);
        key.share_of_shard = of_shard.map_or(0.0, |&of_shard| part(key.rate, of_shard));
        hot.key
    });
    // What may as well never have come is not told: where all keys are alike, none is hot.
    let hot = hot.filter(|key| key.error < key.rate);
    let hottest_of_shards = vec![0.0; keys_of_shards.len()];
    let mut report = PoolReport { pool, rate, hot: hot.collect(), big, hottest_of_shards };
    for key in &report.hot {
        if let Some(share) = report.hottest_of_shards.get_mut(key.shard_index) {
            *share = key.share_of_shard.max(*share);
        }
    }
    report.hot.sort_by(|one, other| other.rate.total_cmp(&one.rate));
    report.big.sort_by_key(|big| std::cmp::Reverse(big.largest));
    Some(report)
}

fn merge_hot(workers: &[Known]) -> Vec<Hot> {
    let mut merged: HashMap<u64, Hot> = HashMap::new();
    // A key that is not on a worker's list may have come to it as often as those that just are.
    let others: f64 = workers.iter().map(|known| known.others).sum();
    for known in workers {
        for hot in &known.hot {
            let (key, absent) = (hot.key.clone(), hot.surplus - known.others);
            match merged.entry(hot.hash) {
                std::collections::hash_map::Entry::Vacant(place) => {
                    let surplus = others + absent;
                    place.insert(Hot { hash: hot.hash, key, surplus, variance: hot.variance });
                }
                std::collections::hash_map::Entry::Occupied(mut place) => {
                    let all = place.get_mut();
                    all.key.rate += key.rate;
                    all.key.writes += key.writes;
                    all.key.bytes += key.bytes;
                    all.surplus += absent;
                    all.variance += hot.variance;
                }
            }
        }
    }
    merged.into_values().collect()
}

fn merge_big(workers: &[Known]) -> Vec<BigKey> {
    let mut merged: HashMap<u64, BigKey> = HashMap::new();
    for (hash, big) in workers.iter().flat_map(|known| &known.big) {
        let Some(all) = merged.get_mut(hash) else {
            merged.insert(*hash, big.clone());
            continue;
        };
        all.largest = all.largest.max(big.largest);
        all.bytes += big.bytes;
        if big.ago < all.ago {
            (all.ago, all.last, all.command) = (big.ago, big.last, big.command);
        }
    }
    merged.into_values().collect()
}

/// A part of a whole, 0 to 1.
fn part(some: f64, all: f64) -> f64 {
    if all > 0.0 { (some / all).min(1.0) } else { 0.0 }
}
