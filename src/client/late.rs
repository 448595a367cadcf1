//! Commands that waited in their session's input: behind a pause, and perhaps for too long.
//!
//! A command's time runs from when it was read. What waited longer than the pool's `timeout` before
//! it could be sent is not sent any more, and its client reads the same error as if it had been.
//! Time for which the client wanted to wait (BLPOP), or was told to (CLIENT PAUSE), does not count.

use super::session::Special;
use crate::command::{Handling, Spec, keys};
use crate::resp::Request;
use crate::worker::Worker;

impl Worker {
    /// The session's commands that are handled next arrived at `arrived_at`, or just now.
    pub(super) fn begin_waited(&mut self, number: u32, arrived_at: Option<u32>) {
        let Some(at) = arrived_at else { return };
        self.clock.set_arrival(at);
        let Some(timeout) = self.pool_of(number).timeout else { return };
        if self.clock.micros().wrapping_sub(at) / 1_000 > timeout {
            self.sessions[number as usize].special.set(Special::LATE);
        }
    }

    /// What waited is handled, or waits again.
    pub(super) fn end_waited(&mut self, number: u32) {
        self.clock.set_arrival(self.clock.micros());
        self.sessions[number as usize].special.clear(Special::LATE);
    }

    /// Answers a command that arrived too long ago with an error, if it would go to a shard now.
    /// What belongs to a transaction goes on: the shard decides of it as a whole.
    #[cold]
    pub(super) fn refuses_late(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
    ) -> bool {
        let may_wait = match spec.handling {
            Handling::Blocking
            | Handling::Local(_)
            | Handling::Refused(_)
            | Handling::Subscription
            | Handling::Transaction => true,
            Handling::KeyedUnlessBlocking => keys::blocks(request),
            _ => false,
        };
        let special = self.sessions[number as usize].special;
        if may_wait || special.has(Special::TRANSACTION) || special.has(Special::SUBSCRIBER) {
            return false;
        }
        let pool = usize::from(self.sessions[number as usize].pool);
        self.counters.pools[pool].forward_error.add(1);
        let text = format!(
            "ERR Connection timed out (pool '{}': the command waited longer than timeout behind \
             others of its client; it was not sent)",
            self.pools[pool].config.name
        );
        self.say(number, |writer| writer.error(&text));
        true
    }
}
