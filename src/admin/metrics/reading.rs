//! All that metrics are made from, at one moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::process::Process;
use crate::admin::counters::{HealthCounters, PoolCounters, ShardCounters, WorkerCounters};
use crate::admin::histogram::Distribution;
use crate::command::Family;
use crate::config::Pool;
use crate::hotkeys::{self, report::PoolReport};
use crate::shard::health::{ShardHealth, State};
use crate::worker::{Shared, Worker};

/// See the module.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The process.
    pub process: Process,
    /// The pools, as in the configuration.
    pub pools: Vec<PoolReading>,
    workers: Arc<[Arc<WorkerCounters>]>,
}

/// One pool.
#[derive(Debug, Clone)]
pub struct PoolReading {
    /// Its configuration.
    pub config: Arc<Pool>,
    /// How often keys have moved because a shard went or came back.
    pub moves: u32,
    /// The shards of the configuration, in the order of their indices.
    pub shards: Vec<ShardReading>,
    /// The share of the hottest key in the pool's commands that have keys, between 0 and 1.
    pub hottest: f64,
    index: usize,
    workers: Arc<[Arc<WorkerCounters>]>,
}

/// One shard of a pool.
#[derive(Debug, Clone)]
pub struct ShardReading {
    /// What the configuration calls it.
    pub name: String,
    /// Whether it is in, since when, and why.
    pub health: ShardHealth,
    /// The part of all keys that it has now, between 0 and 1.
    pub ring_share: f64,
    /// The share of its hottest key in all keys that it is asked for, between 0 and 1.
    pub hottest: f64,
    /// How often it went out.
    pub ejections: u64,
    /// How often it came back.
    pub readmissions: u64,
    /// When it went out last, in microseconds since the epoch; 0 if never.
    pub ejected_at: u64,
    place: (usize, usize),
    workers: Arc<[Arc<WorkerCounters>]>,
}

/// What a worker tells of its pools.
#[derive(Debug)]
struct Facts {
    counters: Arc<WorkerCounters>,
    pools: Vec<PoolFacts>,
}

#[derive(Debug)]
struct PoolFacts {
    config: Arc<Pool>,
    moves: u32,
    health: Vec<ShardHealth>,
    shares: Vec<f64>,
}

/// Reads everything; `None` when a worker does not answer within [`PATIENCE`].
pub async fn read(shared: &Shared) -> Option<Reading> {
    let facts = timeout(PATIENCE, shared.ask_all(Worker::facts)).await.ok()?;
    let workers: Arc<[_]> = facts.iter().map(|facts| Arc::clone(&facts.counters)).collect();
    let process = Process::now(shared);
    let health = shared.health_counters.load();
    let pools = facts.into_iter().next()?.pools.into_iter().enumerate();
    let pools = pools
        .filter(|(_, facts)| facts.config.shard_count() > 0)
        .map(|(index, facts)| PoolReading::new(index, facts, &health, &workers));
    let mut pools: Vec<PoolReading> = pools.collect();
    let keys = timeout(PATIENCE, hotkeys::report::ask(shared, None)).await.ok()?;
    for pool in &mut pools {
        keys.get(pool.index).into_iter().for_each(|keys| pool.take_hottest(keys));
    }
    Some(Reading { process, pools, workers })
}

impl Worker {
    /// Counts what is counted by looking. All workers know the same of the pools: the first one
    /// tells.
    fn facts(&mut self) -> Facts {
        self.count_queues();
        let told = if self.index == 0 { &self.pools[..] } else { &[] };
        let pools = told.iter().map(|pool| PoolFacts {
            config: Arc::clone(&pool.config),
            moves: pool.moves,
            health: pool.health.clone(),
            shares: pool.ring.shares(),
        });
        Facts { counters: Arc::clone(&self.counters), pools: pools.collect() }
    }
}

impl Reading {
    /// Of all workers: from when replies were read to when clients were written to.
    pub fn returns(&self) -> Distribution {
        sum_of(self.workers.iter().map(|worker| worker.returns.read()))
    }
}

