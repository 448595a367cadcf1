//! A reload of the configuration, as a worker takes part in it.
//!
//! ```text
//!   1  all workers:  new configuration, links and places for shards that come      (adopt)
//!   2  all workers:  new ring; shards that go have no keys                         (apply_health)
//!   3  each second:  links to shards that are gone are closed when they are idle   (close_removed)
//! ```
//!
//! Indices never shift: a pool keeps its own, and so does a shard within its pool. So whatever is
//! under way (requests in flight, procedures, transactions, links that sessions have to themselves)
//! goes on where it began.

use std::sync::Arc;

use super::identities::IdentityLinks;
use super::{Commons, PoolState, Worker};
use crate::admin::counters::WorkerCounters;
use crate::config::Pool;
use crate::route::ring::Ring;
use crate::shard::fault::LinkFault;
use crate::shard::health::{ShardHealth, State};
use crate::shard::link::Owner;
use crate::subscription::Hubs;

/// What a pool is from now on.
#[derive(Debug, Clone)]
pub struct Reshaped {
    /// Its index.
    pub pool: usize,
    /// Its configuration: servers that are gone keep their places in it.
    pub config: Arc<Pool>,
    /// The ring of a pool that is new.
    pub ring: Arc<Ring>,
    /// The shards that are new, in places that are new or that nobody uses any more.
    pub anew: Arc<[usize]>,
    /// Whether links that are open speak to the shards as they are not to be spoken to any more.
    pub outdates_links: bool,
    /// What the workers share of it.
    pub commons: Arc<Commons>,
}

impl Worker {
    /// Takes over a pool's new configuration; the ring of a pool that is there stays for now.
    /// Returns the counters from now on.
    pub(crate) fn adopt(&mut self, reshaped: &Reshaped) -> Arc<WorkerCounters> {
        let Reshaped { pool, config, anew, .. } = reshaped;
        let shards = config.servers.len();
        self.counters = Arc::new(self.counters.grown(*pool, shards, anew));
        match self.pools.get_mut(*pool) {
            None => self.begin_pool(reshaped),
            Some(state) => {
                let before = state.follow(reshaped);
                self.refresh_links(*pool, reshaped.outdates_links);
                self.sessions_follow(*pool, &before);
                self.subscriptions_follow(*pool);
            }
        }
        if config.preconnect {
            self.preconnect(*pool);
        }
        self.start_timers();
        Arc::clone(&self.counters)
    }

    fn begin_pool(&mut self, reshaped: &Reshaped) {
        let mut state = PoolState::new(Arc::clone(&reshaped.config), Arc::clone(&reshaped.ring));
        let registry = self.shared.subscriptions.of_pool(reshaped.pool);
        state.hubs = Hubs::new(reshaped.config.servers.len(), registry);
        state.commons = Arc::clone(&reshaped.commons);
        self.pools.push(state);
    }

    /// Whether anything of this worker still knows the shard by its index.
    pub(crate) fn uses(&self, pool: usize, shard: usize) -> bool {
        let Some(state) = self.pools.get(pool) else { return false };
        let is_linked = self.links.iter().any(|(_, link)| (link.pool, link.shard) == (pool, shard));
        is_linked || state.hubs.look_after(shard)
    }

    /// Whether the pool's new shards have confirmed all that this worker's clients listen to.
    pub(crate) fn is_heard(&self, reshaped: &Reshaped) -> bool {
        let hubs = &self.pools[reshaped.pool].hubs;
        reshaped.anew.iter().all(|&shard| hubs.is_heard(shard))
    }

    fn refresh_links(&mut self, pool: usize, outdates: bool) {
        let config = &self.pools[pool].config;
        for (_, link) in self.links.iter_mut().filter(|(_, link)| link.pool == pool) {
            link.output_limit = config.link_output_limit as usize;
            if link.owner == Owner::Shared && link.pipeline_limit != usize::MAX {
                link.pipeline_limit = config.link_pipeline_limit as usize;
            }
            link.is_outdated |= outdates && link.socket.is_some();
        }
    }

