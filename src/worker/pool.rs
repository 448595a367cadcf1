//! What a worker knows of one pool.

use std::sync::Arc;
use std::time::Instant;

use super::identities::IdentityLinks;
use super::{Commons, Guard};
use crate::client::hold::Hold;
use crate::client::monitor::Monitors;
use crate::client::session::{Session, Special};
use crate::client::standstill::{Standstill, Unfinished};
use crate::client::users::Openness;
use crate::command::Learned;
use crate::config::Pool;
use crate::resp::{Protocol, ReplyLimits, RequestLimits};
use crate::route::ring::Ring;
use crate::shard::connect::Identity;
use crate::shard::fault::LinkFault;
use crate::shard::health::{ShardHealth, State};
use crate::shard::scripts::Seen;
use crate::subscription::Hubs;

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
    /// What holds up commands by order of CLIENT PAUSE.
    pub hold: Option<Hold>,
    /// What must not be sent for the moment, because its keys are about to go home.
    pub standstill: Option<Standstill>,
    /// What was under way beside the shared links when that was asked last.
    pub unfinished: Unfinished,
    /// The links that belong to no identity: on which AUTH is tried, and that say nothing; by
    /// shard.
    pub apart: [Vec<Option<u32>>; 2],
    /// Whether the shards let clients in that say no password, as far as known.
    pub openness: Openness,
    /// Who looks at what clients say.
    pub monitors: Monitors,
    /// Who listens to what, by user.
    pub hubs: Hubs,
    /// What each shard takes for others that are out.
    pub guard: Guard,
    /// The scripts that came with EVAL.
    pub seen_scripts: Seen,
    /// What all workers have in common of the pool.
    pub commons: Arc<Commons>,
    /// Links per shard and identity, the heavy one first.
    lanes: usize,
}

impl PoolState {
    /// The state at start: all shards are in, no link is open.
    pub fn new(config: Arc<Pool>, ring: Arc<Ring>) -> Self {
        let live = ShardHealth::new(Instant::now());
        let mut pool = Self {
            moves: 0,
            health: vec![live; config.servers.len()],
            identities: Vec::new(),
            private_links: vec![0; config.servers.len()],
            guard: Guard::new(&config),
            seen_scripts: Seen::default(),
            commons: Arc::new(Commons::new(config.script_cache)),
            lanes: 1 + config.server_connections as usize,
            hold: None,
            standstill: None,
            unfinished: Unfinished::default(),
            apart: [vec![None; config.servers.len()], vec![None; config.servers.len()]],
            openness: Openness::default(),
            monitors: Monitors::default(),
            learned: Arc::default(),
            hubs: Hubs::new(config.servers.len(), Arc::default()),
            request_limits: request_limits(&config),
            reply_limits: reply_limits(&config),
            timeout: timeout(&config),
            config,
            ring,
        };
        let first = Identity { db: pool.config.redis_db, protocol: Protocol::Resp2, user: None };
        pool.enter(first).expect("there is room for the first identity");
        pool
    }

    /// Takes the limits over from the configuration.
    pub(super) fn set_limits(&mut self) {
        self.request_limits = request_limits(&self.config);
        self.reply_limits = reply_limits(&self.config);
        self.timeout = timeout(&self.config);
    }

    /// Links per shard and identity: the heavy one, then the native ones.
    #[inline]
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    pub(super) fn set_lanes(&mut self, lanes: usize) {
        self.lanes = lanes;
    }

    /// Gives a new session the marks that all sessions of the pool have at present.
    pub fn mark(&self, session: &mut Session) {
        if self.hold.is_some() {
            session.special.set(Special::HELD);
        }
        if self.displaces() {
            session.special.set(Special::DISPLACED);
        }
        if !self.monitors.is_empty() {
            session.special.set(Special::MONITORED);
        }
    }

    /// The number of the link that `session` uses to reach `shard`, if there is one already.
    #[inline]
    pub fn link(&self, session: &Session, shard: usize) -> Option<u32> {
        self.identities[usize::from(session.identity)].links[self.place(session, shard)]
    }

    /// Whether keys live elsewhere than at home because a shard is out or on its way back.
    pub fn displaces(&self) -> bool {
        self.health.iter().any(ShardHealth::displaces)
    }

    /// Shards that take requests or at least fail them: all but the ejected and the removed.
    pub fn members(&self) -> impl Iterator<Item = usize> + '_ {
        let is_member = |&shard: &usize| self.health[shard].has_keys();
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
        // What is on its way to one that was removed is to get there.
        if matches!(health.state, State::Live | State::Returning | State::Removed) {
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
            self.config.shard_count(),
            self.config.name
        )
    }
}

fn request_limits(config: &Pool) -> RequestLimits {
    RequestLimits {
        bulk: config.max_bulk,
        arguments: config.max_arguments,
        inline: config.max_inline,
        command: config.max_command,
        once_known: None,
    }
}

fn reply_limits(config: &Pool) -> ReplyLimits {
    ReplyLimits { reply: config.max_reply, nesting: config.max_nesting }
}

fn timeout(config: &Pool) -> Option<u32> {
    config.timeout.map(|timeout| timeout.as_millis() as u32)
}
