//! Clients that have to say a password and have not: what little they may send, be owed and take
//! of our time. The numbers are Redis's own where it has any.

use super::session::{Pause, Special};
use crate::config::Auth;
use crate::resp::{ProtocolError, RequestLimits, RequestScanner};
use crate::shard::doors::Door;
use crate::worker::Worker;

impl Worker {
    /// What the session may send at present.
    #[inline]
    pub(super) fn request_limits(&self, number: u32) -> RequestLimits {
        let session = &self.sessions[number as usize];
        let limits = self.pools[usize::from(session.pool)].request_limits;
        match session.special.has(Special::STRANGER) {
            true => self.limits_of_stranger(number, limits),
            false => limits,
        }
    }

    #[cold]
    fn limits_of_stranger(&self, number: u32, limits: RequestLimits) -> RequestLimits {
        match self.is_locked_out(number) {
            Some(false) => limits,
            // What exceeds them while nothing is known waits until something is.
            Some(true) | None => limits.of_strangers(),
        }
    }

    /// Whether a stranger is one indeed: `None` while the shards were not heard of.
    fn is_locked_out(&self, number: u32) -> Option<bool> {
        let pool = self.pool_of(number);
        if pool.config.who_decides() != Auth::Shard {
            return Some(true);
        }
        match self.door(number) {
            Door::Locked => Some(true),
            Door::Open | Door::Silent => Some(false),
            Door::Unknown if pool.any_shard().is_none() => Some(false),
            Door::Unknown => None,
        }
    }

    /// Before a stranger's next command: its limits, or `None` when it is owed so much that it has
    /// to read first.
    #[cold]
    pub(super) fn limits_before_next(&mut self, number: u32) -> Option<RequestLimits> {
        let limits = self.request_limits(number);
        let session = &mut self.sessions[number as usize];
        if limits.once_known.is_some() && session.waiting_bytes() >= STRANGERS_OUTPUT {
            session.pause = Pause::Replies;
            self.ready.session(session, number);
            return None;
        }
        Some(limits)
    }

    /// Refuses bytes that are no command, unless it must first be found out whether the session is
    /// a stranger: then they wait.
    pub(super) fn refuse_bytes(&mut self, number: u32, bytes: &[u8], error: &ProtocolError) {
        use ProtocolError::{UnauthenticatedBulk, UnauthenticatedMultibulk};
        let for_strangers = matches!(error, UnauthenticatedBulk | UnauthenticatedMultibulk);
        if for_strangers && self.is_locked_out(number).is_none() {
            self.find_out(number);
            return self.keep_for_later(number, bytes, RequestScanner::default());
        }
        self.refuse_protocol(number, error);
    }

    /// Ends the sessions that have been strangers for too long.
    pub(crate) fn end_lasting_strangers(&mut self) {
        let limit = |pool: &crate::worker::PoolState| pool.config.authentication_timeout;
        let period = self.pools.iter().filter_map(limit).map(|time| time.as_secs() / 8).min();
        let Some(period) = period else { return };
        if !u64::from(self.seconds).is_multiple_of(period.max(1)) {
            return;
        }
        let lasting = self.sessions.iter().filter(|(_, session)| {
            let limit = limit(&self.pools[usize::from(session.pool)]);
            session.special.has(Special::STRANGER)
                && session.socket.is_some()
                && limit.is_some_and(|limit| session.since.elapsed() >= limit)
        });
        let lasting: Vec<u32> = lasting.map(|(number, _)| number as u32).collect();
        for number in lasting {
            if self.is_locked_out(number) == Some(true) {
                self.end_stranger(number);
            }
        }
    }

    fn end_stranger(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        // One that does not read what it is owed would never be done with.
        if session.wants_write {
            return self.end_session(number);
        }
        if session.closing {
            return;
        }
        let pool = &self.pool_of(number).config;
        let limit = pool.authentication_timeout.unwrap_or_default();
        tracing::info!(
            pool = pool.name,
            client = session.id,
            "client disconnected: it said no password within authentication_timeout"
        );
        let text = format!("NOAUTH Authentication required within {} ms.", limit.as_millis());
        self.say(number, |writer| writer.error(&text));
        self.finish_session(number);
    }
}

/// A stranger that has this many bytes of replies waiting is not read from. Redis has as much room
/// for it (16 KiB and, since its fix of CVE-2025-21605, 1 KiB more) and then ends it.
const STRANGERS_OUTPUT: usize = 16 * 1024;
/// A stranger is read in pieces of this size: that is what one that does not read may have waiting
/// besides.
pub(crate) const STRANGERS_INPUT: usize = 16 * 1024;
