//! Why a key lives where it does: each station of its way, as data.

use std::ops::Range;

use super::placement::{NOTHING, Placement, Share};
use super::ring::Ring;
use super::tag::hashed_range;
use crate::config::Distribution;

/// A key's way to its shard. Shards are indices, as in the pool's list of servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Where in the key the bytes are that decide: all of it, or its hash tag.
    pub hashed: Range<usize>,
    /// The hash of these bytes.
    pub hash: u32,
    /// What the hash falls on.
    pub spot: Spot,
    /// The shard it lives on while all are in; `None` if the distribution knows no home, or there
    /// are no servers.
    pub home: Option<usize>,
    /// The shard it lives on now; `None` if no shard is in, or any may be taken.
    pub shard: Option<usize>,
}

impl Explanation {
    /// Whether it lives elsewhere than at home.
    pub fn is_displaced(&self) -> bool {
        self.shard.is_some() && self.shard != self.home
    }
}

/// What a distribution looks a hash up in, while all shards are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Ketama: the first point at or after the hash.
    Point {
        /// Its value.
        value: u32,
        /// Its place among all points, from 0 on.
        index: usize,
        /// How many points there are.
        of: usize,
    },
    /// Rendezvous: a slot.
    Slot {
        /// Which, from 0 on.
        index: usize,
        /// How many there are.
        of: usize,
    },
    /// Modula: a place in the weighted list.
    Place {
        /// Which, from 0 on.
        index: u64,
        /// How long the list is.
        of: u64,
    },
    /// None: the one shard has every key.
    Only,
    /// None: whatever the hash, any shard is taken by chance.
    Chance,
}

impl Ring {
    /// How `key` comes to live where it does.
    pub fn explain(&self, key: &[u8]) -> Explanation {
        let hash = self.hash_of(key);
        let is_chance = self.method().0 == Distribution::Random && self.servers() > 1;
        let in_place = |shard: Option<usize>| shard.filter(|_| !is_chance);
        Explanation {
            hashed: hashed_range(key, self.hash_tag()),
            hash,
            spot: if is_chance { Spot::Chance } else { self.home_placement().spot(hash) },
            home: in_place(self.home_placement().shard(|| hash)),
            shard: in_place(self.shard_of_hash(hash)),
        }
    }

    /// The ring as it would be if `shard` were ejected as well.
    pub fn without(&self, shard: usize) -> Self {
        let mut shares: Vec<Share> = self.present().to_vec();
        if let Some(share) = shares.get_mut(shard) {
            *share = NOTHING;
        }
        self.with_shares(&shares)
    }
}

impl Placement {
    fn spot(&self, hash: u32) -> Spot {
        match self {
            Self::Ketama(continuum) => {
                let (index, value, of) = continuum.point(hash);
                Spot::Point { value, index, of }
            }
            Self::Rendezvous(slots) => {
                let (index, of) = slots.slot(hash);
                Spot::Slot { index, of }
            }
            Self::Modula(list) => {
                let (index, of) = list.place(hash);
                Spot::Place { index, of }
            }
            Self::Random(_) => Spot::Chance,
            Self::One(_) | Self::Nobody | Self::ModulaSkipping(_) | Self::Ramping(_) => Spot::Only,
        }
    }
}

#[cfg(test)]
mod tests;
