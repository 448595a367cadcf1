//! Several requests of one session that travel in one piece: nothing of another session can come
//! between them.

use bytes::Bytes;

use super::Worker;
use crate::client::session::Pause;
use crate::outbox::WRITE_THROUGH;
use crate::shard::fault::LinkFault;
use crate::shard::link::{Part, Pending};

impl Worker {
    /// Queues the requests in `bytes` on the link that `session` shares with others; each item of
    /// `parts` says where the reply to one of them goes. Either all are queued, or the fault says
    /// why none is.
    pub(crate) fn send_piece(
        &mut self,
        session: u32,
        shard: usize,
        bytes: Vec<u8>,
        parts: impl Iterator<Item = (u32, Part)>,
    ) -> Result<(), LinkFault> {
        let client = &*self.sessions[session as usize];
        let known = self.pools[usize::from(client.pool)].link(client, shard);
        let number = match known {
            Some(number) if self.links[number as usize].takes_requests() => number,
            _ => self.open_link(session, shard)?,
        };
        self.enter_piece(session, number, bytes, parts);
        Ok(())
    }

    /// Queues the requests in `bytes` on the session's private link, which it must have and which
    /// must not be lost.
    pub(crate) fn send_piece_private(
        &mut self,
        session: u32,
        bytes: Vec<u8>,
        parts: impl Iterator<Item = (u32, Part)>,
    ) {
        if let Some(private) = &self.sessions[session as usize].private {
            self.enter_piece(session, private.number, bytes, parts);
        }
    }

    fn enter_piece(
        &mut self,
        session: u32,
        number: u32,
        bytes: Vec<u8>,
        parts: impl Iterator<Item = (u32, Part)>,
    ) {
        let first = self.pending(session, 0, Part::Whole);
        let client = &mut *self.sessions[session as usize];
        let link = &mut *self.links[number as usize];
        // The first one counts for the bytes of all.
        let mut queued = bytes.len();
        for (sequence, part) in parts {
            client.outstanding += 1;
            let pending = Pending { sequence, part, ..first };
            link.enter(pending, std::mem::take(&mut queued), 0);
        }
        if bytes.len() >= WRITE_THROUGH {
            link.output.push_large(Bytes::from(bytes));
        } else {
            link.output.extend(&bytes, &mut self.spare);
            self.spare.give(bytes);
        }
        self.ready.link(link, number);
        self.pause_for_link(session, number);
    }

    /// Stops reading from the session while the link that it filled has enough queued.
    #[inline]
    pub(super) fn pause_for_link(&mut self, session: u32, number: u32) {
        let client = &mut *self.sessions[session as usize];
        let link = &mut *self.links[number as usize];
        if link.output.len() > link.output_limit && client.pause == Pause::No {
            client.pause = Pause::Link;
            link.blocked.push(session);
        }
    }
}
