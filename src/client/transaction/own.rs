//! Commands behind MULTI that concern the session: the shard executes a PING in their place, and
//! circlet puts its own answer where the shard's stands in the reply to EXEC.

use super::Transaction;
use crate::client::publish::integer;
use crate::client::record::Record;
use crate::command::{self, Handling};
use crate::resp::reply::elements;
use crate::resp::{Protocol, Request, RequestScanner, Scan, Writer, write};
use crate::subscription::Kind;
use crate::worker::Worker;

/// A command that circlet answers, or heeds the answer to.
#[derive(Debug)]
pub(super) struct OwnCommand {
    /// Which element of EXEC's reply it is.
    index: u32,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Answered here; its bytes.
    Answer(Vec<u8>),
    /// PUBLISH: the shard counts circlet's links, one Redis would count clients.
    Publish(Kind, Vec<u8>),
    /// SELECT: executed by the shard, and from then on the session's database.
    Select(u32),
}

impl OwnCommand {
    pub(super) fn answer(index: u32, wire: &[u8]) -> Self {
        Self { index, what: What::Answer(wire.to_vec()) }
    }

    pub(super) fn select(index: u32, db: u32) -> Self {
        Self { index, what: What::Select(db) }
    }

    pub(super) fn publish(index: u32, kind: Kind, channel: &[u8]) -> Self {
        Self { index, what: What::Publish(kind, channel.to_vec()) }
    }

    pub(super) fn selects(&self) -> bool {
        matches!(self.what, What::Select(_))
    }
}

impl Transaction {
    /// The database that it selected last.
    pub(super) fn selected(&self) -> Option<u32> {
        self.own.iter().rev().find_map(|own| match own.what {
            What::Select(db) => Some(db),
            _ => None,
        })
    }

    /// What it writes elsewhere than at home.
    pub(in crate::client) fn take_records(&mut self) -> Vec<(u32, Record)> {
        std::mem::take(&mut self.records)
    }

    /// Whether one of its commands is SELECT.
    pub(super) fn selects(&self) -> bool {
        self.own.iter().any(OwnCommand::selects)
    }
}

impl Worker {
    /// Whether the transaction publishes to a channel that a client is just about to listen to.
    pub(super) fn publishes_unheard(&self, number: u32) -> bool {
        let Some(transaction) = &self.sessions[number as usize].transaction else { return false };
        let pool = self.pool_of(number);
        transaction.own.iter().any(|own| match &own.what {
            What::Publish(kind, channel) => {
                let shard = pool.ring.shard(channel).unwrap_or(0);
                pool.hubs.registry().audience(*kind, channel, shard).unheard > 0
            }
            _ => false,
        })
    }

    /// EXEC's reply with circlet's own answers in it; `None` when it stays as it is.
    pub(super) fn complete(
        &mut self,
        number: u32,
        own: &[OwnCommand],
        reply: &[u8],
    ) -> Option<Vec<u8>> {
        if own.is_empty() {
            return None;
        }
        // An error or a null: nothing was executed.
        let elements: Vec<&[u8]> = elements(reply)?.collect();
        let mut completed = Vec::with_capacity(reply.len() + 64);
        write::array_head_into(&mut completed, elements.len());
        let mut own = own.iter().peekable();
        for (index, element) in elements.into_iter().enumerate() {
            match own.next_if(|own| own.index as usize == index).map(|own| &own.what) {
                Some(What::Answer(request)) => {
                    completed.extend_from_slice(&self.answer_apart(number, request));
                    continue;
                }
                Some(&What::Select(db)) if element.starts_with(b"+") => {
                    self.sessions[number as usize].db = db;
                    self.take_identity(number);
                }
                Some(What::Publish(kind, channel)) => {
                    self.count_published_within(number, *kind, channel, element, &mut completed);
                    continue;
                }
                Some(What::Select(_)) | None => {}
            }
            completed.extend_from_slice(element);
        }
        Some(completed)
    }

    fn count_published_within(
        &self,
        number: u32,
        kind: Kind,
        channel: &[u8],
        element: &[u8],
        completed: &mut Vec<u8>,
    ) {
        let transaction = &self.sessions[number as usize].transaction;
        let shard = transaction.as_ref().and_then(|transaction| transaction.shard);
        let (Some(shard), Some(receivers)) = (shard, integer(element)) else {
            return completed.extend_from_slice(element);
        };
        let audience = self.pool_of(number).hubs.registry().audience(kind, channel, shard);
        Writer::new(completed, Protocol::Resp2).integer(audience.correct(receivers) as i64);
    }

    /// Answers a command of the session's apart from its other replies.
    fn answer_apart(&mut self, number: u32, bytes: &[u8]) -> Vec<u8> {
        let limits = self.pool_of(number).request_limits;
        let mut scanner = RequestScanner::default();
        let Ok(Scan::Done(_)) = scanner.scan(bytes, &limits) else { return Vec::new() };
        let request = Request::new(bytes, scanner.args());
        let Ok(Handling::Local(local)) = command::resolve(&request).map(|spec| spec.handling)
        else {
            return Vec::new();
        };
        let session = &mut self.sessions[number as usize];
        let replies = std::mem::take(&mut session.replies);
        let output = std::mem::take(&mut session.output);
        self.local(number, local, &request);
        let session = &mut self.sessions[number as usize];
        let answer = session.output.bytes();
        session.output.clear(&mut self.spare);
        session.replies = replies;
        session.output = output;
        answer
    }
}
