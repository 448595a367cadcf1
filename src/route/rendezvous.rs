//! Weighted rendezvous over a fixed number of slots: the distribution for new pools.
//!
//! Every server visits all slots in an order of its own, which its name decides, at a speed
//! which its weight decides; a slot belongs to whoever comes first. So a server that joins takes
//! slots only for itself, one that leaves gives up only its own, and as visits are spaced like
//! the decays of a radioactive atom, a server comes first in a share of the slots equal to its
//! share of the weights. A look-up mixes the hash and reads one slot.

use std::sync::Arc;

use super::permutation::{Permutation, SLOT_BITS, SLOTS};
use super::placement::Placed;

/// Whose each slot is.
#[derive(Debug, Clone)]
pub struct Slots {
    owners: Arc<[u16]>,
}

impl Slots {
    /// The slots shared out among those of the servers whose indices are listed; at least one
    /// must be.
    pub fn build(servers: &[Placed], members: &[u16]) -> Self {
        let visitors = visitors(servers, members);
        let mut first = first_visits(&visitors);
        for (slot, visit) in (0..).zip(&mut first) {
            if visit.time == f64::INFINITY {
                *visit = earliest(&visitors, slot);
            }
        }
        Self { owners: first.iter().map(|visit| visit.owner).collect() }
    }

    /// The slots of dead shards shared out among the live ones; no other slot changes hands. At
    /// least one must be live.
    ///
    /// `members` are the indices of the live ones, in the order in which they were built.
    pub fn with_live(&self, servers: &[Placed], members: &[u16], live: &[bool]) -> Self {
        let orphans = self.owners.iter().filter(|&&owner| !live[usize::from(owner)]).count();
        if orphans * members.len() > MOST_SEARCHES {
            return Self::build(servers, members);
        }
        let visitors = visitors(servers, members);
        let heir = |(slot, &owner): (u32, &u16)| match live[usize::from(owner)] {
            true => owner,
            false => earliest(&visitors, slot).owner,
        };
        Self { owners: (0..).zip(self.owners.iter()).map(heir).collect() }
    }

    /// The shard that owns the slot of `hash`.
    #[inline]
    pub fn owner(&self, hash: u32) -> u16 {
        self.owners[(mix(hash) >> (32 - SLOT_BITS)) as usize]
    }

    /// The slot of `hash`, and how many there are.
    pub fn slot(&self, hash: u32) -> (usize, usize) {
        ((mix(hash) >> (32 - SLOT_BITS)) as usize, self.owners.len())
    }

    /// Whose each slot is.
    pub fn owners(&self) -> &[u16] {
        &self.owners
    }

    /// How many slots each of `shards` shards owns.
    pub fn points(&self, shards: usize) -> Vec<usize> {
        let mut points = vec![0; shards];
        for &owner in self.owners.iter() {
            points[usize::from(owner)] += 1;
        }
        points
    }

    /// How many of the hashes below `range` each of `shards` shards owns.
    pub fn owned(&self, range: u64, shards: usize) -> Vec<u64> {
        if range == 1 << 32 {
            let points = self.points(shards);
            return points.iter().map(|&slots| (slots as u64) << (32 - SLOT_BITS)).collect();
        }
        let mut owned = vec![0; shards];
        for hash in 0..range as u32 {
            owned[usize::from(self.owner(hash))] += 1;
        }
        owned
    }
}

/// murmur3's finaliser: a bijection, so that every slot stands for equally many hashes, and
/// neighbours, which fnv1a_64 gives nearly equal hashes, part.
#[inline]
pub(super) fn mix(mut hash: u32) -> u32 {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// The hash that [`mix`] makes this of.
pub(super) fn unmix(mut mixed: u32) -> u32 {
    mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x7ed1_b41d);
    mixed = (mixed ^ (mixed >> 13) ^ (mixed >> 26)).wrapping_mul(0xa5cb_9243);
    mixed ^ (mixed >> 16)
}

/// A server on its way through the slots.
struct Visitor {
    index: u16,
    order: Permutation,
    weight: f64,
}

impl Visitor {
    /// The moment at which this server comes to its slot of that rank.
    fn time(&self, rank: u32) -> f64 {
        decay(unvisited(rank)) / self.weight
    }

    /// When this server comes to `slot`, if that is before `best`.
    fn time_before(&self, slot: u32, best: f64) -> Option<f64> {
        let rank = self.order.rank(slot);
        // -ln(x) ≥ 1 - x, which settles most cases without a logarithm.
        if 1.0 - unvisited(rank) >= best * self.weight {
            return None;
        }
        Some(self.time(rank)).filter(|&time| time < best)
    }
}

#[derive(Clone, Copy)]
struct Visit {
    time: f64,
    owner: u16,
}

const NOBODY: Visit = Visit { time: f64::INFINITY, owner: 0 };

/// Past so many single searches it is cheaper to share out all slots anew.
const MOST_SEARCHES: usize = 8 * SLOTS as usize;

fn visitors(servers: &[Placed], members: &[u16]) -> Vec<Visitor> {
    let visitor = |&index: &u16| {
        let server = &servers[usize::from(index)];
        let weight = f64::from(server.weight.max(1));
        Visitor { index, order: Permutation::of(&server.name), weight }
    };
    members.iter().map(visitor).collect()
}

/// Walks all servers through their first slots, to the moment at which all but about one slot
/// in as many as there are servers has been visited: the rest is cheaper searched one by one.
fn first_visits(visitors: &[Visitor]) -> Vec<Visit> {
    let speed: f64 = visitors.iter().map(|visitor| visitor.weight).sum();
    let until = (visitors.len() as f64).ln() / speed;
    let mut first = vec![NOBODY; SLOTS as usize];
    for visitor in visitors {
        for rank in 0..SLOTS {
            let time = visitor.time(rank);
            if time > until {
                break;
            }
            let visit = &mut first[visitor.order.slot(rank) as usize];
            if time < visit.time {
                *visit = Visit { time, owner: visitor.index };
            }
        }
    }
    first
}

/// Who comes first to one slot; of two at the same moment the one that is listed first.
fn earliest(visitors: &[Visitor], slot: u32) -> Visit {
    visitors.iter().fold(NOBODY, |best, visitor| match visitor.time_before(slot, best.time) {
        Some(time) => Visit { time, owner: visitor.index },
        None => best,
    })
}

/// The part of all slots that is still before a server at that rank, never 0.
fn unvisited(rank: u32) -> f64 {
    1.0 - (f64::from(rank) + 0.5) / f64::from(SLOTS)
}

/// -ln(x) for 0 < x < 1, from additions, multiplications and divisions alone: these are the same
/// to the bit on every machine, which a C library's logarithm is not, and keys must be too.
fn decay(mut x: f64) -> f64 {
    let mut halvings = 0.0;
    while x < 0.7 {
        x *= 2.0;
        halvings += 1.0;
    }
    // ln(x) = 2 artanh(s), a series in s² ≤ 0.032.
    let s = (x - 1.0) / (x + 1.0);
    let square = s * s;
    let series = ARTANH.iter().fold(0.0, |sum, coefficient| sum * square + coefficient);
    halvings * std::f64::consts::LN_2 - 2.0 * s * series
}

/// 1/21, 1/19 … 1/3, 1: what comes after is below an `f64`'s precision.
const ARTANH: [f64; 11] = {
    let mut coefficients = [1.0; 11];
    let mut term = 0;
    while term < 11 {
        coefficients[term] = 1.0 / (21 - 2 * term) as f64;
        term += 1;
    }
    coefficients
};

#[cfg(test)]
mod tests;
