//! Links that one session has to itself, for what would disturb the others on a shared one: state
//! that a command leaves on a connection (WATCH, an open MULTI), and waiting (BLPOP).
//!
//! A private link is lent to a session and comes back clean, or is closed. It ends with its
//! session: a shard must not go on waiting for a client that is gone.

use super::Worker;
use crate::reply::slots::Frame;
use crate::shard::connect::Identity;
use crate::shard::fault::LinkFault;
use crate::shard::link::{Link, Owner, Part};

/// The link that a session has to itself.
#[derive(Debug)]
pub struct PrivateLink {
    /// Its number.
    pub number: u32,
    /// The shard it leads to.
    pub shard: usize,
    /// Why it failed while the session had it: what was on it is lost.
    pub lost: Option<LinkFault>,
}

/// Private links of one identity to one shard that nobody has at present.
#[derive(Debug, Default)]
pub struct IdleLinks {
    /// By shard.
    idle: Vec<Vec<u32>>,
}

impl IdleLinks {
    /// Takes a link to `shard` away; whether it was there.
    pub(super) fn forget(&mut self, number: u32, shard: usize) -> bool {
        let Some(idle) = self.idle.get_mut(shard) else { return false };
        let before = idle.len();
        idle.retain(|&known| known != number);
        idle.len() < before
    }

    /// The numbers of the links, each with its shard.
    pub(super) fn into_numbers(self) -> impl Iterator<Item = (usize, u32)> {
        let by_shard = self.idle.into_iter().enumerate();
        by_shard.flat_map(|(shard, numbers)| numbers.into_iter().map(move |number| (shard, number)))
    }
}

impl Worker {
    /// Lends a link to `shard` to the session, which must have none, or says what the client
    /// reads instead.
    pub(crate) fn take_private(&mut self, session: u32, shard: usize) -> Result<(), String> {
        debug_assert!(self.sessions[session as usize].private.is_none(), "one private link");
        let number = self.lend(session, shard)?;
        let private = PrivateLink { number, shard, lost: None };
        self.sessions[session as usize].private = Some(Box::new(private));
        Ok(())
    }

    /// Lends a link to `shard` to the session; its number, or what the client reads instead. It
    /// comes back by [`Self::give_back`].
    pub(super) fn lend(&mut self, session: u32, shard: usize) -> Result<u32, String> {
        let client = &self.sessions[session as usize];
        if client.socket.is_none() {
            // A procedure goes on when its client is gone; what was lent has been taken back.
            return Err(CLIENT_GONE.to_owned());
        }
        let (pool, identity) = (usize::from(client.pool), usize::from(client.identity));
        let number = match self.pools[pool].fault(shard) {
            Some(fault) => Err(fault),
            None => self.idle_private(pool, identity, shard)?,
        };
        let ready = number.and_then(|number| match self.links[number as usize].prepare() {
            Ok(()) => Ok(number),
            Err(fault) => {
                self.keep_idle(number);
                Err(fault)
            }
        });
        match ready {
            Ok(number) => {
                self.links[number as usize].owner = Owner::Session(session);
                Ok(number)
            }
            Err(fault) => {
                let config = &self.pools[pool].config;
                Err(fault.reply(&config.servers[shard].name, &config.name))
            }
        }
    }

    /// A private link that nobody has, or a new one while there are not too many.
    fn idle_private(
        &mut self,
        pool: usize,
        identity: usize,
        shard: usize,
    ) -> Result<Result<u32, LinkFault>, String> {
        let state = &mut self.pools[pool];
        let idle = &mut state.identities[identity].private.idle;
        idle.resize_with(state.config.servers.len(), Vec::new);
        if let Some(number) = idle[shard].pop() {
            return Ok(Ok(number));
        }
        let limit = state.config.private_links;
        if state.private_links[shard] >= limit {
            let (shard, pool) = (&state.config.servers[shard].name, &state.config.name);
            return Err(format!(
                "ERR max number of private links reached ({limit} of one worker to shard '{shard}' \
                 of pool '{pool}'; each blocked client, WATCH or open MULTI has one; raise \
                 private_links)"
            ));
        }
        state.private_links[shard] += 1;
        let output_limit = state.config.link_output_limit as usize;
        let as_whom: Identity = state.identities[identity].identity.clone();
        let mut link = Link::new(pool, shard, as_whom, output_limit);
        link.owner = Owner::Nobody;
        Ok(Ok(self.start_link(link)))
    }

