//! The last errors that clients were given, and why.
//!
//! Errors of one kind, of one shard, to one command are one entry with a count, so that a storm of
//! them costs a comparison or two each and pushes nothing else out. A worker keeps its own.

use serde::Serialize;

use crate::command::table;
use crate::resp::Writer;
use crate::shard::fault::LinkFault;

/// The errors that a worker gave.
#[derive(Debug, Default)]
pub struct ErrorLog {
    entries: Vec<Entry>,
    /// Where the last one was found: in a storm the next is there as well.
    last: usize,
}

/// What errors have in common that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Index of the pool.
    pub pool: u16,
    /// Index of the shard; [`NO_SHARD`] where none had a part in it.
    pub shard: u16,
    /// The command's [`crate::command::Spec::id`], or [`UNKNOWN`].
    pub command: u16,
    /// Whose error it is.
    pub why: Why,
}

/// No shard had a part in it.
pub const NO_SHARD: u16 = u16::MAX;
/// Which command it was is not known, or the table lacks it.
pub const UNKNOWN: u16 = u16::MAX;

/// Whose error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The link to the shard failed, or cannot be had.
    Link,
    /// The shard did not reply in time.
    Timeout,
    /// The shard is known to be out.
    Out,
    /// The shard's own reply, which begins with this code.
    Shard(Code),
    /// Circlet's own answer, with this code; the command was not sent.
    Circlet(Code),
}

/// The first word of an error, as far as it has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code([u8; 16]);

impl Code {
    /// That of the error reply `frame`.
    pub fn of(frame: &[u8]) -> Self {
        let mut code = [0; 16];
        let word = frame.strip_prefix(b"-").unwrap_or(frame);
        let end = word.iter().take(code.len()).position(|byte| !byte.is_ascii_graphic());
        let length = end.unwrap_or(word.len().min(code.len()));
        code[..length].copy_from_slice(&word[..length]);
        Self(code)
    }

    /// The word.
    pub fn text(&self) -> &str {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).unwrap_or("")
    }
}

impl Why {
    /// Whose error a link's failure is.
    pub fn of_fault(fault: &LinkFault) -> Self {
        match fault {
            LinkFault::ReplyTimeout | LinkFault::ConnectTimeout => Self::Timeout,
            LinkFault::Out(_) => Self::Out,
            _ => Self::Link,
        }
    }

    /// In words, for people.
    fn words(self) -> &'static str {
        match self {
            Self::Link => "the link to the shard",
            Self::Timeout => "the shard did not answer in time",
            Self::Out => "the shard is known to be out",
            Self::Shard(_) => "the shard's own reply",
            Self::Circlet(code) => match code.text() {
                "NOAUTH" | "WRONGPASS" => "the client has not said a password that counts",
                "NOPERM" => "the rules of its user",
                "CROSSSLOT" => "its keys live on several shards",
                "DENIED" => "protected mode",
                "TRYAGAIN" => "what displaced keys may take of a shard is taken",
                "EXECABORT" => "a command before it, in the transaction",
                _ => "circlet's own answer; the command was not sent",
            },
        }
    }
}

/// What one error tells beyond its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The pool.
    pub pool: String,
    /// The shard, if one had a part in it.
    pub shard: String,
    /// Where the client connects from.
    pub address: String,
    /// The error as the client read it, without its `-`.
    pub error: String,
    /// What is known of the cause, beyond [`Why`].
    pub cause: String,
}

#[derive(Debug, Clone)]
struct Entry {
    kind: Kind,
    first_us: u64,
    last_us: u64,
    told_us: u64,
    count: u64,
    client: u64,
    told: Told,
}

/// An entry as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorRecord {
    /// What they have in common.
    #[serde(skip)]
    pub kind: Kind,
    /// When the first came, in microseconds since 1970.
    pub first_us: u64,
    /// When the last came.
    pub last_us: u64,
    /// How many there were.
    pub count: u64,
    /// The number (CLIENT ID) of the client that read the last.
    pub client: u64,
    /// The command; empty where it is not known.
    pub command: String,
    /// Whose error it is, in words.
    pub why: String,
    /// The rest, as of the last second in which there was one.
    #[serde(flatten)]
    pub told: Told,
}