    /// Closes what is open to shards that are gone, and links that are outdated, as far as nothing
    /// is under way on them.
    pub(super) fn close_removed(&mut self, pool: usize) {
        let health = &self.pools[pool].health;
        let is_gone = |shard: usize| health[shard].state == State::Removed;
        if health.iter().all(ShardHealth::is_configured) {
            return;
        }
        let idle: Vec<u32> = self
            .links
            .iter()
            .filter(|(_, link)| link.pool == pool && is_gone(link.shard) && link.is_idle())
            .map(|(number, _)| number as u32)
            .collect();
        for number in idle {
            let link = &mut *self.links[number as usize];
            let shard = link.shard;
            match link.owner {
                Owner::Session(_) => continue,
                Owner::Subscriptions(hub) => {
                    link.owner = Owner::Nobody;
                    self.pools[pool].hubs[hub].let_go(shard);
                }
                Owner::Shared | Owner::Nobody => self.pools[pool].forget_link(number, shard),
            }
            self.end_link(number);
        }
    }

    /// Has links that are outdated opened anew, each when nothing is under way on it. One that is
    /// never idle by itself is given no more requests until it is.
    pub(super) fn renew_outdated(&mut self) {
        let outdated = self.links.iter().filter(|(_, link)| link.is_outdated);
        let outdated: Vec<u32> = outdated.map(|(number, _)| number as u32).collect();
        for number in outdated {
            let link = &mut *self.links[number as usize];
            match link.owner {
                // It goes when its session is done with it, or when its shard closes it: what is
                // published meanwhile would be lost.
                Owner::Session(_) | Owner::Subscriptions(_) => {}
                Owner::Shared | Owner::Nobody => {
                    link.pipeline_limit = 0;
                    self.renew(number);
                }
            }
        }
    }

    /// Closes an outdated link on which nothing is under way; the next request opens it anew.
    #[cold]
    pub(super) fn renew(&mut self, number: u32) {
        let link = &mut *self.links[number as usize];
        if !link.is_outdated || !link.is_idle() {
            return;
        }
        link.is_outdated = false;
        link.pipeline_limit = match link.owner {
            Owner::Shared => self.pools[link.pool].config.link_pipeline_limit as usize,
            _ => usize::MAX,
        };
        if link.socket.is_some() {
            self.fail_link(number, LinkFault::Abandoned);
        }
    }
}

impl PoolState {
    /// Goes on by another configuration, which is returned as it was.
    fn follow(&mut self, reshaped: &Reshaped) -> Arc<Pool> {
        let before = std::mem::replace(&mut self.config, Arc::clone(&reshaped.config));
        let shards = self.config.servers.len();
        self.set_limits();
        self.widen_lanes();
        let now = std::time::Instant::now();
        self.health.resize_with(shards, || ShardHealth::new(now));
        self.private_links.resize(shards, 0);
        self.apart.iter_mut().for_each(|links| links.resize(shards, None));
        let places = shards * self.lanes();
        let in_use = self.identities.iter_mut().filter(|identity| !identity.is_vacant());
        in_use.for_each(|identity| identity.links.resize(places, None));
        self.hubs.follow(shards, &reshaped.anew);
        self.guard.follow(&self.config, &reshaped.anew);
        self.openness = Default::default();
        for &shard in reshaped.anew.iter() {
            self.health[shard] = ShardHealth::new(now);
        }
        before
    }

    /// Makes room for more lanes; there are never fewer, for the sessions that are in them.
    fn widen_lanes(&mut self) {
        let (before, lanes) = (self.lanes(), self.lanes().max(1 + self.native_lanes()));
        if lanes == before {
            return;
        }
        for identity in &mut self.identities {
            let links = std::mem::take(&mut identity.links);
            for shard in links.chunks(before) {
                identity.links.extend_from_slice(shard);
                identity.links.resize(identity.links.len() + lanes - before, None);
            }
        }
        self.set_lanes(lanes);
    }

    /// Nobody finds the link any more.
    fn forget_link(&mut self, number: u32, shard: usize) {
        for links in &mut self.apart {
            links.iter_mut().filter(|link| **link == Some(number)).for_each(|link| *link = None);
        }
        let forget = |identity: &mut IdentityLinks| identity.forget_link(number, shard);
        let was_private = self.identities.iter_mut().map(forget).fold(false, |was, is| was | is);
        self.private_links[shard] -= u32::from(was_private);
    }
}
