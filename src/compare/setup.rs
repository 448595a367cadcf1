//! A way to place keys that a proxy may have: what the file says, or the file with something changed.

use super::places::Place;
use crate::config::{Address, Distribution, Ejection, Hash, KeyBytes, Pool};
use crate::route::{Ring, RingSpec};

/// What decides where keys are.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The hash of a key.
    pub hash: Hash,
    /// Whether bytes ≥ 0x80 are hashed sign-extended.
    pub key_bytes: KeyBytes,
    /// The delimiters of a hash tag.
    pub hash_tag: Option<[u8; 2]>,
    /// How a hash becomes a shard.
    pub distribution: Distribution,
    /// The servers.
    pub servers: Vec<Named>,
}

/// A server as it is placed.
#[derive(Debug, Clone)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Its share relative to the others.
    pub weight: u32,
    /// Its index in the file's pool.
    pub shard: usize,
}

impl Setup {
    /// What the file says of this pool.
    pub fn of(pool: &Pool) -> Self {
        let server = |(shard, server): (usize, &crate::config::Server)| Named {
            name: server.name.clone(),
            weight: server.weight,
            shard,
        };
        Self {
            hash: pool.hash,
            key_bytes: pool.key_bytes,
            hash_tag: pool.hash_tag,
            distribution: pool.distribution,
            servers: pool.servers.iter().enumerate().map(server).collect(),
        }
    }

    /// Places the servers as twemproxy sorts them, which matters for modula.
    pub fn place(&self) -> Placing {
        let mut servers: Vec<&Named> = self.servers.iter().collect();
        servers.sort_by_key(|server| (server.name.len(), server.name.as_bytes()));
        let named: Vec<(&str, u32)> =
            servers.iter().map(|server| (server.name.as_str(), server.weight)).collect();
        let spec = RingSpec {
            servers: &named,
            hash: self.hash,
            key_bytes: self.key_bytes,
            hash_tag: self.hash_tag,
            distribution: self.distribution,
            ejection: Ejection::Skip,
        };
        Placing { ring: spec.build(), shards: servers.iter().map(|server| server.shard).collect() }
    }
}

/// A key, and what is known of its place.
pub type Evidence<'a> = (&'a [u8], &'a Place);

/// A setup's ring, by which keys are placed.
#[derive(Debug, Clone)]
pub struct Placing {
    ring: Ring,
    /// The file's index of each server of the ring.
    shards: Vec<usize>,
}

impl Placing {
    /// The same servers, with keys hashed otherwise.
    pub fn rehashed(&self, hash: Hash, key_bytes: KeyBytes, hash_tag: Option<[u8; 2]>) -> Self {
        let ring = self.ring.rehashed(hash, key_bytes, hash_tag);
        Self { ring, shards: self.shards.clone() }
    }

    /// How many of the keys it puts where they were seen.
    pub fn explains(&self, seen: &[Evidence<'_>]) -> usize {
        let is_there = |(key, place): &&Evidence<'_>| {
            self.ring.shard(key).is_some_and(|index| place.admits(self.shards[index]))
        };
        seen.iter().filter(is_there).count()
    }
}

/// The name that a server has if its line gives none.
pub fn name_without_alias(address: &Address) -> String {
    match address {
        Address::Unix(path) => format!("{}:", path.display()),
        Address::Tcp { host, port: 11211 } => host.clone(),
        Address::Tcp { .. } => address.to_string(),
    }
}
