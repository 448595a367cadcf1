//! A session as a line of CLIENT LIST, with the fields of Redis 7.0 and the library's name and
//! version that 7.2 added.

use std::fmt::Write as _;

use super::session::{Pause, Session, Special};
use crate::command::table;
use crate::socket::Socket;
use crate::worker::Worker;

/// What CLIENT LIST and CLIENT KILL tell sessions apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Master,
    Replica,
    PubSub,
}

impl Kind {
    /// The one that Redis calls `name`.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        match &name.to_ascii_lowercase()[..] {
            b"normal" => Some(Self::Normal),
            b"master" => Some(Self::Master),
            b"replica" | b"slave" => Some(Self::Replica),
            b"pubsub" => Some(Self::PubSub),
            _ => None,
        }
    }
}

impl Session {
    /// What it is to CLIENT LIST TYPE. A monitor is a kind of replica, as in Redis.
    pub(super) fn kind(&self) -> Kind {
        match () {
            () if self.is_monitor() => Kind::Replica,
            () if self.special.has(Special::SUBSCRIBER) => Kind::PubSub,
            () => Kind::Normal,
        }
    }

    fn is_monitor(&self) -> bool {
        self.about.as_ref().is_some_and(|about| about.is_monitor)
    }

    /// Channels, patterns and shard channels that it listens to.
    fn subscriptions(&self) -> [usize; 3] {
        self.subscriber.as_ref().map_or([0; 3], |subscriber| subscriber.counts())
    }

    /// Commands queued between MULTI and EXEC; −1 outside of it.
    fn queued(&self) -> i64 {
        self.transaction.as_ref().map_or(-1, |transaction| transaction.queued())
    }

    /// The letters of `flags=`.
    fn flags(&self) -> String {
        let has = |marked: bool, letter| marked.then_some(letter);
        let about = self.about.as_deref();
        let letters = [
            has(self.is_monitor(), 'O'),
            has(self.special.has(Special::SUBSCRIBER), 'P'),
            has(self.queued() >= 0, 'x'),
            has(matches!(self.pause, Pause::Blocked | Pause::Held), 'b'),
            has(self.closing, 'c'),
            has(self.is_unix(), 'U'),
            has(about.is_some_and(|about| about.no_evict), 'e'),
            has(about.is_some_and(|about| about.no_touch), 'T'),
        ];
        let flags: String = letters.into_iter().flatten().collect();
        if flags.is_empty() { "N".into() } else { flags }
    }

    fn events(&self) -> &'static str {
        match (self.closing, self.wants_write) {
            (false, false) => "r",
            (false, true) => "rw",
            (true, true) => "w",
            (true, false) => "",
        }
    }
}

impl Worker {
    /// The line of session `number`, without a line end; of the session that asks with the bytes of
    /// its question, as Redis counts them.
    pub(super) fn describe(&self, number: u32, asked: usize) -> String {
        let session = &self.sessions[number as usize];
        let about = session.about.as_deref().cloned().unwrap_or_default();
        let (peer, local) = session.addresses();
        let [channels, patterns, shard_channels] = session.subscriptions();
        let (pending, room) = session.input.as_ref().map_or((0, 0), |input| {
            (input.bytes.len(), input.bytes.capacity() - input.bytes.len())
        });
        let pending = pending + asked;
        let waiting = session.waiting_bytes();
        let mut line = String::with_capacity(400);
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "id={} addr={peer} laddr={local} fd={} name={} age={} idle={} flags={} db={} \
             sub={channels} psub={patterns} ssub={shard_channels} multi={} qbuf={pending} \
             qbuf-free={room} argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll={} omem={waiting} \
             tot-mem={} events={} cmd={} user={} redir=-1 resp={} lib-name={} lib-ver={}",
            session.id,
            session.socket.as_ref().map_or(-1, Socket::descriptor),
            String::from_utf8_lossy(&about.name),
            session.since.elapsed().as_secs(),
            self.seconds.saturating_sub(session.heard_at),
            session.flags(),
            session.db,
            session.queued(),
            session.output.len(),
            u8::from(session.replies.parked_len() > 0),
            size_of::<Session>() + pending + room + waiting,
            session.events(),
            command_name(session.last_command),
            String::from_utf8_lossy(self.user_name(number)),
            session.protocol.number(),
            String::from_utf8_lossy(&about.library),
            String::from_utf8_lossy(&about.library_version),
        );
        line
    }
}

/// The name of a command by its number.
fn command_name(id: u16) -> &'static str {
    table::all().find(|spec| spec.id == id).map_or("NULL", |spec| spec.name)
}
