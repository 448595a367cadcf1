//! The ring of one pool: key in, shard out.

use std::sync::Arc;

use super::hash::{hash, range};
pub use super::placement::{ALL, NOTHING, Share};
use super::placement::{Placed, Placement, Plan};
use super::tag::hashed_part;
use crate::config::{Distribution, Ejection, Hash, KeyBytes, Pool};

/// The most servers of one ring: their indices are kept in 16 bits.
pub const MAX_SERVERS: usize = u16::MAX as usize;

/// What decides where keys live, for a ring without a pool around it.
///
/// [`RingSpec::new`] has what we advise for new keys; what must agree with an existing
/// placement changes the fields.
#[derive(Debug, Clone)]
pub struct RingSpec<'a> {
    /// Names and weights, in the order that gives the shards their indices (twemproxy: sorted by
    /// length, then bytes). A weight of 0 counts as 1.
    pub servers: &'a [(&'a str, u32)],
    /// The hash of a key.
    pub hash: Hash,
    /// Whether key bytes ≥ 0x80 are hashed sign-extended.
    pub key_bytes: KeyBytes,
    /// The delimiters of a hash tag.
    pub hash_tag: Option<[u8; 2]>,
    /// How a hash becomes a shard.
    pub distribution: Distribution,
    /// What the ejection of a shard does to the keys of the others.
    pub ejection: Ejection,
}

impl<'a> RingSpec<'a> {
    /// Rendezvous over fnv1a_32, without hash tags; an ejection moves no live shard's key.
    pub fn new(servers: &'a [(&'a str, u32)]) -> Self {
        Self {
            servers,
            hash: Hash::Fnv1a32,
            key_bytes: KeyBytes::Signed,
            hash_tag: None,
            distribution: Distribution::Rendezvous,
            ejection: Ejection::Skip,
        }
    }

    /// Places the servers; all are in.
    ///
    /// # Panics
    ///
    /// Past [`MAX_SERVERS`] servers.
    pub fn build(&self) -> Ring {
        self.build_of((0..self.servers.len() as u16).collect())
    }

    /// Places those of the servers whose indices are listed, in this order.
    fn build_of(&self, order: Vec<u16>) -> Ring {
        assert!(self.servers.len() <= MAX_SERVERS, "a ring has at most {MAX_SERVERS} servers");
        let place =
            |&(name, weight): &(&str, u32)| Placed { name: name.into(), weight: weight.max(1) };
        let servers: Vec<Placed> = self.servers.iter().map(place).collect();
        let plan = Plan::new(servers, order, self.distribution, self.ejection);
        Ring {
            placement: plan.home().clone(),
            hash: self.hash,
            key_bytes: self.key_bytes,
            hash_tag: self.hash_tag,
            present: vec![ALL; self.servers.len()].into(),
            plan: Arc::new(plan),
        }
    }
}

/// A pool's shards as their configuration places them, and which of them are in.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Where keys live now.
    placement: Placement,
    hash: Hash,
    key_bytes: KeyBytes,
    hash_tag: Option<[u8; 2]>,
    /// How much of its own keys each shard has now.
    present: Arc<[Share]>,
    plan: Arc<Plan>,
}

/// A key that does not live at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Displaced {
    /// Its own shard, which is out or on its way back.
    pub home: usize,
    /// The shard that has it meanwhile.
    pub stand_in: usize,
}

impl Ring {
    /// Places the pool's servers; all are in, but for those that a reload has removed.
    ///
    /// # Panics
    ///
    /// Past [`MAX_SERVERS`] servers.
    pub fn new(pool: &Pool) -> Self {
        let servers: Vec<(&str, u32)> =
            pool.servers.iter().map(|server| (server.name.as_str(), server.weight)).collect();
        RingSpec {
            servers: &servers,
            hash: pool.hash,
            key_bytes: pool.key_bytes,
            hash_tag: pool.hash_tag,
            distribution: pool.distribution,
            ejection: pool.ejection,
        }
        .build_of(pool.configured().into_iter().map(|index| index as u16).collect())
    }

    /// The same ring with only the shards for which `live` is true: how the keys of the others
    /// are spread follows the pool's `ejection`. Shards past the end of `live` are out.
    ///
    /// It starts from the ring with all shards in, whoever is in now, so the way to a set of
    /// live shards does not matter.
    pub fn with_live(&self, live: &[bool]) -> Self {
        let shares: Vec<Share> =
            live.iter().map(|&live| if live { ALL } else { NOTHING }).collect();
        self.with_shares(&shares)
    }

