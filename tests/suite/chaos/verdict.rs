//! What a run counts, and what it holds against the proxy.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// A value of another key, so the reply to another request.
    Foreign(String),
    /// A reply of another kind than the request's.
    OtherKind(String),
    /// An acknowledged write is not there.
    Lost(String),
    /// Something was done, or is there, twice.
    Twice(String),
    /// Half of what is done together.
    Torn(String),
    /// No reply, though the connection stayed open.
    Missing(String),
    /// A reply that nobody asked for, or after the end of a connection.
    Surplus(String),
    /// Bytes that are no reply, or a value that is no longer what was written.
    Damaged(String),
    /// An error reply of no known kind.
    UnknownError(String),
    /// The proxy ended a connection that it had no reason to end, or took none.
    Disconnected(String),
    /// Messages of a channel out of their order.
    Disordered(String),
    /// Something stayed behind.
    Leak(String),
}

impl Wrong {
    /// The kind, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Wrong::Foreign(_) => "another's reply",
            Wrong::OtherKind(_) => "reply of another kind",
            Wrong::Lost(_) => "acknowledged write lost",
            Wrong::Twice(_) => "done twice",
            Wrong::Torn(_) => "half done",
            Wrong::Missing(_) => "reply missing",
            Wrong::Surplus(_) => "reply too many",
            Wrong::Damaged(_) => "damaged",
            Wrong::UnknownError(_) => "unknown error",
            Wrong::Disconnected(_) => "disconnected",
            Wrong::Disordered(_) => "out of order",
            Wrong::Leak(_) => "leak",
        }
    }

    fn text(&self) -> &str {
        match self {
            Wrong::Foreign(text)
            | Wrong::OtherKind(text)
            | Wrong::Lost(text)
            | Wrong::Twice(text)
            | Wrong::Torn(text)
            | Wrong::Missing(text)
            | Wrong::Surplus(text)
            | Wrong::Damaged(text)
            | Wrong::UnknownError(text)
            | Wrong::Disconnected(text)
            | Wrong::Disordered(text)
            | Wrong::Leak(text) => text,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.text())
    }
}

/// What an error reply says of its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    Never,
    Perhaps,
}

/// The errors that a fault may cause: how they begin, and whether the command may have run. All
/// others are held against the proxy.
const KNOWN: [(&str, Ran); 15] = [
    ("ERR Connection refused", Ran::Perhaps),
    ("ERR Connection timed out", Ran::Perhaps),
    ("ERR Connection reset by peer", Ran::Perhaps),
    ("ERR Broken pipe", Ran::Perhaps),
    ("ERR unknown (", Ran::Perhaps),
    ("ERR No route to host", Ran::Perhaps),
    ("ERR Host is unreachable", Ran::Perhaps),
    ("ERR Network is unreachable", Ran::Perhaps),
    ("ERR WAIT", Ran::Perhaps),
    ("LOADING", Ran::Never),
    ("EXECABORT", Ran::Never),
    ("UNBLOCKED", Ran::Never),
    ("TRYAGAIN", Ran::Never),
    // nutcracker's, whose texts end here.
    ("ERR unknown", Ran::Perhaps),
    ("ERR Invalid argument", Ran::Perhaps),
];

/// The known kind of an error; `None` is one that no fault explains.
pub fn classify(text: &str, is_circlet: bool) -> Option<(&'static str, Ran)> {
    let known = if is_circlet { &KNOWN[..KNOWN.len() - 2] } else { &KNOWN[..] };
    known.iter().find(|(start, _)| text.starts_with(start)).copied()
}

/// The book that all clients and faults write into.
#[derive(Debug)]
pub struct Book {
    started: Instant,
    figures: Mutex<Figures>,
}

/// What a run counted.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub requests: u64,
    /// Replies that were compared with what they must be.
    pub checked: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes whose outcome nobody told.
    pub unknown: u64,
    pub connections: u64,
    pub messages: u64,
    /// Keys read again at the end.
    pub reread: u64,
    pub faults: BTreeMap<&'static str, u64>,
    pub errors: BTreeMap<&'static str, u64>,
    pub wrong: BTreeMap<&'static str, u64>,
    /// The first of them, in words.
    pub told: Vec<String>,
}

impl Book {
    pub fn new() -> Book {
        Book { started: Instant::now(), figures: Mutex::default() }
    }

    /// To count something.
    pub fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Holds something against the proxy.
    pub fn accuse(&self, who: &str, wrong: &Wrong) {
        let mut figures = self.figures();
        *figures.wrong.entry(wrong.kind()).or_default() += 1;
        if figures.told.len() < MOST_TOLD {
            let text = format!("{:>7.3} s {who}: {wrong}", self.started.elapsed().as_secs_f64());
            println!("chaos: {text}");
            figures.told.push(text);
        }
    }

    /// Counts a fault, and says when it struck.
    pub fn fault(&self, kind: &'static str, shard: &str) {
        *self.figures().faults.entry(kind).or_default() += 1;
        if std::env::var_os("CHAOS_VERBOSE").is_some() {
            println!("chaos: {:>7.3} s {kind} at {shard}", self.started.elapsed().as_secs_f64());
        }
    }
}

impl Figures {
    /// Kinds of what was held against the proxy.
    pub fn wrong_kinds(&self) -> HashSet<&'static str> {
        self.wrong.keys().copied().collect()
    }

    /// How many acknowledged writes were not there.
    pub fn lost(&self) -> u64 {
        self.wrong.get("acknowledged write lost").copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |counts: &BTreeMap<&str, u64>| counts.values().sum::<u64>();
        writeln!(
            f,
            "  requests {}, replies checked {}, connections {}, messages heard {}",
            self.requests, self.checked, self.connections, self.messages
        )?;
        writeln!(
            f,
            "  writes acknowledged {}, of unknown outcome {}, keys read again {}, \
             acknowledged writes lost {}",
            self.acknowledged,
            self.unknown,
            self.reread,
            self.lost()
        )?;
        writeln!(f, "  faults {}: {}", sum(&self.faults), listed(&self.faults))?;
        writeln!(f, "  errors {}: {}", sum(&self.errors), listed(&self.errors))?;
        write!(f, "  wrong {}: {}", sum(&self.wrong), listed(&self.wrong))
    }
}

fn listed(counts: &BTreeMap<&str, u64>) -> String {
    let texts: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

/// The first tell the story; the rest is counted.
const MOST_TOLD: usize = 20;
