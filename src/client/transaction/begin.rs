//! MULTI and WATCH, and what a session may do between them.
//!
//! WATCH travels on a private link, the commands between it and MULTI on the shared ones. So that
//! what they read is not older than the watch, they wait until WATCH is answered; so that EXEC does
//! not overtake them, MULTI waits until they are. To send them on the private link as well would
//! order them with one shard only, and would need a second way for split and merged commands.

use super::{MULTI, OK, Phase, Transaction, UNWATCH};
use crate::client::session::Special;
use crate::client::split::positions;
use crate::command::{Handling, Local, Spec};
use crate::reply::slots::Frame;
use crate::resp::{Request, write};
use crate::shard::link::Part;
use crate::worker::Worker;

impl Worker {
    pub(super) fn multi(&mut self, number: u32) {
        let moves = self.pool_of(number).moves;
        let bytes = match self.sessions[number as usize].transaction {
            Some(_) => return self.multi_after_watch(number),
            None => self.spare.take(),
        };
        let session = &mut *self.sessions[number as usize];
        let mut transaction = Transaction::new(Phase::Collecting, moves);
        transaction.bytes = bytes;
        transaction.collect(session.replies.reserve(), MULTI);
        session.transaction = Some(Box::new(transaction));
        session.special.set(Special::TRANSACTION);
    }

    fn multi_after_watch(&mut self, number: u32) {
        if !self.is_drained(number) {
            return;
        }
        self.follow_identity(number);
        let is_lost = self.has_lost_private(number);
        let session = &mut *self.sessions[number as usize];
        if let Some(transaction) = &mut session.transaction {
            transaction.phase = Phase::Private;
        }
        if is_lost {
            return self.say(number, |writer| writer.simple("OK"));
        }
        let sequence = session.replies.reserve();
        self.send_private(number, sequence, Part::Whole, Frame::Small(MULTI));
    }

    pub(super) fn watch(&mut self, number: u32, spec: &'static Spec, request: &Request<'_>) {
        let keys = match positions(spec, request) {
            Ok(keys) => keys,
            Err(error) => return self.say(number, |writer| writer.error(&error.to_string())),
        };
        for &key in &keys {
            let key = request.arg(key as usize);
            let Some(shard) = self.ring_of_transaction(number).shard(key) else {
                return self.refuse_nobody_in(number);
            };
            let first = request.arg(keys[0] as usize);
            let home = &self.sessions[number as usize].transaction;
            let home = home.as_ref().and_then(|transaction| transaction.home.as_ref());
            let expected = home
                .map(|home| home.shard)
                .or_else(|| self.ring_of_transaction(number).shard(first));
            if expected != Some(shard) {
                let other = home.map_or_else(|| first.to_vec(), |home| home.key.clone());
                return self.refuse_stray(number, spec, &other, key);
            }
        }
        if self.is_drained(number) && self.begin_watching(number, request.arg(keys[0] as usize)) {
            self.send_watch(number, request);
        }
    }

    /// Takes a private link unless there is one; whether there is one now.
    fn begin_watching(&mut self, number: u32, key: &[u8]) -> bool {
        if self.sessions[number as usize].transaction.is_some() {
            return true;
        }
        let Some(shard) = self.ring_of_transaction(number).shard(key) else { return false };
        if let Err(text) = self.take_private(number, shard) {
            self.say(number, |writer| writer.error(&text));
            return false;
        }
        let mut transaction = Transaction::new(Phase::Watching, self.pool_of(number).moves);
        transaction.home = Some(super::Home { shard, key: key.to_vec() });
        let session = &mut self.sessions[number as usize];
        session.transaction = Some(Box::new(transaction));
        session.special.set(Special::TRANSACTION);
        true
    }

    fn send_watch(&mut self, number: u32, request: &Request<'_>) {
        if self.has_lost_private(number) {
            // What was watched is lost, so that EXEC will abort in any case.
            return self.say(number, |writer| writer.simple("OK"));
        }
        self.follow_identity(number);
        let session = &mut *self.sessions[number as usize];
        if let Some(transaction) = &mut session.transaction {
            transaction.watch_in_flight = true;
        }
        let sequence = session.replies.reserve();
        self.send_private(number, sequence, Part::Whole, Frame::Small(request.wire()));
    }

    pub(super) fn unwatch(&mut self, number: u32) {
        match self.sessions[number as usize].transaction {
            Some(_) => self.end_on_private(number, UNWATCH, Some(OK.to_vec())),
            None => self.say(number, |writer| writer.simple("OK")),
        }
    }

    /// What a session that watches keys, and is not behind MULTI, may have handled as usual now.
    pub(super) fn admits_while_watching(&mut self, number: u32, spec: &'static Spec) -> bool {
        match spec.handling {
            Handling::Transaction => return true,
            Handling::Local(Local::Quit | Local::Reset) => return self.leave_transaction(number),
            _ => {}
        }
        let transaction = &self.sessions[number as usize].transaction;
        if transaction.as_ref().is_some_and(|transaction| transaction.watch_in_flight) {
            if !self.is_drained(number) {
                return false;
            }
            if let Some(transaction) = &mut self.sessions[number as usize].transaction {
                transaction.watch_in_flight = false;
            }
        }
        true
    }

    /// The private link learns of the database and the version of RESP that the session has chosen
    /// since it was taken.
    fn follow_identity(&mut self, number: u32) {
        let session = &*self.sessions[number as usize];
        let Some(private) = session.private.as_ref().filter(|private| private.lost.is_none())
        else {
            return;
        };
        let known = &self.links[private.number as usize].identity;
        let mut bytes = Vec::new();
        let mut commands = 0;
        if known.protocol != session.protocol || self.was_altered(number) {
            let protocol = session.protocol.number().to_string();
            write::command(&mut bytes, &["HELLO", &protocol]);
            commands += 1;
        }
        if known.db != session.db || self.was_altered(number) {
            write::command(&mut bytes, &["SELECT", &session.db.to_string()]);
            commands += 1;
        }
        if commands > 0 {
            let parts = (0..commands).map(|_| (0, Part::Unclaimed));
            self.send_piece_private(number, bytes, parts);
            if let Some(transaction) = &mut self.sessions[number as usize].transaction {
                transaction.altered = true;
            }
        }
    }

    fn was_altered(&self, number: u32) -> bool {
        let transaction = &self.sessions[number as usize].transaction;
        transaction.as_ref().is_some_and(|transaction| transaction.altered)
    }

    /// Whether the connection under the session's private link is over.
    pub(super) fn has_lost_private(&self, number: u32) -> bool {
        let private = &self.sessions[number as usize].private;
        private.as_ref().is_some_and(|private| private.lost.is_some())
    }
}
