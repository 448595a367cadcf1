//! What a worker writes down of single requests: see [`crate::journal`].
//!
//! All of this is for requests that were slow, failed, or are sampled on purpose.

use super::Worker;
use crate::client::session::Session;
use crate::command::table;
use crate::config::Pool;
use crate::journal::access::{self, Access};
use crate::journal::errors::{Code, ErrorLog, Kind, NO_SHARD, Told, Why};
use crate::journal::now_us;
use crate::journal::redact::{Redaction, Shown};
use crate::journal::slow::SlowRequest;
use crate::reply::slots::Frame;
use crate::shard::fault::LinkFault;
use crate::shard::health::State;
use crate::shard::link::{Part, Pending};

/// What a worker keeps for the journal.
#[derive(Debug, Default)]
pub struct WorkerJournal {
    /// Whether it is kept what requests in flight say.
    pub(super) keeps: bool,
    /// The last errors.
    pub(crate) errors: ErrorLog,
    /// Slow requests that are still looked at in this second.
    slow_left: u32,
}

/// How long a request took, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Took {
    pub queued: u64,
    pub shard: u64,
    pub total: u64,
}

impl Took {
    /// The parts of what a request took whose reply was read at `read_at` and is dealt with `now`.
    pub(super) fn of(pending: &Pending, read_at: u32, now: u32) -> Self {
        let between = |from: u32, to: u32| u64::from(to.wrapping_sub(from));
        Self {
            queued: between(pending.arrived_at, pending.sent_at),
            shard: between(pending.sent_at, read_at),
            total: between(pending.arrived_at, now),
        }
    }
}

impl Worker {
    /// Does as the process's journal says from now on.
    pub(crate) fn follow_journal(&mut self) {
        let threshold = self.shared.journal.slow_threshold();
        self.journal.keeps = threshold != u64::MAX;
        // Who takes exactly as long is slow as well.
        self.slow_after = u32::try_from(threshold.saturating_sub(1)).unwrap_or(u32::MAX);
        self.journal.slow_left = SLOW_A_SECOND;
        self.follow_sampling();
    }

    /// A second has passed.
    pub(super) fn tick_journal(&mut self) {
        self.journal.slow_left = SLOW_A_SECOND;
    }

    /// Lets go of what is kept of requests that have their replies.
    #[inline]
    pub(super) fn release_kept(&mut self, link: u32) {
        let link = &mut *self.links[link as usize];
        link.kept.release(link.replied(), &mut self.spare);
    }

    /// A request took long: the reply to what `link` carried first was read at `read_at`.
    pub(super) fn note_slow(
        &mut self,
        link: u32,
        pending: &Pending,
        read_at: u32,
        reply: &Frame<'_>,
    ) {
        if !is_of_client(pending.part) || pending.part == Part::Blocking {
            return;
        }
        let Some(left) = self.journal.slow_left.checked_sub(1) else { return };
        self.journal.slow_left = left;
        let took = Took::of(pending, read_at, self.clock.read());
        let shared = std::sync::Arc::clone(&self.shared);
        let link = &mut *self.links[link as usize];
        let shown = match link.kept.text(link.replied() - 1) {
            Some(text) => shared.journal.redactor().show(text),
            None => Shown::name_only(command_name(pending.command)),
        };
        let pool = &self.pools[link.pool].config;
        let shard = &pool.servers[link.shard].name;
        let session = &self.sessions[pending.session as usize];
        // One that is sampled is written when it is done.
        if let Some(log) = shared.journal.access()
            && !matches!(pending.part, Part::Sampled(_))
        {
            let access = Access {
                why: "slow",
                command: shown.command.clone(),
                key: shown.key.clone(),
                shard: Some(shard.clone()),
                parts: 1,
                request_bytes: pending.bytes.into(),
                reply_bytes: reply.bytes().len() as u64,
                queued_us: took.queued,
                shard_us: took.shard,
                total_us: took.total,
                error: error_code(reply.bytes()),
                user: String::from_utf8_lossy(self.user_name(pending.session)).into_owned(),
                ..who(session, pool)
            };
            log.write(Access { time: access::now(), ..access });
        }
        let name = session.about.as_ref().map(|about| String::from_utf8_lossy(&about.name));
        shared.journal.push_slow(SlowRequest {
            at_us: now_us(),
            args: shown.args,
            client: session.addresses().0,
            name: name.unwrap_or_default().into_owned(),
            pool: pool.name.clone(),
            shard: shard.clone(),
            total_us: took.total,
            queued_us: took.queued,
            shard_us: took.shard,
            ..SlowRequest::default()
        });
    }

