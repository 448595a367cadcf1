//! As whom a pool's sessions speak to the shards: by database, version of RESP and user.
//!
//! Each identity has links of its own, so that a link never carries one user's command as
//! another's. There are at most [`MAX_IDENTITIES`]; one that no session has had for a while is
//! dropped with its links.

use super::private::IdleLinks;
use super::{PoolState, Worker};
use crate::shard::connect::Identity;
use crate::shard::fault::LinkFault;

/// The links of one identity.
#[derive(Debug)]
pub struct IdentityLinks {
    /// As whom they speak.
    pub identity: Identity,
    /// The number of the link, by shard and lane (`server_connections` lanes a shard).
    pub links: Vec<Option<u32>>,
    /// Private links that nobody has.
    pub private: IdleLinks,
    /// Sessions that have it, those that are over but not forgotten included.
    sessions: u32,
    /// The second from which on no session had it.
    unused_since: u32,
    /// Whether it was dropped: the place is free for another.
    is_vacant: bool,
}

impl IdentityLinks {
    /// How many sessions have it, those that are over but not forgotten included.
    pub(super) fn sessions(&self) -> u32 {
        self.sessions
    }

    /// Whether it was dropped.
    pub(super) fn is_vacant(&self) -> bool {
        self.is_vacant
    }

    /// Nobody finds the link to `shard` any more; whether it was a private one.
    pub(super) fn forget_link(&mut self, number: u32, shard: usize) -> bool {
        self.links.iter_mut().filter(|link| **link == Some(number)).for_each(|link| *link = None);
        self.private.forget(number, shard)
    }
}

impl PoolState {
    /// The index of `identity`, if it is entered.
    pub fn identity(&self, identity: &Identity) -> Option<usize> {
        self.identities.iter().position(|known| !known.is_vacant && known.identity == *identity)
    }

    /// Enters a new identity, unless there are too many.
    pub(super) fn enter(&mut self, identity: Identity) -> Option<usize> {
        let entry = IdentityLinks {
            identity,
            links: vec![None; self.config.servers.len() * self.lanes()],
            private: IdleLinks::default(),
            sessions: 0,
            unused_since: 0,
            is_vacant: false,
        };
        if let Some(vacant) = self.identities.iter().position(|known| known.is_vacant) {
            self.identities[vacant] = entry;
            return Some(vacant);
        }
        if self.identities.len() == MAX_IDENTITIES {
            return None;
        }
        self.identities.push(entry);
        Some(self.identities.len() - 1)
    }

    /// Counts a session that has an identity from now on.
    pub(super) fn begin_use(&mut self, identity: usize) {
        self.identities[identity].sessions += 1;
    }

    /// Counts a session that has it no longer.
    pub(super) fn end_use(&mut self, identity: usize, second: u32) {
        self.identities[identity].sessions -= 1;
        self.identities[identity].unused_since = second;
    }

    /// Whether `user`'s shards are known to have database `db`, and let the user select it.
    pub fn has_db(&self, like: &Identity, db: u32) -> bool {
        self.identities.iter().any(|known| {
            !known.is_vacant && known.identity.db == db && known.identity.user == like.user
        })
    }
}

impl Worker {
    /// Lets a session speak as `identity` from now on, or says what the client reads instead.
    pub(crate) fn change_identity(
        &mut self,
        number: u32,
        identity: Identity,
    ) -> Result<(), String> {
        let session = &self.sessions[number as usize];
        let (pool, before) = (usize::from(session.pool), usize::from(session.identity));
        let known = self.pools[pool].identity(&identity);
        let (db, protocol) = (identity.db, identity.protocol);
        let index = match known.or_else(|| self.pools[pool].enter(identity.clone())) {
            Some(index) => index,
            None => {
                self.drop_unused_identities(pool, 0);
                self.pools[pool].enter(identity).ok_or_else(too_many)?
            }
        };
        self.pools[pool].begin_use(index);
        self.pools[pool].end_use(before, self.seconds);
        let session = &mut self.sessions[number as usize];
        (session.db, session.protocol, session.identity) = (db, protocol, index as u16);
        Ok(())
    }

    /// Chooses the links that the session's commands travel on by its database and protocol. A
    /// session for which there are none left is ended: it must not write to another database.
    pub(crate) fn take_identity(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        let identity = Identity {
            db: session.db,
            protocol: session.protocol,
            ..self.identity_of(number).clone()
        };
        if let Err(text) = self.change_identity(number, identity) {
            tracing::warn!(client = session_id(self, number), text, "client disconnected");
            self.end_session(number);
        }
    }

    /// As whom the session speaks.
    pub(crate) fn identity_of(&self, number: u32) -> &Identity {
        let session = &self.sessions[number as usize];
        &self.pool_of(number).identities[usize::from(session.identity)].identity
    }

    /// Drops identities that no session has had for `seconds`.
    pub(super) fn drop_unused_identities(&mut self, pool: usize, seconds: u32) {
        // The first is every session's to start with.
        for index in 1..self.pools[pool].identities.len() {
            let known = &self.pools[pool].identities[index];
            let unused = self.seconds.saturating_sub(known.unused_since);
            if !known.is_vacant && known.sessions == 0 && unused >= seconds {
                self.drop_identity(pool, index);
            }
        }
    }

    fn drop_identity(&mut self, pool: usize, index: usize) {
        let known = &self.pools[pool].identities[index];
        let shared: Vec<u32> = known.links.iter().flatten().copied().collect();
        // A session that has turned to another identity may still be owed replies here.
        if shared.iter().any(|&link| !self.links[link as usize].in_flight.is_empty()) {
            return;
        }
        let known = &mut self.pools[pool].identities[index];
        known.is_vacant = true;
        known.links.clear();
        for (shard, number) in std::mem::take(&mut known.private).into_numbers() {
            self.pools[pool].private_links[shard] -= 1;
            self.end_link(number);
        }
        for number in shared {
            self.end_link(number);
        }
    }

    /// Ends a link for good.
    pub(super) fn end_link(&mut self, number: u32) {
        if self.links[number as usize].socket.is_some() {
            self.fail_link(number, LinkFault::Abandoned);
        }
        self.links[number as usize].retire();
    }
}

fn session_id(worker: &Worker, number: u32) -> u64 {
    worker.sessions[number as usize].id
}

fn too_many() -> String {
    format!(
        "ERR max number of identities reached ({MAX_IDENTITIES} of one worker to one pool; each \
         pair of a user and a database that is in use has one, and one more for RESP3)"
    )
}

/// Identities of one worker to one pool: each can have a connection to each shard, and the shards
/// have 10,000 connections for all by default.
pub const MAX_IDENTITIES: usize = 1024;
/// The links of an identity are kept for so many seconds after the last session that had it: one
/// that comes back within them costs the shards no connection.
pub(super) const KEEP_UNUSED: u32 = 60;