impl PoolReading {
    fn new(
        index: usize,
        facts: PoolFacts,
        health: &HealthCounters,
        workers: &Arc<[Arc<WorkerCounters>]>,
    ) -> Self {
        let shares = facts.shares.into_iter().chain(std::iter::repeat(0.0));
        let shards = facts.health.into_iter().zip(shares).enumerate();
        let shards = shards.filter(|(shard, _)| !facts.config.servers[*shard].is_removed);
        let shards = shards.map(|(shard, (state, ring_share))| ShardReading {
            name: facts.config.servers[shard].name.clone(),
            health: state,
            ring_share,
            hottest: 0.0,
            ejections: health.ejections(index, shard),
            readmissions: health.readmissions(index, shard),
            ejected_at: health.server_ejected_at(index, shard),
            place: (index, shard),
            workers: Arc::clone(workers),
        });
        Self {
            shards: shards.collect(),
            moves: facts.moves,
            hottest: 0.0,
            index,
            workers: Arc::clone(workers),
            config: facts.config,
        }
    }

    fn take_hottest(&mut self, keys: &PoolReport) {
        self.hottest = keys.hottest();
        for shard in &mut self.shards {
            shard.hottest = keys.hottest_of_shards.get(shard.place.1).copied().unwrap_or_default();
        }
    }

    /// Sums a number over the workers.
    pub fn sum(&self, number: impl Fn(&PoolCounters) -> u64) -> f64 {
        sum(self.workers.iter().map(|worker| number(&worker.pools[self.index])))
    }

    /// How many shards take requests.
    pub fn live(&self) -> usize {
        self.shards.iter().filter(|shard| shard.is_up()).count()
    }

    /// How long the requests of a family took on all shards: the waiting here, and the shards'
    /// time; `None` where there never was one.
    pub fn times_of(&self, family: Family) -> Option<[Distribution; 2]> {
        let of_shards = self.workers.iter().flat_map(|worker| &worker.pools[self.index].shards);
        let times = of_shards.flat_map(ShardCounters::times).filter(|(of, _)| *of == family);
        let read = times.map(|(_, times)| [times.queue.read(), times.shard.read()]);
        read.reduce(|mut sum, more| {
            sum.iter_mut().zip(&more).for_each(|(sum, more)| sum.add(more));
            sum
        })
    }
}

impl ShardReading {
    /// Sums a number over the workers.
    pub fn sum(&self, number: impl Fn(&ShardCounters) -> u64) -> f64 {
        sum(self.counters().map(number))
    }

    /// How long requests waited here until they were written to the shard.
    pub fn queue_times(&self) -> Distribution {
        sum_of(self.counters().flat_map(ShardCounters::times).map(|(_, times)| times.queue.read()))
    }

    /// How long the shard took from there to the whole reply.
    pub fn shard_times(&self) -> Distribution {
        sum_of(self.counters().flat_map(ShardCounters::times).map(|(_, times)| times.shard.read()))
    }

    /// Whether requests are sent to it.
    pub fn is_up(&self) -> bool {
        matches!(self.health.state, State::Live | State::Returning)
    }

    fn counters(&self) -> impl Iterator<Item = &ShardCounters> {
        let (pool, shard) = self.place;
        self.workers.iter().map(move |worker| &worker.pools[pool].shards[shard])
    }
}

/// Each worker's gauge may be caught between two stores; a sum must not panic for it.
fn sum(numbers: impl Iterator<Item = u64>) -> f64 {
    numbers.fold(0, u64::wrapping_add) as f64
}

fn sum_of(read: impl Iterator<Item = Distribution>) -> Distribution {
    read.fold(Distribution::default(), |mut sum, more| {
        sum.add(&more);
        sum
    })
}

/// A worker that has not answered by then is stuck, and who asks must hear of that.
pub const PATIENCE: Duration = Duration::from_secs(2);
