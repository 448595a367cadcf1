//! Clients that say nothing for longer than `client_idle_timeout` are disconnected.
//!
//! A tenth of the sessions is looked at ten times a second, so that a hundred thousand of them hold
//! nobody up. Exempt is, as in Redis, who listens: subscribers, monitors, and who waits for a reply;
//! and who has not yet read what it was sent, whom `tcp_user_timeout` is for.

use std::time::Duration;

use super::Worker;
use crate::client::session::{Pause, Session, Special};

impl Worker {
    /// Looks at the next tenth of the sessions.
    pub(crate) fn sweep_idle(&mut self) {
        let places = self.sessions.capacity();
        let share = places.div_ceil(TURNS);
        let from = if self.idle_from >= places { 0 } else { self.idle_from };
        self.idle_from = from + share;
        for number in from..(from + share).min(places) {
            let Some(session) = self.sessions.get(number) else { continue };
            let limit = self.pools[usize::from(session.pool)].config.client_idle_timeout;
            if limit.is_zero() || self.heard_within(session, limit) || waits(session) {
                continue;
            }
            tracing::info!(
                pool = self.pools[usize::from(session.pool)].config.name,
                client = session.id,
                "client disconnected: client_idle_timeout"
            );
            self.end_session(number as u32);
        }
    }

    /// The clock of `heard_at` ticks once a second: what it says may be almost one too much.
    fn heard_within(&self, session: &Session, limit: Duration) -> bool {
        let seconds = self.seconds.saturating_sub(session.heard_at).saturating_sub(1);
        Duration::from_secs(u64::from(seconds)) < limit
    }
}

/// Whether the session is owed something, or listens.
fn waits(session: &Session) -> bool {
    session.socket.is_none()
        || session.special.has(Special::SUBSCRIBER)
        || session.pause != Pause::No
        || !session.replies.is_empty()
        || !session.output.is_empty()
        || session.about.as_ref().is_some_and(|about| about.is_monitor)
}

/// Turns in which all sessions are looked at; one a tenth of a second.
pub(super) const TURNS: usize = 10;
