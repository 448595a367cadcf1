//! What one worker knows of a pool: its part of the counts, and what all workers know alike.

use std::sync::Arc;

use crate::admin::counters::{Counter, ShardCounters};
use crate::admin::histogram::Distribution;
use crate::client::roll::{Client, Order};
use crate::config::Pool;
use crate::reply::code::Code;
use crate::route::Ring;
use crate::shard::fault_kind::FaultKind;
use crate::shard::health::ShardHealth;
use crate::worker::{PoolState, Worker};

/// See the module.
pub struct Portion {
    /// The names of all pools.
    pub pools: Vec<String>,
    /// The pool that was asked for, if there is one of that name.
    pub pool: Option<PoolPortion>,
}

/// See the module.
pub struct PoolPortion {
    pub index: usize,
    pub config: Arc<Pool>,
    pub ring: Arc<Ring>,
    pub health: Vec<ShardHealth>,
    pub shards: Vec<Counts>,
    pub totals: Totals,
    pub clients: Vec<Client>,
}

/// What is counted of a shard.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub requests: u64,
    pub request_bytes: u64,
    pub replies: u64,
    pub reply_bytes: u64,
    /// Requests that wait for their reply now.
    pub in_flight: u64,
    /// Links open now.
    pub links: u64,
    /// Requests answered with an error because of their link, by [`FaultKind`].
    pub failed: [u64; FaultKind::COUNT],
    /// Links that failed, by [`FaultKind`].
    pub lost: [u64; FaultKind::COUNT],
    /// Errors that the shard said, by [`Code`].
    pub errors: [u64; Code::COUNT],
    /// From when a request was read to when it was written to the shard.
    pub queue: Distribution,
    /// From then to its reply.
    pub shard: Distribution,
}

/// What is counted of a pool.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Totals {
    pub clients: u64,
    /// Requests that could not be forwarded.
    pub not_forwarded: u64,
    /// Requests with keys whose own shard was out or on its way back.
    pub displaced: u64,
    /// Of these, refused.
    pub refused: u64,
}

impl Portion {
    /// Of the pool of this name, or the first; with the first `most` clients.
    pub fn of(worker: &Worker, name: Option<&str>, order: Order, most: usize) -> Self {
        let mut pools = worker.pools.iter();
        let served = pools.clone().filter(|pool| pool.config.shard_count() > 0);
        let is_asked = |pool: &PoolState| name.is_none_or(|name| pool.config.name == name);
        let index = pools.position(|pool| pool.config.shard_count() > 0 && is_asked(pool));
        Self {
            pools: served.map(|pool| pool.config.name.clone()).collect(),
            pool: index.map(|index| PoolPortion::of(worker, index, order, most)),
        }
    }
}

impl PoolPortion {
    fn of(worker: &Worker, index: usize, order: Order, most: usize) -> Self {
        let (pool, counted) = (&worker.pools[index], &worker.counters.pools[index]);
        let mut shards: Vec<Counts> = counted.shards.iter().map(Counts::of).collect();
        for (_, link) in worker.links.iter().filter(|(_, link)| link.pool == index) {
            shards[link.shard].in_flight += link.in_flight.len() as u64;
        }
        Self {
            index,
            config: Arc::clone(&pool.config),
            ring: Arc::clone(&pool.ring),
            health: pool.health.clone(),
            shards,
            totals: Totals {
                clients: counted.client_connections.value(),
                not_forwarded: counted.forward_error.value(),
                displaced: counted.displaced_requests.value(),
                refused: counted.displaced_refused.value(),
            },
            clients: worker.roll(index, order, most),
        }
    }

    /// Adds what another worker counted.
    pub fn add(&mut self, other: Self) {
        for (shard, more) in self.shards.iter_mut().zip(&other.shards) {
            shard.add(more);
        }
        self.totals.add(&other.totals);
        self.clients.extend(other.clients);
    }
}

impl Counts {
    fn of(shard: &ShardCounters) -> Self {
        let mut counts = Self {
            requests: shard.requests.value(),
            request_bytes: shard.request_bytes.value(),
            replies: shard.responses.value(),
            reply_bytes: shard.response_bytes.value(),
            in_flight: 0,
            links: shard.server_connections.value(),
            failed: shard.failed_requests.each_ref().map(Counter::value),
            lost: shard.link_failures.each_ref().map(Counter::value),
            errors: shard.error_replies.each_ref().map(Counter::value),
            queue: Distribution::default(),
            shard: Distribution::default(),
        };
        for (_, times) in shard.times() {
            counts.queue.add(&times.queue.read());
            counts.shard.add(&times.shard.read());
        }
        counts
    }

    fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.request_bytes += more.request_bytes;
        self.replies += more.replies;
        self.reply_bytes += more.reply_bytes;
        self.in_flight += more.in_flight;
        self.links += more.links;
        add_each(&mut self.failed, &more.failed);
        add_each(&mut self.lost, &more.lost);
        add_each(&mut self.errors, &more.errors);
        self.queue.add(&more.queue);
        self.shard.add(&more.shard);
    }
}

impl Totals {
    fn add(&mut self, more: &Self) {
        self.clients += more.clients;
        self.not_forwarded += more.not_forwarded;
        self.displaced += more.displaced;
        self.refused += more.refused;
    }
}

fn add_each(all: &mut [u64], more: &[u64]) {
    all.iter_mut().zip(more).for_each(|(all, more)| *all += more);
}
