//! What a key must hold, as far as its client can know.
//!
//! A write whose reply was an error or never came may have run or not, and may yet run: a shard that
//! hangs has it in a socket. From then on the key has several possible states, and its client turns
//! to a new key; the old one is looked at again at the end.

use std::collections::{BTreeSet, HashSet};

use super::answer::{Answer, leaves};
use super::state::{Op, State};
use super::value;
use super::verdict::Wrong;
use crate::harness::Reply;

/// How strictly replies are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `auto_eject_hosts: false`: a key has one home, and what was acknowledged is there.
    Exact,
    /// `auto_eject_hosts: true`: while a shard is out its keys are elsewhere, and what is there is old
    /// when it returns. Every value read is one that this client wrote to this key, or nothing;
    /// no element is there twice; a counter is at most what was added.
    OwnOrNothing,
}

/// A key and its possible states.
#[derive(Debug, Clone)]
pub struct Record {
    pub name: String,
    /// What kind of value it is, as in the names of keys.
    pub kind: char,
    rule: Rule,
    base: State,
    /// What happened since the first write whose outcome is unknown, that one included.
    since: Vec<Event>,
    /// How often it was written.
    pub written: u64,
    /// The sum of all that was added to a counter.
    added: i64,
    /// A wrong reply was seen: it is told once.
    is_spoilt: bool,
}

/// What became of a command.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    Reply(&'a Reply),
    /// An error that says that nothing was done.
    NotRun,
    Unknown,
}

#[derive(Debug, Clone)]
struct Event {
    op: Op,
    is_sure: bool,
}

impl Record {
    pub fn new(name: String, kind: char, rule: Rule) -> Record {
        let (base, since) = (State::Nothing, Vec::new());
        Record { name, kind, rule, base, since, written: 0, added: 0, is_spoilt: false }
    }

    /// Whether there is one possible state only.
    pub fn is_certain(&self) -> bool {
        self.since.is_empty() && !self.is_spoilt
    }

    /// The one state of a certain key; the last certain one of others.
    pub fn state(&self) -> &State {
        &self.base
    }

    /// Whether so many outcomes are open that nothing can be said.
    pub fn is_anyones_guess(&self) -> bool {
        self.is_spoilt || self.since.iter().filter(|event| !event.is_sure).count() > MOST_UNKNOWN
    }

    /// Takes note of what became of `op`; says what is wrong with its reply.
    pub fn settle(&mut self, op: &Op, outcome: Outcome<'_>) -> Result<(), Wrong> {
        let runs = !matches!(outcome, Outcome::NotRun);
        if runs && op.writes() {
            self.written += 1;
            if let Op::Increment(by) = op {
                self.added += by;
            }
        }
        match outcome {
            Outcome::NotRun => Ok(()),
            Outcome::Unknown => {
                if op.writes() {
                    self.since.push(Event { op: *op, is_sure: false });
                }
                Ok(())
            }
            Outcome::Reply(reply) => {
                let verdict = self.judge(op, reply);
                self.is_spoilt |= verdict.is_err();
                verdict
            }
        }
    }

    fn judge(&mut self, op: &Op, reply: &Reply) -> Result<(), Wrong> {
        self.own(reply)?;
        if let (Op::Pair, Reply::Array(both)) = (op, reply)
            && both.len() == 2
            && both[0] != both[1]
        {
            return Err(Wrong::Torn(format!("{}: {}", self.name, shown(reply))));
        }
        let before = self.base.clone();
        if self.rule == Rule::OwnOrNothing {
            let expected = op.apply(&mut self.base, &self.name);
            // BLPOP's reply to an element is of another kind than to none, and either may be there.
            let is_either = *op == Op::BlockingPop && *reply != Reply::Nil;
            let is_fit = match is_either {
                true => is_alike(&Answer::List(Vec::new()), reply),
                false => is_alike(&expected, reply),
            };
            return match is_fit {
                true => self.bounded(op, reply),
                false => Err(self.wrong(op, &before, reply)),
            };
        }
        if self.is_anyones_guess() {
            return Ok(());
        }
        if self.since.is_empty() {
            return match op.apply(&mut self.base, &self.name).is(reply) {
                true => Ok(()),
                false => Err(self.wrong(op, &before, reply)),
            };
        }
        let possible = self.possible();
        let fits = |state: &State| op.apply(&mut state.clone(), &self.name).is(reply);
        if !possible.iter().any(fits) {
            return Err(self.wrong(op, &before, reply));
        }
        if op.writes() {
            self.since.push(Event { op: *op, is_sure: true });
        }
        Ok(())
    }

    /// Every value names this key, and none is there twice.
    fn own(&self, reply: &Reply) -> Result<(), Wrong> {
        let mut seen = HashSet::new();
        for leaf in leaves(reply).iter().filter(|leaf| leaf.starts_with(b"<")) {
            let chunks = value::parse(leaf).ok_or_else(|| Wrong::Damaged(shown(reply)))?;
            for (key, chunk) in chunks {
                if key != self.name {
                    return Err(Wrong::Foreign(format!("{}: a value of {key}", self.name)));
                }
                // A pair has the same value twice by its nature.
                if self.kind != 'p' && !seen.insert(chunk.sequence) {
                    let text = format!("{}: {} is there twice", self.name, chunk.sequence);
                    return Err(Wrong::Twice(text));
                }
            }
        }
        Ok(())
    }

