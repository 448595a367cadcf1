//! Counters that one worker writes and the scraper reads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::histogram::Histogram;
use crate::command::Family;
use crate::reply::code::Code;
use crate::shard::fault_kind::FaultKind;
use crate::shard::link::Link;

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
    /// Requests that were answered with an error because of the link they were for, by
    /// [`FaultKind`].
    pub failed_requests: [Counter; FaultKind::COUNT],
    /// Links that failed, and requests that were late, as health heard of them; by [`FaultKind`].
    pub link_failures: [Counter; FaultKind::COUNT],
    /// Errors that the shard said, by [`Code`].
    pub error_replies: [Counter; Code::COUNT],
    /// Requests that took longer than is thought slow.
    pub slow_requests: Counter,
    times: [OnceLock<Box<Times>>; Family::COUNT],
}

/// How long the requests of one family took that went to one shard.
#[derive(Debug, Default, Clone)]
pub struct Times {
    /// From when a request was read to when it was written to the shard.
    pub queue: Histogram,
    /// From then to when the whole of its reply was read.
    pub shard: Histogram,
}

impl ShardCounters {
    /// The times of a family's requests. Only the owning worker may call it.
    #[inline]
    pub fn times_of(&self, family: Family) -> &Times {
        self.times[family as usize].get_or_init(Box::default)
    }

    /// The times of those families that the shard ever got requests of.
    pub fn times(&self) -> impl Iterator<Item = (Family, &Times)> {
        let known = Family::ALL.iter().zip(&self.times);
        known.filter_map(|(&family, times)| Some((family, &**times.get()?)))
    }

    /// Says what waits and what is in flight.
    pub(crate) fn set_queues(&self, queues: Queues) {
        self.in_queue.set(queues.waiting);
        self.in_queue_bytes.set(queues.waiting_bytes);
        self.out_queue.set(queues.in_flight);
        self.out_queue_bytes.set(queues.in_flight_bytes);
    }
}

/// What waits for the links to one shard, and what is in flight on them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Queues {
    waiting: u64,
    waiting_bytes: u64,
    in_flight: u64,
    in_flight_bytes: u64,
}

impl Queues {
    /// Counts those of one link.
    pub(crate) fn add(&mut self, link: &Link) {
        let sent = link.in_flight.len() - link.unsent;
        self.waiting += link.unsent as u64;
        self.waiting_bytes += link.output.len() as u64;
        self.in_flight += sent as u64;
        let bytes = link.in_flight.iter().take(sent).map(|pending| u64::from(pending.bytes));
        self.in_flight_bytes += bytes.sum::<u64>();
    }
}

/// What one worker counts of one pool's commands of a family.
#[derive(Debug, Default, Clone)]
pub struct FamilyCounters {
    /// Commands that clients said.
    pub commands: Counter,
    /// Requests that shards answered with an error.
    pub errors: Counter,
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
    /// Bytes read from clients.
    pub bytes_in: Counter,
    /// Bytes written to clients.
    pub bytes_out: Counter,
    /// Clients that were disconnected because what they said was no command.
    pub protocol_errors: Counter,
    /// Errors that circlet itself said, by [`Code`].
    pub error_replies: [Counter; Code::COUNT],
    /// What clients said, by [`Family`].
    pub families: [FamilyCounters; Family::COUNT],
    pub shards: Vec<ShardCounters>,
}

/// What one worker counts; an `Arc` of it is shared with the scraper.
#[derive(Debug, Default, Clone)]
#[allow(missing_docs)]
pub struct WorkerCounters {
    /// From when replies were read to when all clients were written to that got one, in one turn
    /// of the loop out of 16.
    pub returns: Histogram,
    pub pools: Vec<PoolCounters>,
}

impl WorkerCounters {
    /// Counters at zero for pools with these numbers of shards.
    pub fn new(shards_of_pools: &[usize]) -> Self {
        let pool = |&shards: &usize| PoolCounters {
            shards: (0..shards).map(|_| ShardCounters::default()).collect(),
            ..PoolCounters::default()
        };
        Self { pools: shards_of_pools.iter().map(pool).collect(), ..Self::default() }
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
    ejections: Vec<Counter>,
    readmissions: Vec<Counter>,
}

impl HealthCounters {
    /// Counters at zero for pools with these numbers of shards.
    pub fn new(shards_of_pools: &[usize]) -> Self {
        let zeros = |shards: usize| (0..shards).map(|_| Counter::default()).collect();
        let pool = |&shards: &usize| PoolEjections {
            server_ejects: Counter::default(),
            server_ejected_at: zeros(shards),
            ejections: zeros(shards),
            readmissions: zeros(shards),
        };
        Self { pools: shards_of_pools.iter().map(pool).collect() }
    }

    /// The same with room for this many shards of pool `pool`, of which those in `anew` begin at
    /// zero. Only the monitor may call it.
    pub fn grown(&self, pool: usize, shards: usize, anew: &[usize]) -> Self {
        let mut grown = self.clone();
        grown.pools.resize_with(grown.pools.len().max(pool + 1), PoolEjections::default);
        let of_pool = &mut grown.pools[pool];
        let lists =
            [&mut of_pool.server_ejected_at, &mut of_pool.ejections, &mut of_pool.readmissions];
        for list in lists {
            list.resize_with(list.len().max(shards), Counter::default);
            anew.iter().for_each(|&shard| list[shard] = Counter::default());
        }
        grown
    }

    /// Counts an ejection. Only the monitor may call it.
    pub fn ejected(&self, pool: usize, shard: usize, at: SystemTime) {
        let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX);
        self.pools[pool].server_ejects.add(1);
        self.pools[pool].server_ejected_at[shard].set(micros);
        self.pools[pool].ejections[shard].add(1);
    }

    /// Counts a shard's return from being ejected or down. Only the monitor may call it.
    pub fn readmitted(&self, pool: usize, shard: usize) {
        self.pools[pool].readmissions[shard].add(1);
    }

    /// How often the shard was ejected; 0 for one that has come since these were taken.
    pub fn ejections(&self, pool: usize, shard: usize) -> u64 {
        value(self.pools.get(pool).and_then(|pool| pool.ejections.get(shard)))
    }

    /// How often it came back.
    pub fn readmissions(&self, pool: usize, shard: usize) -> u64 {
        value(self.pools.get(pool).and_then(|pool| pool.readmissions.get(shard)))
    }

    /// How often shards of the pool were ejected.
    pub fn server_ejects(&self, pool: usize) -> u64 {
        value(self.pools.get(pool).map(|pool| &pool.server_ejects))
    }

    /// When the shard was last ejected, in µs since the epoch; 0 if never. As in twemproxy it
    /// stays after the shard's return.
    pub fn server_ejected_at(&self, pool: usize, shard: usize) -> u64 {
        value(self.pools.get(pool).and_then(|pool| pool.server_ejected_at.get(shard)))
    }
}

fn value(counter: Option<&Counter>) -> u64 {
    counter.map_or(0, Counter::value)
}
