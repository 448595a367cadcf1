//! What a worker knows of one pool.

use std::sync::Arc;
use std::time::Instant;

use super::private::IdleLinks;
use crate::client::session::Session;
use crate::command::Learned;
use crate::config::Pool;
use crate::resp::{Protocol, ReplyLimits, RequestLimits};
use crate::route::ring::Ring;
use crate::shard::connect::Identity;
use crate::shard::fault::LinkFault;
use crate::shard::health::{ShardHealth, State};
use crate::shard::scripts::Seen;
use crate::subscription::Hub;

/// The pool's configuration, who is in, and the links that are open.
#[derive(Debug)]
pub struct PoolState {
    /// As configured.
    pub config: Arc<Pool>,
    /// Key in, live shard out.
    pub ring: Arc<Ring>,
    /// How often keys have moved because a shard went or came back.
    pub moves: u32,
    /// The health of each shard.
    pub health: Vec<ShardHealth>,
    /// The links by identity; sessions hold the index.
    pub identities: Vec<IdentityLinks>,
    /// What the shards have beyond the command table.
    pub learned: Arc<Learned>,
    /// What clients may send.
    pub request_limits: RequestLimits,
    /// What shards may send.
    pub reply_limits: ReplyLimits,
    /// `timeout` in milliseconds; `None` waits for ever.
    pub timeout: Option<u32>,
    /// How many private links there are to each shard, lent or idle.
    pub private_links: Vec<u32>,
    /// Who listens to what.
    pub hub: Hub,
    /// The scripts that came with EVAL.
    pub seen_scripts: Seen,
}

/// The links of one identity.
#[derive(Debug)]
pub struct IdentityLinks {
    /// As whom they speak.
    pub identity: Identity,
    /// The number of the link, by shard and lane (`server_connections` lanes a shard).
    pub links: Vec<Option<u32>>,
    /// Private links that nobody has.
    pub private: IdleLinks,
}

impl PoolState {
    /// The state at start: all shards are in, no link is open.
    pub fn new(config: Arc<Pool>, ring: Arc<Ring>) -> Self {
        let live = ShardHealth { state: State::Live, since: Instant::now(), cause: "".into() };
        let mut pool = Self {
            moves: 0,
            health: vec![live; config.servers.len()],
            identities: Vec::new(),
            private_links: vec![0; config.servers.len()],
            seen_scripts: Seen::default(),
            learned: Arc::default(),
            hub: Hub::new(config.servers.len()),
            request_limits: RequestLimits {
                bulk: config.max_bulk,
                arguments: config.max_arguments,
                inline: config.max_inline,
                command: config.max_command,
            },
            reply_limits: ReplyLimits { reply: config.max_reply, nesting: config.max_nesting },
            timeout: config.timeout.map(|timeout| timeout.as_millis() as u32),
            config,
            ring,
        };
        pool.identity(Identity { db: pool.config.redis_db, protocol: Protocol::Resp2 });
        pool
    }

    /// The index of `identity`, which is entered when it is new.
    pub fn identity(&mut self, identity: Identity) -> usize {
        let known = self.identities.iter().position(|known| known.identity == identity);
        known.unwrap_or_else(|| {
            let links = vec![None; self.config.servers.len() * self.lanes()];
            let private = IdleLinks::default();
            self.identities.push(IdentityLinks { identity, links, private });
            self.identities.len() - 1
        })
    }

    /// Whether the shards are known to have database `db`.
    pub fn has_db(&self, db: u32) -> bool {
        self.identities.iter().any(|known| known.identity.db == db)
    }

    /// Links per shard and identity.
    #[inline]
    pub fn lanes(&self) -> usize {
        self.config.server_connections as usize
    }

    /// The place, among an identity's links, of the one that `session` uses to reach `shard`.
    #[inline]
    pub fn place(&self, session: &Session, shard: usize) -> usize {
        match self.lanes() {
            1 => shard,
            lanes => shard * lanes + session.id as usize % lanes,
        }
    }

    /// The number of the link that `session` uses to reach `shard`, if there is one already.
    #[inline]
    pub fn link(&self, session: &Session, shard: usize) -> Option<u32> {
        self.identities[usize::from(session.identity)].links[self.place(session, shard)]
    }

    /// Shards that take requests or at least fail them: all but the ejected.
    pub fn members(&self) -> impl Iterator<Item = usize> + '_ {
        let is_member = |&shard: &usize| self.health[shard].state != State::Ejected;
        (0..self.health.len()).filter(is_member)
    }

    /// The shard for commands that any shard can answer.
    pub fn any_shard(&self) -> Option<usize> {
        let live = self.health.iter().position(|health| health.state == State::Live);
        live.or_else(|| self.members().next())
    }

    /// Why requests to `shard` fail at once, when they do.
    #[inline]
    pub fn fault(&self, shard: usize) -> Option<LinkFault> {
        let health = &self.health[shard];
        if health.state == State::Live {
            return None;
        }
        let seconds = health.since.elapsed().as_secs_f64();
        Some(LinkFault::Out(format!("down for {seconds:.1} s, {}", health.cause).into()))
    }

    /// The error reply when no shard is in.
    pub fn nobody_in(&self) -> String {
        format!(
            "ERR Connection refused (all {} shards of pool '{}' are ejected; the first that \
             answers its heartbeats again gets its keys back)",
            self.config.servers.len(),
            self.config.name
        )
    }
}
