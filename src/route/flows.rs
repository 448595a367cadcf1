//! Which part of the keys moves from one ring to another, and from where to where.
//!
//! ```text
//!   old ring  ├── a ──┼──── b ────┼─ a ─┤
//!   new ring  ├─ a ─┼── c ──┼─ b ─┼─ a ─┤      a to c, b to c: so many of all hashes
//! ```
//!
//! Both rings are compared with all their shards in. It is the hashes that are counted, of which
//! keys have any with the same chance: of real keys a part moves that differs by chance.

use std::collections::BTreeMap;

use super::hash::range;
use super::permutation::{SLOT_BITS, SLOTS};
use super::placement::Placement;
use super::rendezvous::unmix;
use super::ring::Ring;
use crate::config::Distribution;

/// So large a part of all keys lives on one shard before and on another, or the same, afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// Index of the shard in the old ring.
    pub from: usize,
    /// Index of the shard in the new ring.
    pub to: usize,
    /// The part of all keys, of 1.
    pub share: f64,
}

/// Where the keys of each shard of the `old` ring live in the `new` one, those that stay included;
/// together 1, or nothing where a ring has no server. Ordered by shards.
///
/// Exact to the hash for ketama, rendezvous and crc32; other pairs of rings are compared at
/// 2²⁰ hashes, which tells shares to about 0.1 % of all keys. Where the hash itself is another, or
/// the distribution is random, a key's old shard says nothing of its new one. The shares are those of
/// keys of ASCII without a hash tag: another `hash_tag` or `key_bytes` moves keys of its kind alone.
pub fn flows(old: &Ring, new: &Ring) -> Vec<Flow> {
    let is_random = |ring: &Ring| ring.method().0 == Distribution::Random;
    if old.method().1 != new.method().1 || is_random(old) || is_random(new) {
        return independent(old, new);
    }
    let (before, after) = (old.home_placement(), new.home_placement());
    let size = range(old.method().1);
    let mut tally = Tally::default();
    match (edges(before), edges(after)) {
        _ if size <= SAMPLES => (0..size as u32).for_each(|hash| tally.add(before, after, hash, 1)),
        (Some(mut all), Some(others)) => {
            all.extend(others);
            all.push(u32::MAX);
            all.sort_unstable();
            let mut low = 0;
            for edge in all {
                let above = u64::from(edge) + 1;
                tally.add(before, after, edge, above - low);
                low = above;
            }
        }
        _ if has_slots(before) && has_slots(after) => (0..SLOTS).for_each(|slot| {
            tally.add(before, after, unmix(slot << (32 - SLOT_BITS)), 1);
        }),
        _ => (0..SAMPLES as u32).for_each(|sample| {
            // Bijective, so that the samples are spread over all hashes, and in no step with them.
            tally.add(before, after, unmix(sample << 12), 1);
        }),
    }
    tally.into_flows()
}

/// The part of all keys that `flows` moves, where shards are the same by `is_same` (the index of one
/// in the old ring, of the other in the new one).
pub fn moved(flows: &[Flow], is_same: impl Fn(usize, usize) -> bool) -> f64 {
    // 0.0 of no flow at all would be -0.0.
    flows.iter().filter(|flow| !is_same(flow.from, flow.to)).fold(0.0, |sum, flow| sum + flow.share)
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<(usize, usize), u64>,
    all: u64,
}

impl Tally {
    fn add(&mut self, before: &Placement, after: &Placement, hash: u32, count: u64) {
        if let (Some(from), Some(to)) = (before.shard(|| hash), after.shard(|| hash)) {
            *self.counts.entry((from, to)).or_default() += count;
            self.all += count;
        }
    }

    fn into_flows(self) -> Vec<Flow> {
        let all = self.all as f64;
        let flow = |((from, to), count)| Flow { from, to, share: count as f64 / all };
        self.counts.into_iter().map(flow).collect()
    }
}

/// The hashes up to which one shard has all, where that is a matter of few: the owner changes
/// behind each of them only.
fn edges(placement: &Placement) -> Option<Vec<u32>> {
    match placement {
        Placement::Ketama(continuum) => Some(continuum.values().to_vec()),
        Placement::One(_) => Some(Vec::new()),
        _ => None,
    }
}

fn has_slots(placement: &Placement) -> bool {
    matches!(placement, Placement::Rendezvous(_) | Placement::One(_))
}

fn independent(old: &Ring, new: &Ring) -> Vec<Flow> {
    let shares = |ring: &Ring| ring.home_placement().shares(range(ring.method().1), ring.servers());
    let (before, after) = (shares(old), shares(new));
    let mut flows = Vec::new();
    for (from, left) in before.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        for (to, taken) in after.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            flows.push(Flow { from, to, share: left * taken });
        }
    }
    flows
}

/// Hashes looked at where there is no exact way, and as many as are looked at one by one.
const SAMPLES: u64 = 1 << 20;

#[cfg(test)]
mod tests;