    /// A client's request is answered with what a link's fault is.
    pub(super) fn note_fault(&mut self, pending: &Pending, shard: usize, fault: &LinkFault) {
        if !is_of_client(pending.part) || pending.part == Part::Asked {
            return;
        }
        let Self { journal, pools, sessions, .. } = self;
        let session = &sessions[pending.session as usize];
        let state = &pools[usize::from(session.pool)];
        let kind = Kind {
            pool: session.pool,
            shard: shard as u16,
            command: pending.command,
            why: Why::of_fault(fault),
        };
        journal.errors.note(kind, session.id, now_us(), || {
            let (pool, shard_name) = (&state.config.name, &state.config.servers[shard].name);
            let health = &state.health[shard];
            let cause = match health.state {
                State::Live => fault.cause(),
                _ => format!(
                    "out for {:.1} s, {}",
                    health.since.elapsed().as_secs_f64(),
                    health.cause
                ),
            };
            Told {
                pool: pool.clone(),
                shard: shard_name.clone(),
                address: session.addresses().0,
                error: fault.reply(shard_name, pool),
                cause,
            }
        });
    }

    /// A shard answered a client's request with an error.
    pub(super) fn note_shards_error(&mut self, pending: &Pending, shard: usize, reply: &[u8]) {
        if !is_of_client(pending.part) || pending.part == Part::Asked {
            return;
        }
        let Self { journal, pools, sessions, shared, .. } = self;
        let session = &sessions[pending.session as usize];
        let (pool, code) = (&pools[usize::from(session.pool)].config, Code::of(reply));
        let why = Why::Shard(code);
        let (shard_number, command) = (shard as u16, pending.command);
        let kind = Kind { pool: session.pool, shard: shard_number, command, why };
        journal.errors.note(kind, session.id, now_us(), || Told {
            pool: pool.name.clone(),
            shard: pool.servers[shard].name.clone(),
            address: session.addresses().0,
            // What a script says may hold anything.
            error: match shared.journal.redactor().redaction {
                Redaction::Off => error_text(reply),
                _ => code.text().to_owned(),
            },
            cause: String::new(),
        });
    }

    /// Circlet itself answers what a session said last with an error.
    pub(crate) fn note_said(&mut self, number: u32, reply: &[u8]) {
        let Self { journal, pools, sessions, shared, .. } = self;
        let session = &sessions[number as usize];
        let why = Why::Circlet(Code::of(reply));
        let command = session.last_command;
        let kind = Kind { pool: session.pool, shard: NO_SHARD, command, why };
        journal.errors.note(kind, session.id, now_us(), || Told {
            pool: pools[usize::from(session.pool)].config.name.clone(),
            shard: String::new(),
            address: session.addresses().0,
            error: shared.journal.redactor().error(&error_text(reply)).to_owned(),
            cause: String::new(),
        });
    }
}

/// What is told of the client.
pub(super) fn who(session: &Session, pool: &Pool) -> Access {
    Access {
        pool: pool.name.clone(),
        client: session.id,
        address: session.addresses().0,
        db: session.db,
        ..Access::default()
    }
}

/// Whether a client waits for it, other than circlet itself.
fn is_of_client(part: Part) -> bool {
    !matches!(
        part,
        Part::TimedOut
            | Part::Unclaimed
            | Part::Probe
            | Part::ScriptLoaded
            | Part::ClientId
            | Part::Recorded
    )
}

/// The code of a reply that is an error.
pub(super) fn error_code(reply: &[u8]) -> Option<String> {
    let is_error = matches!(reply.first(), Some(b'-' | b'!'));
    is_error.then(|| Code::of(reply).text().to_owned())
}

/// The text of an error reply, its code first.
fn error_text(reply: &[u8]) -> String {
    let text = match reply.first() {
        // RESP3's long form: its length comes first.
        Some(b'!') => reply.splitn(2, |&byte| byte == b'\n').last().unwrap_or_default(),
        _ => reply.get(1..).unwrap_or_default(),
    };
    let text = text.trim_ascii_end();
    String::from_utf8_lossy(&text[..text.len().min(MOST_TEXT)]).into_owned()
}

pub(super) fn command_name(id: u16) -> &'static str {
    table::all().find(|spec| spec.id == id).map_or("", |spec| spec.name)
}

/// Slow requests that a worker looks at in a second: where all are slow the first tell enough.
const SLOW_A_SECOND: u32 = 128;
/// Bytes of an error that are kept.
const MOST_TEXT: usize = 512;
