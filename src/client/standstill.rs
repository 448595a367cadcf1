//! A moment in which nothing is sent that concerns keys which are about to go home, and what was
//! sent before is waited for. See [`crate::shard::rejoin`].

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::session::Pause;
use super::split::positions;
use crate::command::Spec;
use crate::reply::slots::Frame;
use crate::resp::Request;
use crate::route::ring::Ring;
use crate::shard::link::{Owner, Part};
use crate::worker::Worker;

/// Which keys go home, and until when their commands wait at most.
#[derive(Debug, Clone)]
pub struct Standstill {
    /// Key in, shard out, once the moment is over.
    pub after: Arc<Ring>,
    /// When a worker goes on by itself.
    pub until: Instant,
}

/// What was under way at a certain moment beside the shared links.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// A link, and the session and sequence number of its last request.
    links: Vec<(u32, u32, u32)>,
    /// Sessions with a procedure, and the sequence number that follows.
    procedures: Vec<(u32, u32)>,
}

impl Worker {
    /// From now on commands wait whose keys live elsewhere with the standstill's ring.
    pub(crate) fn halt(&mut self, pool: usize, standstill: Standstill) {
        let until = standstill.until;
        self.pools[pool].standstill = Some(standstill);
        let Some(worker) = self.this.upgrade() else { return };
        tokio::task::spawn_local(async move {
            tokio::time::sleep_until(until.into()).await;
            let worker = &mut *worker.borrow_mut();
            if worker.pools[pool].standstill.as_ref().is_some_and(|now| now.until <= until) {
                worker.go_on(pool);
            }
        });
    }

    /// What waited comes again.
    pub(crate) fn go_on(&mut self, pool: usize) {
        if self.pools[pool].standstill.take().is_none() {
            return;
        }
        for (_, session) in &mut self.sessions {
            if usize::from(session.pool) == pool && session.pause == Pause::Held {
                session.pause = Pause::No;
                session.wake();
            }
        }
    }

    /// Whether the command has to wait for keys to go home; then it comes again.
    #[cold]
    pub(super) fn stands_still(&mut self, number: u32, spec: &Spec, request: &Request<'_>) -> bool {
        let pool = self.pool_of(number);
        let Some(standstill) = &pool.standstill else { return false };
        let goes = |key: &[u8]| pool.ring.shard(key) != standstill.after.shard(key);
        let waits = match spec.name {
            // They would reach some of the shards before the switch and miss the one that returns.
            "flushall" | "flushdb" => true,
            "exec" => self.sessions[number as usize]
                .transaction
                .as_ref()
                .is_some_and(|transaction| transaction.keys().any(goes)),
            _ => positions(spec, request)
                .is_ok_and(|keys| keys.iter().any(|&key| goes(request.arg(key as usize)))),
        };
        if waits {
            self.sessions[number as usize].pause = Pause::Held;
        }
        waits
    }

    /// Each shared link of the pool with requests in flight gets one more, whose reply says that
    /// theirs have come. What is under way elsewhere is noted for [`Self::is_busy_apart`].
    pub(crate) fn mark_ends(&mut self, pool: usize) -> Vec<oneshot::Receiver<Bytes>> {
        let mut ends = Vec::new();
        let mut unfinished = Unfinished::default();
        for (number, link) in self.links.iter().filter(|(_, link)| link.pool == pool) {
            // Its session stays for as long as a reply to it is due.
            let Some(last) = link.in_flight.back() else { continue };
            match link.owner {
                Owner::Shared => ends.push((number as u32, last.session)),
                Owner::Session(_) => {
                    unfinished.links.push((number as u32, last.session, last.sequence));
                }
                Owner::Subscriptions(_) | Owner::Nobody => {}
            }
        }
        for (number, session) in &self.sessions {
            if usize::from(session.pool) == pool && session.pause == Pause::Procedure {
                unfinished.procedures.push((number as u32, session.replies.next_sequence()));
            }
        }
        self.pools[pool].unfinished = unfinished;
        let mark = |(link, session)| {
            let (asker, answer) = oneshot::channel();
            let place = self.askers.insert(asker) as u32;
            self.send_on(link, session, place, Part::Asked, Frame::Small(PING));
            answer
        };
        ends.into_iter().map(mark).collect()
    }

    /// Whether anything noted by [`Self::mark_ends`] is still under way. Commands that may wait for
    /// ever count only where `waiting` says so.
    pub(crate) fn is_busy_apart(&mut self, pool: usize, waiting: bool) -> bool {
        let mut unfinished = std::mem::take(&mut self.pools[pool].unfinished);
        unfinished.links.retain(|&(number, session, sequence)| {
            self.links.get(number as usize).is_some_and(|link| {
                (waiting || !link.patient)
                    && link
                        .in_flight
                        .iter()
                        .any(|pending| (pending.session, pending.sequence) == (session, sequence))
            })
        });
        unfinished.procedures.retain(|&(number, next)| {
            self.sessions.get(number as usize).is_some_and(|session| {
                session.pause == Pause::Procedure && session.replies.next_sequence() == next
            })
        });
        let is_busy = !unfinished.links.is_empty() || !unfinished.procedures.is_empty();
        self.pools[pool].unfinished = unfinished;
        is_busy
    }
}

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
