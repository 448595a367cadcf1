//! Private links lent for one command that waits: BLPOP has one, WAIT one to each shard.
//!
//! They come back when the command is answered. A session that ends closes them, and with them the
//! waiting: no shard gives an element to a client that is gone.

use bytes::Bytes;

use super::Worker;
use crate::client::moved::Waited;
use crate::client::session::Pause;
use crate::reply::frame;
use crate::reply::slots::Frame;
use crate::resp::write;
use crate::shard::link::Part;

/// A link that a session has for as long as its command waits.
#[derive(Debug)]
pub struct Loan {
    /// The link's number.
    pub link: u32,
    /// The shard it leads to.
    pub shard: usize,
    /// The keys that are waited for.
    pub keys: Vec<Bytes>,
    /// The command, where it can be said again to another shard.
    pub waited: Option<Waited>,
}

impl Worker {
    /// Lends a link to `shard` on which a command may wait longer than the pool's `timeout`; its
    /// number, or what the client reads instead. It is to be used at once or not at all.
    pub(crate) fn lend_to_wait(
        &mut self,
        session: u32,
        shard: usize,
        keys: Vec<Bytes>,
        waited: Option<Waited>,
    ) -> Result<u32, String> {
        let number = self.lend(session, shard)?;
        let loan = Loan { link: number, shard, keys, waited };
        self.sessions[session as usize].loans.push(loan);
        let link = &mut *self.links[number as usize];
        link.patient = true;
        if link.client_id.is_none() {
            // CLIENT UNBLOCK has to name the connection to the shard.
            let mut question = Vec::new();
            write::command(&mut question, &[&b"CLIENT"[..], b"ID"]);
            self.send_on(number, session, number, Part::ClientId, Frame::Small(&question));
        }
        Ok(number)
    }

    /// Lends a link to `shard` for one question to which the pool's `timeout` applies.
    pub(crate) fn lend_to_ask(&mut self, session: u32, shard: usize) -> Result<u32, String> {
        let number = self.lend(session, shard)?;
        let loan = Loan { link: number, shard, keys: Vec::new(), waited: None };
        self.sessions[session as usize].loans.push(loan);
        Ok(number)
    }

    /// A shard has said what it calls a link of ours.
    #[cold]
    pub(super) fn client_id_told(&mut self, link: u32, frame: Frame<'_>) {
        let id = frame::integer(frame.bytes());
        self.links[link as usize].client_id = id.and_then(|id| id.try_into().ok());
    }

    /// The command that the session waited for is answered; it goes on.
    #[cold]
    pub(super) fn unblocked(&mut self, number: u32, sequence: u32, frame: Frame<'_>) {
        if self.waits_again(number, sequence, &frame) {
            return;
        }
        self.return_loans(number);
        let session = &mut self.sessions[number as usize];
        if session.pause == Pause::Blocked {
            session.pause = Pause::No;
            session.wake();
        }
        self.answer(number, sequence, frame);
    }

    /// Takes back what was lent to the session; a link on which a reply is due is closed.
    pub(crate) fn return_loans(&mut self, number: u32) {
        for loan in std::mem::take(&mut self.sessions[number as usize].loans) {
            self.give_back(loan.link);
        }
    }

    /// Closes what was lent to a session that ends.
    pub(super) fn close_loans(&mut self, number: u32) {
        for loan in std::mem::take(&mut self.sessions[number as usize].loans) {
            self.abandon(loan.link);
        }
    }

    /// Lets the sessions go that wait on a shard for a key that lives on another one now: they
    /// would never hear of it.
    pub(super) fn release_moved(&mut self, pool: usize) {
        let ring = &self.pools[pool].ring;
        let has_moved =
            |loan: &Loan| loan.keys.iter().any(|key| ring.shard(key) != Some(loan.shard));
        let moved: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| usize::from(session.pool) == pool)
            .filter(|(_, session)| session.loans.iter().any(has_moved))
            .map(|(_, session)| session.id)
            .collect();
        for id in moved {
            self.release(id);
        }
    }
}