    /// A counter is at most what was added to it.
    fn bounded(&self, op: &Op, reply: &Reply) -> Result<(), Wrong> {
        let count = match (op, reply) {
            (Op::Increment(_), Reply::Integer(number)) => *number,
            (Op::Number, Reply::Bulk(digits)) => {
                String::from_utf8_lossy(digits).parse().unwrap_or(i64::MAX)
            }
            _ => return Ok(()),
        };
        match (0..=self.added).contains(&count) {
            true => Ok(()),
            false => Err(Wrong::Twice(format!("{}: {count} of {}", self.name, self.added))),
        }
    }

    /// Names what is wrong with a reply that is none of those possible.
    fn wrong(&self, op: &Op, before: &State, reply: &Reply) -> Wrong {
        let expected = op.apply(&mut before.clone(), &self.name);
        let text = format!(
            "{} {op:?}: {}, expected {}{}",
            self.name,
            shown(reply),
            shorten(&format!("{expected:?}")),
            if self.since.is_empty() { String::new() } else { format!(" or {:?}", self.since) },
        );
        match (&expected, reply) {
            (Answer::Integer(expected), Reply::Integer(got)) if got > expected => {
                Wrong::Twice(text)
            }
            (Answer::Integer(_), Reply::Integer(_)) => Wrong::Lost(text),
            (Answer::Bytes(Some(_)), Reply::Nil) => Wrong::Lost(text),
            (Answer::Bytes(_), Reply::Bulk(got)) => match (op, &expected) {
                (Op::Get | Op::GetSet(_) | Op::GetDel, _) if value::parse(got).is_none() => {
                    Wrong::OtherKind(text)
                }
                (Op::Number, Answer::Bytes(Some(due))) if got.len() > due.len() || got > due => {
                    Wrong::Twice(text)
                }
                _ => Wrong::Lost(text),
            },
            (Answer::List(_) | Answer::Bag(_) | Answer::Entries(_), got)
                if is_alike(&expected, got) =>
            {
                match leaves(got).len() > leaves_due(&expected) {
                    true => Wrong::Twice(text),
                    false => Wrong::Lost(text),
                }
            }
            _ => Wrong::OtherKind(text),
        }
    }

    /// All states that may be: each write of unknown outcome ran at any time since, or never.
    fn possible(&self) -> BTreeSet<State> {
        let mut open: Vec<Op> = Vec::new();
        let mut now = BTreeSet::from([(self.base.clone(), 0_u32)]);
        for event in &self.since {
            if event.is_sure {
                now = reach(now, &open, &self.name);
                now = now
                    .into_iter()
                    .map(|(mut state, ran)| {
                        event.op.apply(&mut state, &self.name);
                        (state, ran)
                    })
                    .collect();
            } else {
                open.push(event.op);
            }
        }
        reach(now, &open, &self.name).into_iter().map(|(state, _)| state).collect()
    }
}

/// All that comes of running any of `open` that did not run yet, in any order.
fn reach(now: BTreeSet<(State, u32)>, open: &[Op], key: &str) -> BTreeSet<(State, u32)> {
    let mut all = now.clone();
    let mut fresh: Vec<_> = now.into_iter().collect();
    while let Some((state, ran)) = fresh.pop() {
        for (index, op) in open.iter().enumerate().filter(|(index, _)| ran & (1 << index) == 0) {
            let mut next = (state.clone(), ran | (1 << index));
            op.apply(&mut next.0, key);
            if all.insert(next.clone()) {
                fresh.push(next);
            }
        }
    }
    all
}

/// Whether the reply is of the kind expected, whatever it says.
fn is_alike(expected: &Answer, reply: &Reply) -> bool {
    match expected {
        Answer::Ok => matches!(reply, Reply::Simple(text) if text == "OK"),
        Answer::Integer(_) => matches!(reply, Reply::Integer(_)),
        Answer::Bytes(_) => matches!(reply, Reply::Nil | Reply::Bulk(_) | Reply::Number(_)),
        Answer::Id => matches!(reply, Reply::Bulk(_)),
        Answer::List(_) | Answer::Entries(_) => matches!(reply, Reply::Array(_) | Reply::Nil),
        Answer::Bag(_) => matches!(reply, Reply::Array(_) | Reply::Map(_) | Reply::Set(_)),
    }
}

fn leaves_due(expected: &Answer) -> usize {
    match expected {
        Answer::List(all) => all.len(),
        Answer::Bag(all) if all.iter().any(|leaf| leaf.contains(&b'=')) => 2 * all.len(),
        Answer::Bag(all) => all.len(),
        Answer::Entries(all) => 3 * all.len(),
        _ => 1,
    }
}

/// A reply for people: large ones are cut.
pub fn shown(reply: &Reply) -> String {
    let texts: Vec<String> = leaves(reply)
        .iter()
        .map(|leaf| leaf[..leaf.len().min(60)].escape_ascii().to_string())
        .collect();
    shorten(&texts.join(" "))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

const MOST_UNKNOWN: usize = 6;