    /// Sends a request on the session's private link, which it must have.
    pub(crate) fn send_private(
        &mut self,
        session: u32,
        sequence: u32,
        part: Part,
        request: Frame<'_>,
    ) {
        let client = &mut *self.sessions[session as usize];
        let Some(private) = &client.private else { return };
        let (number, shard, lost) = (private.number, private.shard, private.lost.clone());
        if let Some(fault) = lost {
            client.outstanding += 1;
            let pending = self.pending(session, sequence, part);
            return self.fail(pending, shard, &fault);
        }
        self.send_on(number, session, sequence, part, request);
    }

    /// Sends a request on a link that was lent to the session and has not failed since.
    pub(crate) fn send_on(
        &mut self,
        number: u32,
        session: u32,
        sequence: u32,
        part: Part,
        request: Frame<'_>,
    ) {
        self.sessions[session as usize].outstanding += 1;
        let pending = self.pending(session, sequence, part);
        let link = &mut *self.links[number as usize];
        let before = link.output.len();
        match request {
            Frame::Small(bytes) => link.output.extend(bytes, &mut self.spare),
            Frame::Large(bytes) => link.output.push_large(bytes),
        }
        link.enter(pending, link.output.len() - before, 0);
        self.ready.link(link, number);
        self.pause_for_link(session, number);
    }

    /// The session needs its private link no longer and has left nothing on it.
    pub(crate) fn return_private(&mut self, session: u32) {
        if let Some(private) = self.sessions[session as usize].private.take() {
            self.give_back(private.number);
        }
    }

    /// Takes a link back that was lent and that nothing was left on, or closes it if anything was.
    pub(crate) fn give_back(&mut self, number: u32) {
        let link = &mut *self.links[number as usize];
        if !link.in_flight.is_empty() || link.is_marked || link.is_outdated {
            return self.abandon(number);
        }
        link.owner = Owner::Nobody;
        link.patient = false;
        self.keep_idle(number);
    }

    /// The session needs its private link no longer; what it left there goes with the connection.
    pub(crate) fn close_private(&mut self, session: u32) {
        if let Some(private) = self.sessions[session as usize].private.take() {
            self.abandon(private.number);
        }
    }

    /// Takes a link back that was lent; its connection is closed, and with it what was left there.
    pub(super) fn abandon(&mut self, number: u32) {
        let link = &mut *self.links[number as usize];
        link.owner = Owner::Nobody;
        link.patient = false;
        self.fail_link(number, LinkFault::Abandoned);
        self.keep_idle(number);
    }

    /// Keeps a link that nobody has for the next, or ends it when there are enough.
    fn keep_idle(&mut self, number: u32) {
        let link = &mut *self.links[number as usize];
        let (pool, shard) = (link.pool, link.shard);
        let state = &mut self.pools[pool];
        if let Some(identity) = state.identity(&link.identity) {
            let idle = &mut state.identities[identity].private.idle;
            idle.resize_with(state.config.servers.len(), Vec::new);
            if idle[shard].len() < KEEP_IDLE && state.health[shard].is_configured() {
                return idle[shard].push(number);
            }
        }
        state.private_links[shard] -= 1;
        self.end_link(number);
    }

    /// The connection of a private link is over: its session must not go on as if what it left
    /// there (WATCH, MULTI) were still there.
    pub(super) fn private_lost(&mut self, number: u32, session: u32, fault: &LinkFault) {
        if let Some(session) = self.sessions.get_mut(session as usize)
            && let Some(private) = &mut session.private
            && private.number == number
        {
            private.lost = Some(fault.clone());
        }
    }
}

/// Read by nobody.
const CLIENT_GONE: &str = "ERR the client is gone";
/// Idle private links of one identity to one shard that are kept: connecting anew costs a
/// blocking command a round trip or two, a kept connection costs the shard some 20 KiB.
const KEEP_IDLE: usize = 16;
