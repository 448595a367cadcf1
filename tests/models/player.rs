//! What a client of the model is owed: the reference that the real replies are held against.

use std::collections::VecDeque;

use crate::wire;

/// A client and the replies that it is still to read, oldest first.
#[derive(Debug, Default)]
pub struct Player {
    pub owed: VecDeque<Owed>,
    pub said: usize,
    /// Whether the reply to its next command is not wanted.
    pub skips: bool,
    /// Whether it will say no more and is to be let go when it has read all.
    pub is_leaving: bool,
}

/// One command that is not answered yet.
#[derive(Debug)]
pub struct Owed {
    pub number: usize,
    pub kind: Kind,
    pub parts: Vec<Part>,
    pub is_muted: bool,
    /// Whether circlet may have read it later than it was said: what befell it is not certain
    /// before a shard has seen it or its client reads an error.
    pub is_vague: bool,
    /// When it was said, in milliseconds. Where it is vague, its time may run from then, or from
    /// any later moment before a shard saw it.
    pub said_at: u32,
    /// Whether it may have been answered as overdue.
    pub may_be_late: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GET: the value of its one part.
    Get,
    /// MGET: the values of its parts in their order.
    Mget,
    /// KEYS: what each shard says, one part a shard.
    Keys,
    /// ECHO: answered by circlet.
    Echo,
}

/// A key of a command, or a shard that is asked.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: String,
    pub state: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// No shard has seen it.
    Unseen,
    /// It stands in the queue of this connection.
    Waiting(usize),
    /// A shard has replied, to the last byte.
    Answered,
    /// It is answered with an error.
    Failed,
}

impl Part {
    pub fn new(name: String) -> Self {
        Self { name, state: Fate::Unseen }
    }
}

impl Owed {
    /// What the client reads, once that is certain; `Err` is any error.
    pub fn reply(&self) -> Option<Result<Vec<u8>, ()>> {
        let settled = |part: &Part| matches!(part.state, Fate::Answered | Fate::Failed);
        if !self.parts.iter().all(settled) {
            return None;
        }
        if self.is_muted {
            return Some(Ok(Vec::new()));
        }
        if self.parts.iter().any(|part| part.state == Fate::Failed) {
            return Some(Err(()));
        }
        let values: Vec<Vec<u8>> = self.parts.iter().map(|part| value(&part.name)).collect();
        Some(Ok(match self.kind {
            Kind::Get | Kind::Echo => values.concat(),
            Kind::Mget | Kind::Keys => wire::array(&values),
        }))
    }
}

/// The value of a key as a bulk string. Names that end in `+` have large ones.
pub fn value(name: &str) -> Vec<u8> {
    let mut text = format!("value of {name}").into_bytes();
    if name.ends_with('+') {
        text.resize(LARGE + text.len() * 7, b'.');
    }
    wire::bulk(&text)
}

/// Past what is copied into buffers, and more than is read at once in part.
pub const LARGE: usize = 40_000;
