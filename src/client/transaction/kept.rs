//! Transactions over which a reload of the configuration comes: they are completed where they began.

use std::sync::Arc;

use super::Phase;
use crate::resp::{Protocol, Writer};
use crate::route::ring::Ring;
use crate::worker::Worker;

impl Worker {
    /// Transactions that know where they take place go on by the ring they began with. A key that is
    /// watched and lives elsewhere now counts as touched: what the client has read of it since may be
    /// another's.
    pub(crate) fn keep_transactions(&mut self, pool: usize, before: &Arc<Ring>) {
        let after = Arc::clone(&self.pools[pool].ring);
        for (_, session) in &mut self.sessions {
            let protocol = session.protocol;
            let Some(transaction) = &mut session.transaction else { continue };
            let Some(home) = &transaction.home else { continue };
            if usize::from(session.pool) != pool || transaction.phase == Phase::Ending {
                continue;
            }
            let is_watching = session.private.is_some() && transaction.phase == Phase::Watching;
            if is_watching && after.shard(&home.key) != Some(home.shard) {
                transaction.conclusion.get_or_insert_with(|| null(protocol));
            }
            transaction.ring.get_or_insert_with(|| Arc::clone(before));
        }
    }

    /// The ring by which the session's transaction finds its shard.
    pub(super) fn ring_of_transaction(&self, number: u32) -> &Ring {
        let transaction = &self.sessions[number as usize].transaction;
        let kept = transaction.as_ref().and_then(|transaction| transaction.ring.as_deref());
        kept.unwrap_or_else(|| self.ring_of(number))
    }
}

/// EXEC's reply when a watched key was touched.
fn null(protocol: Protocol) -> Vec<u8> {
    let mut reply = Vec::new();
    Writer::new(&mut reply, protocol).null_array();
    reply
}
