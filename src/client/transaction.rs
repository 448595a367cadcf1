//! MULTI, EXEC, DISCARD, WATCH, UNWATCH: transactions on one shard, that of the first key.
//!
//! ```text
//!                  ┌─ EXEC came with the rest ──► MULTI … EXEC in one piece on the shared link
//!  MULTI ─► collect┤
//!                  └─ the input is drained ─────► MULTI … on a private link, the rest as it comes
//!  WATCH ─► private link ─► MULTI ──────────────► on that link
//! ```
//!
//! A collected command has its place among the session's replies and its bytes in `bytes`; nothing
//! of it is sent before it is known which way it goes. Whichever way, the shard's own `+QUEUED`s
//! and errors pair with those places. A transaction of which no key is known yet is answered here
//! (`+OK`, `+QUEUED`) when the input is drained; the shard's answers are then dropped.
//!
//! A transaction is never sent twice, and never in halves: on the shared link its bytes are queued
//! at once, and a Redis whose connection ends forgets a MULTI that no EXEC has followed.

mod begin;
mod exec;
mod kept;
mod own;
mod queue;
mod scattered;
mod settle;

use std::sync::Arc;

use bytes::Bytes;

use super::record::Record;
use super::session::{Session, Special};
use crate::command::{CommandError, Handling, Local, Spec};
use crate::resp::Request;
use crate::resp::write::error_frame;
use crate::route::ring::Ring;
use crate::worker::Worker;

/// What a session has watched and queued.
#[derive(Debug)]
pub struct Transaction {
    phase: Phase,
    /// Where it takes place; unknown before the first key.
    home: Option<Home>,
    /// Where EXEC was sent.
    shard: Option<usize>,
    /// [`crate::worker::PoolState::moves`] when it began.
    moves: u32,
    /// What EXEC answers instead of the shard's reply, a whole frame; nothing is applied then.
    conclusion: Option<Vec<u8>>,
    /// Why its commands fail, when the shard cannot be reached.
    fault: Option<String>,
    /// The commands that were not sent yet, MULTI first, as they stand on the wire.
    bytes: Vec<u8>,
    /// How many commands those are.
    collected: u32,
    /// The first so many of them have been answered here.
    answered: u32,
    /// The sequence number of the first that was not; those of the others follow.
    first: u32,
    /// Commands behind MULTI that were taken: so many elements will EXEC's reply have.
    queued: u32,
    /// Whether one of them may change what a shard holds.
    pub(super) may_write: bool,
    /// What it writes elsewhere than at home, each with its database.
    records: Vec<(u32, Record)>,
    /// Those of them that concern the session and not the shard.
    own: Vec<own::OwnCommand>,
    /// Whether its keys live on several shards, each of which executes its part.
    is_scattered: bool,
    /// The ring that it began with, where a reload has put another in force since.
    ring: Option<Arc<Ring>>,
    /// Whether the private link is not to be lent again as it is.
    altered: bool,
    /// Whether a WATCH may not have been answered yet.
    watch_in_flight: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between WATCH and MULTI; there is a private link.
    Watching,
    /// Behind MULTI; nothing is sent yet.
    Collecting,
    /// Behind MULTI, which was sent on the private link.
    Private,
    /// What ends it was sent; the session takes no command until the reply is there.
    Ending,
}

#[derive(Debug)]
struct Home {
    shard: usize,
    /// The first key.
    key: Vec<u8>,
}

impl Transaction {
    fn new(phase: Phase, moves: u32) -> Self {
        Self {
            phase,
            home: None,
            shard: None,
            moves,
            conclusion: None,
            fault: None,
            bytes: Vec::new(),
            collected: 0,
            answered: 0,
            first: 0,
            queued: 0,
            may_write: false,
            own: Vec::new(),
            records: Vec::new(),
            is_scattered: false,
            ring: None,
            altered: false,
            watch_in_flight: false,
        }
    }

    /// Bytes of commands that were not sent yet.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Commands queued behind MULTI; −1 where there was only a WATCH. As CLIENT LIST tells it.
    pub(crate) fn queued(&self) -> i64 {
        if self.phase == Phase::Watching { -1 } else { i64::from(self.queued) }
    }

    /// The key that decided where it takes place.
    pub(crate) fn first_key(&self) -> Option<&[u8]> {
        self.home.as_ref().map(|home| &home.key[..])
    }

    /// Keys that tell where it takes place.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.home.iter().map(|home| &home.key[..]);
        first.chain(self.records.iter().map(|(_, record)| record.key()))
    }

    /// Has EXEC answer with this error.
    fn doom(&mut self, text: &str) {
        if self.conclusion.is_none() {
            self.conclusion = Some(error_frame(text));
        }
    }
}

