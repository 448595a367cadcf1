//! A transaction whose EXEC is not there when the input is drained: it moves to a private link.

use super::{EXEC, OK, Phase, QUEUED};
use crate::config::CrossShard;
use crate::reply::slots::Frame;
use crate::shard::link::Part;
use crate::worker::Worker;

impl Worker {
    /// The session's input is drained: what was collected is sent on a private link, or answered
    /// here while no shard is known.
    #[cold]
    pub(crate) fn settle_transaction(&mut self, number: u32) {
        let session = &*self.sessions[number as usize];
        let Some(transaction) = &session.transaction else { return };
        let is_postponed = session.postponed > 0;
        if transaction.phase != Phase::Collecting
            || transaction.conclusion.is_some()
            || is_postponed
        {
            return;
        }
        // Where a key of another shard may still come, no link is taken.
        let may_scatter = self.pool_of(number).config.cross_shard == CrossShard::Allow;
        // What is recorded of it must stand right before it.
        let is_recorded = !transaction.records.is_empty();
        if transaction.home.is_none() || session.closing || may_scatter || is_recorded {
            return self.answer_collected(number);
        }
        // What the session sent before on the shared link must be done first; it wakes the session.
        if session.awaits_private_link() {
            self.move_to_private(number);
        }
    }

    fn move_to_private(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        let Some(transaction) = &session.transaction else { return };
        let Some(shard) = transaction.home.as_ref().map(|home| home.shard) else { return };
        if let Err(text) = self.take_private(number, shard) {
            return self.fail_collected(number, text);
        }
        let session = &mut *self.sessions[number as usize];
        let Some(transaction) = &mut session.transaction else { return };
        transaction.phase = Phase::Private;
        let bytes = std::mem::take(&mut transaction.bytes);
        let parts = transaction.parts();
        // The shard answers them now.
        transaction.answered = transaction.collected;
        self.send_piece_private(number, bytes, parts);
    }

    /// Before more is collected than a session may hold for a shard that is known, it is sent.
    pub(super) fn make_room_for(&mut self, number: u32, len: usize) {
        let limit = self.pool_of(number).request_limits.command as usize;
        let session = &*self.sessions[number as usize];
        let Some(transaction) = &session.transaction else { return };
        let wanted = transaction.bytes.len() + len + EXEC.len();
        if transaction.phase != Phase::Collecting || wanted <= COLLECT_UP_TO {
            return;
        }
        self.settle_transaction(number);
        let session = &*self.sessions[number as usize];
        let is_collecting = session
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.phase == Phase::Collecting);
        if is_collecting && wanted > limit.max(COLLECT_UP_TO) {
            let text = format!(
                "ERR the transaction is larger than max_command ({limit} bytes) before its shard \
                 can be asked"
            );
            self.fail_collected(number, text);
        }
    }

    /// The shard cannot be reached: nothing was sent, and EXEC will say so.
    pub(super) fn fail_collected(&mut self, number: u32, text: String) {
        let Some(transaction) = &mut self.sessions[number as usize].transaction else { return };
        transaction.doom(&discarded(&text));
        transaction.fault = Some(text);
        self.answer_collected(number);
    }

    /// Answers what is collected as Redis does, or with the fault that keeps it from its shard.
    pub(super) fn answer_collected(&mut self, number: u32) {
        let Some(transaction) = &mut self.sessions[number as usize].transaction else { return };
        let (from, to) = (transaction.answered, transaction.collected);
        let first = transaction.first;
        transaction.answered = to;
        let error = transaction.fault.as_deref().map(super::error_frame);
        for index in from..to {
            let frame = match &error {
                _ if index == 0 => OK,
                Some(error) => error,
                None => QUEUED,
            };
            self.answer(number, first.wrapping_add(index - from), Frame::Small(frame));
        }
    }
}

impl super::Transaction {
    /// Where the replies to what is collected go.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u32, Part)> + use<> {
        let unclaimed = (0..self.answered).map(|_| (0, Part::Unclaimed));
        let count = self.collected - self.answered;
        let first = self.first;
        unclaimed.chain((0..count).map(move |index| (first.wrapping_add(index), Part::Whole)))
    }
}

/// What EXEC answers when nothing of the transaction was applied, and why.
pub(super) fn discarded(why: &str) -> String {
    let why = why.strip_prefix("ERR ").unwrap_or(why);
    format!("EXECABORT Transaction discarded, nothing of it was applied: {why}")
}

/// From so many bytes on a transaction does not wait for its EXEC here.
const COLLECT_UP_TO: usize = 1024 * 1024;
