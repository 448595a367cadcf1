//! EXEC and DISCARD: the end of a transaction.

use super::settle::discarded;
use super::{DISCARD, EXEC, OK, Phase, UNWATCH, error_frame};
use crate::client::session::{Pause, Special};
use crate::reply::slots::Frame;
use crate::resp::write;
use crate::shard::link::Part;
use crate::worker::Worker;

impl Worker {
    pub(super) fn exec(&mut self, number: u32) {
        if self.publishes_unheard(number) && self.postpone(number) {
            return;
        }
        self.sessions[number as usize].postponed = 0;
        self.check_home(number);
        let Some(transaction) = &mut self.sessions[number as usize].transaction else { return };
        if transaction.conclusion.is_none() && !transaction.records.is_empty() {
            self.send_records_of_transaction(number);
        }
        let Some(transaction) = &mut self.sessions[number as usize].transaction else { return };
        match (transaction.phase, transaction.conclusion.take()) {
            (Phase::Collecting, Some(conclusion)) => self.end_here(number, &conclusion),
            (Phase::Collecting, None) if transaction.is_scattered => self.exec_scattered(number),
            (Phase::Collecting, None) => self.exec_in_one_piece(number),
            (_, Some(conclusion)) => self.end_on_private(number, DISCARD, Some(conclusion)),
            (_, None) => self.end_on_private(number, EXEC, None),
        }
    }

    pub(super) fn discard(&mut self, number: u32) {
        match self.sessions[number as usize].private {
            Some(_) => self.end_on_private(number, DISCARD, Some(OK.to_vec())),
            None => {
                self.answer_collected(number);
                self.end_here(number, OK);
            }
        }
    }

    /// An EXEC that is malformed discards the transaction, as in Redis.
    pub(super) fn abort(&mut self, number: u32, text: &[u8]) {
        let conclusion = error_frame(&String::from_utf8_lossy(text));
        let session = &self.sessions[number as usize];
        let is_watching = session
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.phase == Phase::Watching);
        if session.private.is_some() {
            let request = if is_watching { UNWATCH } else { DISCARD };
            return self.end_on_private(number, request, Some(conclusion));
        }
        self.answer_collected(number);
        self.end_here(number, &conclusion);
    }

    /// What EXEC must not be sent over: a link that is lost, and keys that have moved.
    fn check_home(&mut self, number: u32) {
        let moves = self.pool_of(number).moves;
        let session = &self.sessions[number as usize];
        let lost = session.private.as_ref().and_then(|private| {
            let config = &self.pool_of(number).config;
            let fault = private.lost.as_ref()?;
            Some(fault.reply(&config.servers[private.shard].name, &config.name))
        });
        let Some(transaction) = &session.transaction else { return };
        let has_moved = transaction.home.is_some() && transaction.moves != moves;
        if let Some(why) = lost {
            self.doom_with(number, &discarded(&why));
        } else if has_moved {
            self.doom_with(number, &discarded(MOVED));
        }
    }

    /// All of the transaction goes onto the shared link at once.
    fn exec_in_one_piece(&mut self, number: u32) {
        let any = self.pool_of(number).any_shard();
        let db = self.sessions[number as usize].db;
        let session = &mut *self.sessions[number as usize];
        let Some(transaction) = &mut session.transaction else { return };
        let home = transaction.home.as_ref().map(|home| home.shard);
        let Some(shard) = home.or(any) else {
            let why = self.pool_of(number).nobody_in();
            return self.fail_exec(number, why);
        };
        transaction.shard = Some(shard);
        let concerns_session = !transaction.own.is_empty();
        let selects = transaction.selects();
        let last = if concerns_session { Part::Conclusion } else { Part::Whole };
        let mut bytes = std::mem::take(&mut transaction.bytes);
        bytes.extend_from_slice(EXEC);
        if selects {
            // The link is shared: the way back stands right behind.
            write::command(&mut bytes, &["SELECT", &db.to_string()]);
        }
        let sequence = session.replies.reserve();
        let parts = transaction
            .parts()
            .chain([(sequence, last)])
            .chain(selects.then_some((sequence, Part::Unclaimed)));
        if concerns_session {
            transaction.phase = Phase::Ending;
            session.pause = Pause::Procedure;
        }
        if let Err(fault) = self.send_piece(number, shard, bytes, parts) {
            let config = &self.pool_of(number).config;
            self.fail_collected(number, fault.reply(&config.servers[shard].name, &config.name));
            return self.conclude(number, sequence, Frame::Small(b""));
        }
        if !concerns_session {
            self.forget_transaction(number);
        }
    }

    fn fail_exec(&mut self, number: u32, why: String) {
        let conclusion = error_frame(&discarded(&why));
        self.fail_collected(number, why);
        self.end_here(number, &conclusion);
    }

    /// Ends a transaction of which nothing was sent.
    fn end_here(&mut self, number: u32, reply: &[u8]) {
        self.forget_transaction(number);
        self.say(number, |writer| writer.raw(reply));
    }

    /// Sends what ends the transaction, or the watching, on the private link. Commands behind it
    /// may travel on other links: they wait for the reply.
    pub(super) fn end_on_private(
        &mut self,
        number: u32,
        request: &[u8],
        conclusion: Option<Vec<u8>>,
    ) {
        let session = &mut *self.sessions[number as usize];
        let sequence = session.replies.reserve();
        session.pause = Pause::Procedure;
        if let Some(transaction) = &mut session.transaction {
            transaction.phase = Phase::Ending;
            transaction.shard = transaction.home.as_ref().map(|home| home.shard);
            transaction.conclusion = conclusion;
        }
        self.send_private(number, sequence, Part::Conclusion, Frame::Small(request));
    }

    /// The reply that ends a transaction has come.
    #[cold]
    pub(crate) fn conclude(&mut self, number: u32, sequence: u32, frame: Frame<'_>) {
        let session = &mut self.sessions[number as usize];
        let Some(transaction) = &mut session.transaction else {
            return self.answer(number, sequence, frame);
        };
        let conclusion = transaction.conclusion.take();
        let own = std::mem::take(&mut transaction.own);
        let is_altered = transaction.altered || own.iter().any(|own| own.selects());
        let completed = match &conclusion {
            None => self.complete(number, &own, frame.bytes()),
            Some(_) => None,
        };
        if !is_altered {
            self.return_private(number);
        }
        self.forget_transaction(number);
        let session = &mut self.sessions[number as usize];
        if session.pause == Pause::Procedure {
            session.pause = Pause::No;
        }
        session.wake();
        match conclusion.or(completed) {
            Some(reply) => self.answer(number, sequence, Frame::Small(&reply)),
            None => self.answer(number, sequence, frame),
        }
    }

    /// Whether the session takes no command because its transaction ends.
    pub(crate) fn answers_for_transaction(&self, number: u32) -> bool {
        let session = &self.sessions[number as usize];
        session.special.has(Special::TRANSACTION)
            && session
                .transaction
                .as_ref()
                .is_some_and(|transaction| transaction.phase == Phase::Ending)
    }
}

const MOVED: &str = "a shard went or came back since it began, so that its keys may have moved";