impl Session {
    /// Whether nothing but a collected transaction stands in the way of its private link.
    #[cold]
    pub(crate) fn awaits_private_link(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| {
            transaction.phase == Phase::Collecting
                && transaction.home.is_some()
                && transaction.conclusion.is_none()
                && self.replies.len() == (transaction.collected - transaction.answered) as usize
        })
    }
}

impl Worker {
    /// A command that is none, or lacks arguments.
    #[cold]
    pub(crate) fn reject(&mut self, number: u32, error: CommandError, request: &Request<'_>) {
        if let CommandError::WrongArity(spec) = error
            && spec.name == "exec"
        {
            return self.abort(number, &error.text(request));
        }
        self.doom(number);
        let mut reply = Vec::new();
        error.append(request, &mut reply);
        self.say(number, |writer| writer.raw(&reply));
    }

    /// Refuses a command that the session may not send in its state. An EXEC discards what it was
    /// to execute, as in Redis.
    pub(crate) fn turn_away(&mut self, number: u32, spec: &Spec, text: &str) {
        if spec.name == "exec" {
            let why = text.strip_prefix("ERR ").unwrap_or(text);
            let text = format!("EXECABORT Transaction discarded because of: {why}");
            return self.abort(number, text.as_bytes());
        }
        self.say(number, |writer| writer.error(text));
    }

    /// Whether a session that watches keys, or is behind MULTI, may have the command handled as
    /// usual; otherwise it has been seen to.
    pub(crate) fn admits_in_transaction(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) -> bool {
        let Some(transaction) = &self.sessions[number as usize].transaction else { return true };
        if transaction.phase == Phase::Watching {
            return self.admits_while_watching(number, spec);
        }
        match spec.handling {
            Handling::Transaction if spec.name != "unwatch" => return true,
            Handling::Local(Local::Quit | Local::Reset) => return self.leave_transaction(number),
            _ => self.queue_command(number, spec, request, whole),
        }
        false
    }

    /// One of the five commands, where it is not queued.
    pub(crate) fn transaction_command(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
    ) {
        let is_open = self.is_in_multi(number);
        match spec.name {
            "multi" if is_open => self.say_within(number, "ERR MULTI calls can not be nested"),
            "multi" => self.multi(number),
            "exec" if is_open => self.exec(number),
            "exec" => self.say(number, |writer| writer.error("ERR EXEC without MULTI")),
            "discard" if is_open => self.discard(number),
            "discard" => self.say(number, |writer| writer.error("ERR DISCARD without MULTI")),
            "watch" if is_open => {
                self.say_within(number, "ERR WATCH inside MULTI is not allowed");
            }
            "watch" => self.watch(number, spec, request),
            _ => self.unwatch(number),
        }
    }

    /// An error that does not end the transaction.
    fn say_within(&mut self, number: u32, text: &str) {
        // The places of what is collected must follow each other.
        self.answer_collected(number);
        self.say(number, |writer| writer.error(text));
    }

    /// QUIT and RESET leave the transaction before they do what they do; whether they may now.
    fn leave_transaction(&mut self, number: u32) -> bool {
        if self.sessions[number as usize].private.is_none() {
            self.answer_collected(number);
        } else if !self.is_drained(number) {
            return false;
        }
        self.forget_transaction(number);
        true
    }

    /// The session is in no transaction any more. A private link that still knows of it is closed.
    fn forget_transaction(&mut self, number: u32) {
        self.close_private(number);
        let session = &mut self.sessions[number as usize];
        session.special.clear(Special::TRANSACTION);
        if let Some(transaction) = session.transaction.take() {
            self.spare.give(transaction.bytes);
        }
    }

    /// Whether the session is between MULTI and EXEC.
    pub(crate) fn is_in_multi(&self, number: u32) -> bool {
        let transaction = &self.sessions[number as usize].transaction;
        transaction.as_ref().is_some_and(|transaction| transaction.phase != Phase::Watching)
    }

    /// An error at queue time: EXEC will answer with an error, and nothing is sent any more.
    pub(crate) fn doom(&mut self, number: u32) {
        self.doom_with(number, PREVIOUS_ERRORS);
    }

    fn doom_with(&mut self, number: u32, text: &str) {
        let session = &mut self.sessions[number as usize];
        if let Some(transaction) = &mut session.transaction
            && transaction.phase != Phase::Watching
        {
            transaction.doom(text);
            self.answer_collected(number);
        }
    }
}

const PREVIOUS_ERRORS: &str = "EXECABORT Transaction discarded because of previous errors.";
const OK: &[u8] = b"+OK\r\n";
const QUEUED: &[u8] = b"+QUEUED\r\n";
const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";
const DISCARD: &[u8] = b"*1\r\n$7\r\nDISCARD\r\n";
const UNWATCH: &[u8] = b"*1\r\n$7\r\nUNWATCH\r\n";
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
