//! The shards of a pool and its ring, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::portion::PoolPortion;
use super::stand_ins::StandIns;
use crate::admin::histogram::Distribution;
use crate::reply::code::Code;
use crate::route::picture::Picture;
use crate::route::ring::{ALL, Ring};
use crate::shard::fault_kind::FaultKind;

#[derive(Serialize)]
pub struct Shard {
    name: String,
    address: String,
    weight: u32,
    /// `live`, `down`, `returning`, `ejected` or `removed`: then it is there for the others' indices only.
    state: &'static str,
    /// Seconds that it is in this state.
    since: f64,
    cause: String,
    /// The part of all keys that is its own.
    share: f64,
    /// The part that it has now.
    share_now: f64,
    /// The part of its own keys that it has now.
    has: f64,
    /// Who has the others: index and part of all keys.
    stand_ins: Vec<(usize, f64)>,
    requests: u64,
    request_bytes: u64,
    replies: u64,
    reply_bytes: u64,
    in_flight: u64,
    links: u64,
    /// Requests that failed because of their link, links that failed, errors that the shard said:
    /// by kind, if there were any.
    failed: BTreeMap<&'static str, u64>,
    lost: BTreeMap<&'static str, u64>,
    errors: BTreeMap<&'static str, u64>,
    /// How long requests waited in circlet, and then for the shard.
    queue: Times,
    shard: Times,
}

/// Times of requests, in microseconds.
#[derive(Serialize)]
struct Times {
    /// All of them together.
    sum: u64,
    /// How many were up to 50 µs long, up to twice that, and so on.
    buckets: Vec<u64>,
}

/// The ring in slices: index of a shard and for how many slices, in turn.
#[derive(Serialize)]
pub struct Drawn {
    slices: u32,
    home: Vec<u32>,
    now: Vec<u32>,
}

/// The shards, in the order of their indices.
pub fn shards(pool: &PoolPortion, stand_ins: StandIns) -> Vec<Shard> {
    let whole = pool.ring.with_shares(&vec![ALL; pool.health.len()]);
    let (home, now) = (whole.shares(), pool.ring.shares());
    let of = |(index, stand_ins)| Shard {
        share: home[index],
        share_now: now[index],
        stand_ins,
        ..Shard::of(pool, index)
    };
    stand_ins.into_iter().enumerate().map(of).collect()
}

impl Shard {
    fn of(pool: &PoolPortion, index: usize) -> Self {
        let (server, health) = (&pool.config.servers[index], &pool.health[index]);
        let counts = &pool.shards[index];
        let faults = FaultKind::ALL.iter().map(|kind| kind.label());
        let codes = Code::ALL.iter().map(|code| code.label());
        Self {
            name: server.name.clone(),
            address: server.address.to_string(),
            weight: server.weight,
            state: health.state.name(),
            since: health.since.elapsed().as_secs_f64(),
            cause: health.cause.to_string(),
            share: 0.0,
            share_now: 0.0,
            has: f64::from(health.share) / f64::from(ALL),
            stand_ins: Vec::new(),
            requests: counts.requests,
            request_bytes: counts.request_bytes,
            replies: counts.replies,
            reply_bytes: counts.reply_bytes,
            in_flight: counts.in_flight,
            links: counts.links,
            failed: by_kind(faults.clone(), &counts.failed),
            lost: by_kind(faults, &counts.lost),
            errors: by_kind(codes, &counts.errors),
            queue: Times::from(&counts.queue),
            shard: Times::from(&counts.shard),
        }
    }
}

impl Drawn {
    /// What there is to draw of a ring; nothing where keys are placed by chance.
    pub fn of(ring: &Ring) -> Option<Self> {
        let Picture { home, now } = ring.picture(SLICES)?;
        Some(Self { slices: SLICES, home: runs(&home), now: runs(&now) })
    }
}

impl From<&Distribution> for Times {
    fn from(times: &Distribution) -> Self {
        Self { sum: times.micros, buckets: times.buckets.to_vec() }
    }
}

fn by_kind(
    labels: impl Iterator<Item = &'static str>,
    counts: &[u64],
) -> BTreeMap<&'static str, u64> {
    labels.zip(counts.iter().copied()).filter(|&(_, count)| count > 0).collect()
}

fn runs(owners: &[u16]) -> Vec<u32> {
    owners
        .chunk_by(|one, next| one == next)
        .flat_map(|run| [u32::from(run[0]), run.len() as u32])
        .collect()
}

/// Half a degree each: finer than a screen shows.
const SLICES: u32 = 720;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_sent_as_runs() {
        assert_eq!(runs(&[2, 2, 2, 0, 1, 1]), [2, 3, 0, 1, 1, 2]);
        assert_eq!(runs(&[]), [0; 0]);
    }

    #[test]
    fn kinds_that_never_came_are_left_out() {
        let told = by_kind(["refused", "timeout", "closed"].into_iter(), &[0, 3, 0]);
        assert_eq!(told.into_iter().collect::<Vec<_>>(), [("timeout", 3)]);
    }
}