impl ErrorLog {
    /// Counts an error that client number `client` reads at the moment `now_us`; `tell` is asked
    /// when it is the first of its kind for a while, and once a second.
    #[inline]
    pub fn note(&mut self, kind: Kind, client: u64, now_us: u64, tell: impl FnOnce() -> Told) {
        let is_it = |entry: &Entry| entry.kind == kind && now_us < entry.last_us + TOGETHER_US;
        let found = match self.entries.get(self.last) {
            Some(last) if is_it(last) => Some(self.last),
            _ => self.entries.iter().position(is_it),
        };
        let Some(found) = found else { return self.insert(kind, client, now_us, tell()) };
        self.last = found;
        let entry = &mut self.entries[found];
        entry.count += 1;
        (entry.last_us, entry.client) = (now_us.max(entry.last_us), client);
        if now_us >= entry.told_us + TELL_US {
            (entry.told, entry.told_us) = (tell(), now_us);
        }
    }

    fn insert(&mut self, kind: Kind, client: u64, now_us: u64, told: Told) {
        let entry = Entry {
            kind,
            first_us: now_us,
            last_us: now_us,
            told_us: now_us,
            count: 1,
            client,
            told,
        };
        if self.entries.len() < MOST_ENTRIES {
            self.last = self.entries.len();
            return self.entries.push(entry);
        }
        let oldest = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.last_us);
        self.last = oldest.map_or(0, |(index, _)| index);
        self.entries[self.last] = entry;
    }

    /// Forgets those of pool `pool`, or all.
    pub fn reset(&mut self, pool: Option<usize>) {
        self.entries.retain(|entry| pool.is_some_and(|pool| usize::from(entry.kind.pool) != pool));
        self.last = 0;
    }

    /// Those of pool `pool`, or all.
    pub fn records(&self, pool: Option<usize>) -> Vec<ErrorRecord> {
        let is_asked =
            |entry: &&Entry| pool.is_none_or(|pool| usize::from(entry.kind.pool) == pool);
        self.entries.iter().filter(is_asked).map(Entry::record).collect()
    }
}

impl Entry {
    fn record(&self) -> ErrorRecord {
        ErrorRecord {
            kind: self.kind,
            first_us: self.first_us,
            last_us: self.last_us,
            count: self.count,
            client: self.client,
            command: command_name(self.kind.command).to_owned(),
            why: self.kind.why.words().to_owned(),
            told: self.told.clone(),
        }
    }
}

/// The newest `count` of what several workers keep, newest first.
pub fn newest(records: Vec<Vec<ErrorRecord>>, count: usize) -> Vec<ErrorRecord> {
    let mut all: Vec<ErrorRecord> = Vec::new();
    for record in records.into_iter().flatten() {
        let same = |known: &&mut ErrorRecord| {
            known.kind == record.kind
                && record.first_us < known.last_us + TOGETHER_US
                && known.first_us < record.last_us + TOGETHER_US
        };
        match all.iter_mut().find(same) {
            Some(known) => join(known, record),
            None => all.push(record),
        }
    }
    all.sort_by_key(|record| std::cmp::Reverse(record.last_us));
    all.truncate(count);
    all
}

/// Two workers saw the same.
fn join(known: &mut ErrorRecord, other: ErrorRecord) {
    known.count += other.count;
    known.first_us = known.first_us.min(other.first_us);
    if other.last_us > known.last_us {
        (known.last_us, known.client, known.told) = (other.last_us, other.client, other.told);
    }
}

/// An array of maps, one for each entry.
pub fn write(records: &[ErrorRecord], writer: &mut Writer<'_>) {
    writer.array(records.len());
    for record in records {
        let (told, number) = (&record.told, |micros: u64| (micros / 1_000_000) as i64);
        let mut pair = Pairs(writer);
        pair.0.map(11);
        pair.integer("first", number(record.first_us));
        pair.integer("last", number(record.last_us));
        pair.integer("count", record.count as i64);
        pair.text("pool", &told.pool);
        pair.text("shard", &told.shard);
        pair.integer("client", record.client as i64);
        pair.text("addr", &told.address);
        pair.text("command", &record.command);
        pair.text("error", &told.error);
        pair.text("why", &record.why);
        pair.text("cause", &told.cause);
    }
}

