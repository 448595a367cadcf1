//! Links of a worker: requests onto them, and what follows when they fail.

use std::sync::Arc;

use super::{Worker, pairing};
use crate::client::session::Pause;
use crate::hotkeys::big::BIG;
use crate::outbox::SpareBuffers;
use crate::reply::slots::Frame;
use crate::resp::write::error_frame;
use crate::route::ring::Ring;
use crate::shard::fault::LinkFault;
use crate::shard::health::{Failure, ShardHealth, State};
use crate::shard::link::{Link, LinkState, Owner, Part, Pending};
use crate::shard::scripts::Loaded;

impl Worker {
    /// Opens the links of the pool's first identity, as `preconnect` wants.
    pub(crate) fn preconnect(&mut self, pool: usize) {
        for place in 0..self.pools[pool].identities[0].links.len() {
            let state = &self.pools[pool];
            let is_known = state.identities[0].links[place].is_some();
            let is_removed = state.config.servers[place / state.lanes()].is_removed;
            if state.is_heavy_place(place) || is_known || is_removed {
                continue;
            }
            let number = self.add_link(pool, 0, place);
            let _ = self.links[number as usize].prepare();
        }
    }

    fn add_link(&mut self, pool: usize, identity: usize, place: usize) -> u32 {
        let shard = place / self.pools[pool].lanes();
        let config = &self.pools[pool].config;
        let limit = config.link_output_limit as usize;
        let most = config.link_pipeline_limit as usize;
        let links = &self.pools[pool].identities[identity];
        let mut link = Link::new(pool, shard, links.identity.clone(), limit);
        link.pipeline_limit = most;
        link.is_heavy = self.pools[pool].is_heavy_place(place);
        let number = self.start_link(link);
        self.pools[pool].identities[identity].links[place] = Some(number);
        number
    }

    /// Gives a link its number and its task.
    pub(crate) fn start_link(&mut self, link: Link) -> u32 {
        let number = self.links.insert(Box::new(link)) as u32;
        if let Some(this) = self.this.upgrade() {
            tokio::task::spawn_local(pairing::run(this, number));
        }
        number
    }

    /// Queues a request of `session` for `shard`; its reply goes to `sequence`. A shard that is
    /// known to be out answers at once with an error.
    #[inline]
    pub(crate) fn send(
        &mut self,
        session: u32,
        sequence: u32,
        part: Part,
        shard: usize,
        request: Frame<'_>,
    ) {
        if request.bytes().len() >= BIG {
            self.note_big_request(session, request.bytes());
        }
        self.send_with(session, sequence, part, shard, |link, spare| link.queue(request, spare));
    }

    /// Like [`Self::send`] for a request that `write` puts into the link's outbox, but for the
    /// bytes that it wrote to the socket at once, whose number it returns.
    #[inline]
    pub(crate) fn send_with(
        &mut self,
        session: u32,
        sequence: u32,
        part: Part,
        shard: usize,
        write: impl FnOnce(&mut Link, &mut SpareBuffers) -> usize,
    ) {
        self.sessions[session as usize].outstanding += 1;
        let pending = self.pending(session, sequence, part);
        let client = &*self.sessions[session as usize];
        let known = self.pools[usize::from(client.pool)].link(client, shard);
        let number = match known {
            Some(number) if self.links[number as usize].takes_requests() => number,
            _ => match self.open_link(session, shard) {
                Ok(number) => number,
                Err(fault) => return self.fail(pending, shard, &fault),
            },
        };
        let client = &mut *self.sessions[session as usize];
        let link = &mut *self.links[number as usize];
        let before = link.output.len();
        let written = write(link, &mut self.spare);
        link.enter(pending, link.output.len() - before, written);
        self.ready.link(link, number);
        if link.is_full() && client.pause == Pause::No {
            client.pause = Pause::Link;
            link.blocked.push(session);
        }
    }

    /// Makes the link that `session` uses to reach `shard` ready for requests, if the shard is in
    /// and was not found dead a moment ago.
    #[cold]
    pub(super) fn open_link(&mut self, session: u32, shard: usize) -> Result<u32, LinkFault> {
        let client = &self.sessions[session as usize];
        let pool = usize::from(client.pool);
        if let Some(fault) = self.pools[pool].fault(shard) {
            return Err(fault);
        }
        let identity = usize::from(client.identity);
        let place = self.pools[pool].place(client, shard);
        let known = self.pools[pool].identities[identity].links[place];
        let number = known.unwrap_or_else(|| self.add_link(pool, identity, place));
        self.links[number as usize].prepare()?;
        Ok(number)
    }

    /// Answers one request with the error that `fault` is.
    pub(crate) fn fail(&mut self, pending: Pending, shard: usize, fault: &LinkFault) {
        let pool = usize::from(self.sessions[pending.session as usize].pool);
        self.counters.pools[pool].forward_error.add(1);
        self.counters.pools[pool].shards[shard].failed_requests[fault.kind() as usize].add(1);
        let error = self.error_reply(pool, shard, fault);
        self.note_fault(&pending, shard, fault);
        self.deliver(pending, Frame::Small(&error));
    }

