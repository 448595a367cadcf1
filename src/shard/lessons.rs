//! What the shards told of their commands, put together by pool.

use std::sync::Arc;

use super::inquiry::Told;
use crate::command::{Learned, Spec};

/// The last that each shard told, of all pools.
#[derive(Debug, Default)]
pub struct Lessons {
    pools: Vec<Vec<Vec<&'static Spec>>>,
}

impl Lessons {
    /// Takes in what a shard told: the pool and what it knows now, if that has changed. A shard
    /// that is away keeps what it told last, for it may be back with its modules.
    pub fn take(&mut self, told: Told) -> Option<(usize, Arc<Learned>)> {
        let Told { pool, shard, lesson } = told;
        let grow = |len: usize, index: usize| len.max(index + 1);
        self.pools.resize_with(grow(self.pools.len(), pool), Vec::new);
        let shards = &mut self.pools[pool];
        shards.resize_with(grow(shards.len(), shard), Vec::new);
        if shards[shard] == lesson.specs {
            return None;
        }
        shards[shard] = lesson.specs;
        Some((pool, Arc::new(Learned::union(shards.iter().map(Vec::as_slice)))))
    }
}