struct Pairs<'a, 'b>(&'a mut Writer<'b>);

impl Pairs<'_, '_> {
    fn text(&mut self, name: &str, text: &str) {
        self.0.bulk(name.as_bytes());
        self.0.bulk(text.as_bytes());
    }

    fn integer(&mut self, name: &str, number: i64) {
        self.0.bulk(name.as_bytes());
        self.0.integer(number);
    }
}

fn command_name(id: u16) -> &'static str {
    table::all().find(|spec| spec.id == id).map_or("", |spec| spec.name)
}

/// Entries of one worker.
pub const MOST_ENTRIES: usize = 128;
/// Errors of a kind are one entry as long as no more than this lies between two: a minute.
const TOGETHER_US: u64 = 60_000_000;
/// How often the texts of an entry are made anew.
const TELL_US: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn kind(shard: u16, why: Why) -> Kind {
        Kind { pool: 0, shard, command: 1, why }
    }

    fn told(error: &str) -> Told {
        Told { error: error.into(), ..Told::default() }
    }

    #[test]
    fn what_is_the_same_is_counted() {
        let mut log = ErrorLog::default();
        for turn in 0..1_000 {
            log.note(kind(0, Why::Link), turn, turn, || told("ERR first"));
            log.note(kind(1, Why::Link), turn, turn, || told("ERR other shard"));
        }
        log.note(kind(0, Why::Shard(Code::of(b"-OOM x\r\n"))), 5, 7, || told("OOM x"));
        log.note(kind(0, Why::Shard(Code::of(b"-WRONGTYPE\r\n"))), 5, 7, || told("WRONGTYPE"));
        log.note(kind(0, Why::Link), 7, 3 * SECOND, || told("ERR later"));
        log.note(kind(0, Why::Link), 8, 90 * SECOND, || told("ERR much later"));
        let records = newest(vec![log.records(None)], 10);
        let seen: Vec<_> = records
            .iter()
            .map(|record| (&record.told.error[..], record.count, record.client))
            .collect();
        assert_eq!(
            seen,
            [
                ("ERR much later", 1, 8),
                ("ERR later", 1_001, 7),
                ("ERR other shard", 1_000, 999),
                ("OOM x", 1, 5),
                ("WRONGTYPE", 1, 5),
            ]
        );
    }

    #[test]
    fn texts_are_not_made_for_each() {
        let (mut log, mut made) = (ErrorLog::default(), 0);
        for turn in 0..100_000 {
            log.note(kind(0, Why::Out), 1, turn * 20, || {
                made += 1;
                told("ERR")
            });
        }
        assert_eq!(made, 2);
    }

    #[test]
    fn the_log_is_bounded_and_the_oldest_goes() {
        let mut log = ErrorLog::default();
        for shard in 0..1_000 {
            log.note(kind(shard, Why::Link), 1, u64::from(shard), || told("ERR"));
        }
        let records = log.records(Some(0));
        assert_eq!(records.len(), MOST_ENTRIES);
        assert!(records.iter().all(|record| record.last_us >= 1_000 - MOST_ENTRIES as u64));
        log.reset(Some(1));
        assert_eq!(log.records(None).len(), MOST_ENTRIES);
        log.reset(Some(0));
        assert_eq!(log.records(None), []);
    }

    #[test]
    fn workers_tell_together() {
        let (mut first, mut second) = (ErrorLog::default(), ErrorLog::default());
        first.note(kind(0, Why::Out), 1, 10, || told("ERR a"));
        second.note(kind(0, Why::Out), 2, 20, || told("ERR b"));
        second.note(kind(0, Why::Shard(Code::of(b"-OOM"))), 3, 15, || told("OOM"));
        let together = newest(vec![first.records(None), second.records(None)], 9);
        let seen: Vec<_> =
            together.iter().map(|r| (r.count, r.first_us, &r.told.error[..])).collect();
        assert_eq!(seen, [(2, 10, "ERR b"), (1, 15, "OOM")]);
    }
}