    pub(super) fn error_reply(&self, pool: usize, shard: usize, fault: &LinkFault) -> Vec<u8> {
        let config = &self.pools[pool].config;
        error_frame(&fault.reply(&config.servers[shard].name, &config.name))
    }

    /// Ends the link's connection: every request in flight on it, and no other, is answered with
    /// an error.
    pub(crate) fn fail_link(&mut self, number: u32, fault: LinkFault) {
        let link = &mut *self.links[number as usize];
        let (pool, shard) = (link.pool, link.shard);
        let was_idle = link.in_flight.is_empty();
        // A shard ends the connections of a user that an administrator changes.
        let is_expected = match link.identity.user {
            Some(_) => fault.ends_connection(),
            // Redis closes idle connections by its own `timeout`: that is no failure of the shard.
            None => fault == LinkFault::Closed && was_idle,
        };
        let in_flight = std::mem::take(&mut link.in_flight);
        let unsent = std::mem::take(&mut link.unsent);
        if link.socket.take().is_some() {
            self.counters.pools[pool].shards[shard].server_connections.sub(1);
        }
        link.output.clear(&mut self.spare);
        link.kept.clear(link.requests, &mut self.spare);
        link.partial = None;
        link.wants_write = false;
        (link.client_id, link.is_marked) = (None, false);
        link.loaded = Loaded::default();
        (link.silent_since, link.late_told_at) = (None, None);
        (link.is_probed, link.is_outdated) = (false, false);
        link.back_off(&fault);
        link.wake();
        if fault.blames_shard() && !is_expected {
            self.report(pool, shard, &fault, "link to shard failed");
        }
        let error = self.error_reply(pool, shard, &fault);
        let failed = in_flight.iter().filter(|pending| pending.part != Part::TimedOut).count();
        let counters = &self.counters.pools[pool];
        // As twemproxy counts: one that was sent and has failed was forwarded all the same.
        counters.forward_error.add(unsent as u64);
        counters.shards[shard].failed_requests[fault.kind() as usize].add(failed as u64);
        match self.links[number as usize].owner {
            Owner::Session(session) => self.private_lost(number, session, &fault),
            Owner::Subscriptions(_) => self.subscriptions_lost(number, &fault),
            Owner::Shared | Owner::Nobody => {}
        }
        for pending in in_flight {
            self.note_fault(&pending, shard, &fault);
            self.deliver(pending, Frame::Small(&error));
        }
        self.unblock_sessions(number);
    }

    /// Counts and logs a failure of a shard, and lets health hear of it.
    pub(super) fn report(&self, pool: usize, shard: usize, fault: &LinkFault, what: &str) {
        let counters = &self.counters.pools[pool].shards[shard];
        counters.link_failures[fault.kind() as usize].add(1);
        match fault {
            LinkFault::Closed => counters.server_eof.add(1),
            LinkFault::ReplyTimeout | LinkFault::ConnectTimeout => counters.server_timedout.add(1),
            _ => counters.server_err.add(1),
        }
        let cause: Arc<str> = fault.cause().into();
        tracing::warn!(
            pool = self.pools[pool].config.name,
            shard = self.pools[pool].config.servers[shard].name,
            cause = &*cause,
            "{what}"
        );
        // The control thread is gone only when the process ends.
        let is_timeout = *fault == LinkFault::ReplyTimeout;
        let _ = self.failures.send(Failure { is_timeout, ..Failure::now(pool, shard, cause) });
    }

    /// Takes over what the control thread found out about a pool's shards.
    pub fn apply_health(&mut self, pool: usize, health: &[ShardHealth], ring: Arc<Ring>) {
        let before = std::mem::replace(&mut self.pools[pool].health, health.to_vec());
        let old = std::mem::replace(&mut self.pools[pool].ring, ring);
        let has_moved = |(before, after): (&ShardHealth, &ShardHealth)| {
            before.is_configured() && after.is_configured() && before.share != after.share
        };
        if before.iter().zip(health).any(has_moved) {
            self.pools[pool].moves += 1;
        }
        let is_reloaded = !self.pools[pool].ring.has_plan_of(&old);
        if is_reloaded {
            self.keep_transactions(pool, &old);
        }
        self.mark_displaced(pool);
        let concerned: Vec<u32> = self
            .links
            .iter()
            .filter(|(_, link)| link.pool == pool)
            .filter(|(_, link)| before[link.shard].state != health[link.shard].state)
            .map(|(number, _)| number as u32)
            .collect();
        for number in concerned {
            let shard = self.links[number as usize].shard;
            match self.pools[pool].fault(shard) {
                Some(fault) => self.fail_link(number, fault),
                None => self.links[number as usize].forgive(),
            }
        }
        if self.pools[pool].config.preconnect {
            self.reconnect_live(pool);
        }
        self.subscriptions_follow(pool);
        match is_reloaded {
            true => self.resend_moved(pool),
            false => self.release_moved(pool),
        }
    }

    fn reconnect_live(&mut self, pool: usize) {
        for (_, link) in &mut self.links {
            let is_live = self.pools[pool].health[link.shard].state == State::Live;
            let is_native = link.owner == Owner::Shared && !link.is_heavy;
            let is_idle = is_native && matches!(link.state, LinkState::Idle);
            if link.pool == pool && is_live && is_idle {
                let _ = link.prepare();
            }
        }
    }
}
