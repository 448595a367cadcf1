//! Counters that one worker writes and the scraper reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// A number with one writer: no read-modify-write, so it costs a load and a store.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// The value at this moment, to go on from.
impl Clone for Counter {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.value()))
    }
}

impl Counter {
    /// Adds `n`. Only the owning worker may call it.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Takes `n` away. Only the owning worker may call it.
    #[inline]
    pub fn sub(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(n), Ordering::Relaxed);
    }

    /// Replaces the value. Only the owning worker may call it.
    #[inline]
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker counts of one shard; the names are twemproxy's.
#[derive(Debug, Default, Clone)]
#[allow(missing_docs)]
pub struct ShardCounters {
    pub server_eof: Counter,
    pub server_err: Counter,
    pub server_timedout: Counter,
    pub server_connections: Counter,
    /// Links ever opened or tried, for `total_connections`.
    pub links_opened: Counter,
    pub requests: Counter,
    pub request_bytes: Counter,
    pub responses: Counter,
    pub response_bytes: Counter,
    pub in_queue: Counter,
    pub in_queue_bytes: Counter,
    pub out_queue: Counter,
    pub out_queue_bytes: Counter,
}

/// What one worker counts of one pool.
#[derive(Debug, Default, Clone)]
#[allow(missing_docs)]
pub struct PoolCounters {
    pub client_eof: Counter,
    pub client_err: Counter,
    pub client_connections: Counter,
    pub total_connections: Counter,
    pub forward_error: Counter,
    pub fragments: Counter,
    pub displaced_requests: Counter,
    pub displaced_refused: Counter,
    pub shed_clients: Counter,
    pub shards: Vec<ShardCounters>,
}

/// What one worker counts; an `Arc` of it is shared with the scraper.
#[derive(Debug, Default, Clone)]
#[allow(missing_docs)]
pub struct WorkerCounters {
    pub pools: Vec<PoolCounters>,
}

impl WorkerCounters {
    /// Counters at zero for pools with these numbers of shards.
    pub fn new(shards_of_pools: &[usize]) -> Self {
        let pool = |&shards: &usize| PoolCounters {
            shards: (0..shards).map(|_| ShardCounters::default()).collect(),
            ..PoolCounters::default()
        };
        Self { pools: shards_of_pools.iter().map(pool).collect() }
    }

    /// The same with room for this many shards of pool `pool`, of which those in `anew` begin at
    /// zero. Only the owning worker may call it, and has to count there from then on.
    pub fn grown(&self, pool: usize, shards: usize, anew: &[usize]) -> Self {
        let mut grown = self.clone();
        grown.pools.resize_with(grown.pools.len().max(pool + 1), PoolCounters::default);
        let counters = &mut grown.pools[pool].shards;
        counters.resize_with(counters.len().max(shards), ShardCounters::default);
        anew.iter().for_each(|&shard| counters[shard] = ShardCounters::default());
        grown
    }
}

/// What the health monitor counts, by pool and shard; the names are twemproxy's.
#[derive(Debug, Default, Clone)]
pub struct HealthCounters {
    pools: Vec<PoolEjections>,
}

#[derive(Debug, Default, Clone)]
struct PoolEjections {
    server_ejects: Counter,
    server_ejected_at: Vec<Counter>,
}

impl HealthCounters {
    /// Counters at zero for pools with these numbers of shards.
    pub fn new(shards_of_pools: &[usize]) -> Self {
        let pool = |&shards: &usize| PoolEjections {
            server_ejects: Counter::default(),
            server_ejected_at: (0..shards).map(|_| Counter::default()).collect(),
        };
        Self { pools: shards_of_pools.iter().map(pool).collect() }
    }

    /// The same with room for this many shards of pool `pool`, of which those in `anew` begin at
    /// zero. Only the monitor may call it.
    pub fn grown(&self, pool: usize, shards: usize, anew: &[usize]) -> Self {
        let mut grown = self.clone();
        grown.pools.resize_with(grown.pools.len().max(pool + 1), PoolEjections::default);
        let ejected_at = &mut grown.pools[pool].server_ejected_at;
        ejected_at.resize_with(ejected_at.len().max(shards), Counter::default);
        anew.iter().for_each(|&shard| ejected_at[shard] = Counter::default());
        grown
    }

    /// Counts an ejection. Only the monitor may call it.
    pub fn ejected(&self, pool: usize, shard: usize, at: SystemTime) {
        let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX);
        self.pools[pool].server_ejects.add(1);
        self.pools[pool].server_ejected_at[shard].set(micros);
    }

    /// How often shards of the pool were ejected.
    pub fn server_ejects(&self, pool: usize) -> u64 {
        self.pools[pool].server_ejects.value()
    }

    /// When the shard was last ejected, in µs since the epoch; 0 if never. As in twemproxy it
    /// stays after the shard's return.
    pub fn server_ejected_at(&self, pool: usize, shard: usize) -> u64 {
        self.pools[pool].server_ejected_at[shard].value()
    }
}
