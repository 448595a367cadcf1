//! What one worker knows of a pool: its part of the counts, and what all workers know alike.

use std::sync::Arc;

use crate::admin::counters::ShardCounters;
use crate::client::roll::{Client, Order};
use crate::config::Pool;
use crate::route::Ring;
use crate::shard::health::ShardHealth;
use crate::worker::Worker;

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
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Counts {
    pub requests: u64,
    pub request_bytes: u64,
    pub replies: u64,
    pub reply_bytes: u64,
    /// Requests that wait for their reply now.
    pub in_flight: u64,
    /// Links open now.
    pub links: u64,
    /// Links that the shard closed.
    pub closed: u64,
    /// Links lost to an error.
    pub failed: u64,
    /// Links lost to a timeout.
    pub timed_out: u64,
}

/// What is counted of a pool.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Totals {
    pub clients: u64,
    pub clients_ever: u64,
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
        let index = pools.position(|pool| name.is_none_or(|name| pool.config.name == name));
        Self {
            pools: worker.pools.iter().map(|pool| pool.config.name.clone()).collect(),
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
                clients_ever: counted.total_connections.value(),
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
        Self {
            requests: shard.requests.value(),
            request_bytes: shard.request_bytes.value(),
            replies: shard.responses.value(),
            reply_bytes: shard.response_bytes.value(),
            in_flight: 0,
            links: shard.server_connections.value(),
            closed: shard.server_eof.value(),
            failed: shard.server_err.value(),
            timed_out: shard.server_timedout.value(),
        }
    }

    fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.request_bytes += more.request_bytes;
        self.replies += more.replies;
        self.reply_bytes += more.reply_bytes;
        self.in_flight += more.in_flight;
        self.links += more.links;
        self.closed += more.closed;
        self.failed += more.failed;
        self.timed_out += more.timed_out;
    }
}

impl Totals {
    fn add(&mut self, more: &Self) {
        self.clients += more.clients;
        self.clients_ever += more.clients_ever;
        self.not_forwarded += more.not_forwarded;
        self.displaced += more.displaced;
        self.refused += more.refused;
    }
}