    /// The same ring with each shard having this share of its own keys: one that is on its way
    /// back has a part of them, and a larger share takes in all of a smaller one. Shards past
    /// the end of `shares` are out. With the random distribution any share is all.
    pub fn with_shares(&self, shares: &[Share]) -> Self {
        let mut every = vec![NOTHING; self.servers()];
        for (share, &given) in every.iter_mut().zip(shares) {
            *share = given;
        }
        let placement = self.plan.with_shares(&every);
        Self { placement, present: every.into(), ..self.clone() }
    }

    /// The same shards for the same hashes, with keys hashed otherwise.
    pub fn rehashed(&self, hash: Hash, key_bytes: KeyBytes, hash_tag: Option<[u8; 2]>) -> Self {
        Self { hash, key_bytes, hash_tag, ..self.clone() }
    }

    /// The index of the shard that `key` lives on; `None` when no shard is in.
    #[inline]
    pub fn shard(&self, key: &[u8]) -> Option<usize> {
        self.placement.shard(|| self.hash_of(key))
    }

    /// The shard of a key whose hash is known: the last step of [`Ring::shard`].
    #[inline]
    pub fn shard_of_hash(&self, hash: u32) -> Option<usize> {
        self.placement.shard(|| hash)
    }

    /// The shard that `key` lives on while all are in. With the random distribution that is any.
    ///
    /// For a ring without servers it is 0.
    #[inline]
    pub fn home(&self, key: &[u8]) -> usize {
        self.plan.home().shard(|| self.hash_of(key)).unwrap_or(0)
    }

    /// Where `key` lives when that is not its home: its own shard, and the one that stands in for
    /// it. With the random distribution no key has a home; `None` too when no shard is in.
    pub fn displaced(&self, key: &[u8]) -> Option<Displaced> {
        if self.plan.distribution() == Distribution::Random {
            return None;
        }
        let hash = self.hash_of(key);
        let home = self.plan.home().shard(|| hash)?;
        let stand_in = self.placement.shard(|| hash)?;
        (home != stand_in).then_some(Displaced { home, stand_in })
    }

    /// How many servers the ring was built with.
    pub fn servers(&self) -> usize {
        self.plan.servers().len()
    }

    /// How much a shard has of what the distribution shares out while all are in: points
    /// (ketama), places in the list (modula), slots (rendezvous), or 1 (random).
    pub fn points_of(&self, shard: usize) -> usize {
        self.plan.points().get(shard).copied().unwrap_or(0)
    }

    /// The part of all values of the hash that is each shard's now; together 1, or 0 when no
    /// shard is in.
    ///
    /// Exact for the hash function's range, which for crc32 has only 2¹⁵ values. Keys of a
    /// shard that is out are counted for modula as spread by the slots' shares.
    pub fn shares(&self) -> Vec<f64> {
        self.placement.shares(range(self.hash), self.servers())
    }

    /// Whether each key has the same home in the other ring, by the same servers in the same places.
    pub fn places_like(&self, other: &Self) -> bool {
        let keys = |ring: &Self| (ring.hash, ring.key_bytes, ring.hash_tag);
        keys(self) == keys(other) && self.plan.is_like(&other.plan)
    }

    /// Whether the other ring shares out the keys by the very same plan: it differs in who is in.
    pub fn has_plan_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.plan, &other.plan)
    }

    /// The servers' names and weights, in the order of the shards' indices.
    pub(super) fn placed(&self) -> &[Placed] {
        self.plan.servers()
    }

    /// What shares out the hashes, and which hash it is.
    pub(super) fn method(&self) -> (Distribution, Hash) {
        (self.plan.distribution(), self.hash)
    }

    /// How much of its own keys each shard has now.
    pub(super) fn present(&self) -> &[Share] {
        &self.present
    }

    /// Where keys live while all shards are in.
    pub(super) fn home_placement(&self) -> &Placement {
        self.plan.home()
    }

    /// Where keys live now.
    pub(super) fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Whether both take a key's bytes for the same hash, given that it has a hash tag or none.
    pub(super) fn hashes_like(&self, other: &Self) -> bool {
        (self.hash, self.key_bytes) == (other.hash, other.key_bytes)
    }

    /// The same ring with all shards in.
    pub fn at_home(&self) -> Self {
        self.with_live(&vec![true; self.servers()])
    }

    /// How many different values the hash of a key can take.
    pub fn range(&self) -> u64 {
        range(self.hash)
    }

    /// The delimiters of a hash tag.
    pub fn hash_tag(&self) -> Option<[u8; 2]> {
        self.hash_tag
    }

    #[inline]
    pub(super) fn hash_of(&self, key: &[u8]) -> u32 {
        hash(hashed_part(key, self.hash_tag), self.hash, self.key_bytes)
    }
}
