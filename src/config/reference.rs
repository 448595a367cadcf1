//! The keys of a pool: one table for the parser, `circlet config-reference` and the docs.
//!
//! Every default is written here as a user would type it and goes through the same reading as what
//! a user types, so the documentation cannot differ from the program.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::Wrong;
pub use super::keys::KEYS;
use super::model::{Listen, Pool};

/// A key of a pool: what it takes, what it means, where it comes from.
pub struct Key {
    /// The name as written in the file.
    pub name: &'static str,
    /// What happens without it.
    pub default: Without,
    /// What it takes, and where that goes.
    pub(crate) takes: Takes,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// How twemproxy differs; empty when it does not.
    pub twemproxy: &'static str,
}

/// What holds when a key is not written.
pub enum Without {
    /// It must be written.
    Required,
    /// This text, as if it had been typed.
    Text(&'static str),
    /// Nothing is set, which means this.
    Unset(&'static str),
    /// What it is depends on other keys; the text says how.
    Derived(&'static str),
}

/// The kind of a value, the range it must be in, and the field it sets.
pub(crate) enum Takes {
    /// See `address::listen`.
    Listen(fn(&mut Pool, Listen)),
    /// The same without unix sockets.
    ListenTcp(fn(&mut Pool, Listen)),
    /// See `address::server`.
    Servers,
    /// `redis: true`, the only value that runs.
    RedisOnly,
    /// `true` or `false`.
    Boolean(fn(&mut Pool, bool)),
    /// A decimal integer.
    Integer(RangeInclusive<u64>, fn(&mut Pool, u64)),
    /// `auto`, or a decimal integer.
    AutoOr(RangeInclusive<u64>, fn(&mut Pool, Option<u64>)),
    /// Milliseconds as a decimal integer.
    Milliseconds(RangeInclusive<u64>, fn(&mut Pool, Duration)),
    /// Bytes, with redis.conf's suffixes.
    Size(RangeInclusive<u64>, fn(&mut Pool, u64)),
    /// One of these words.
    Word(&'static [Word]),
    /// Exactly two characters of one byte each.
    TwoCharacters(fn(&mut Pool, [u8; 2])),
    /// Any text but the empty one.
    Text(fn(&mut Pool, &str)),
    /// Text that is read further.
    Rules(fn(&mut Pool, &str) -> Result<(), Wrong>),
    /// See `config::users`.
    Users,
}

/// A word that a key takes, and what it sets.
pub(crate) type Word = (&'static str, fn(&mut Pool));

impl Takes {
    /// The kind in words.
    pub fn describe(&self) -> String {
        let between = |range: &RangeInclusive<u64>| format!("{} to {}", range.start(), range.end());
        match self {
            Self::Listen(_) => "`host:port` or `/path [permissions]`".into(),
            Self::ListenTcp(_) => "`host:port`".into(),
            Self::Servers => "list of `host:port:weight [name]` or `/path:weight [name]`".into(),
            Self::RedisOnly => "`true`".into(),
            Self::Boolean(_) => "`true` or `false`".into(),
            Self::Integer(range, _) => format!("integer, {}", between(range)),
            Self::AutoOr(range, _) => format!("`auto` or integer, {}", between(range)),
            Self::Milliseconds(range, _) => format!("milliseconds, {}", between(range)),
            Self::Size(range, _) => format!("size in bytes, {}", between(range)),
            Self::Word(words) => {
                let names: Vec<_> = words.iter().map(|(name, _)| format!("`{name}`")).collect();
                names.join(", ")
            }
            Self::TwoCharacters(_) => "exactly two characters".into(),
            Self::Text(_) => "text".into(),
            Self::Rules(_) => "rules such as `-flushall -keys +debug`".into(),
            Self::Users => "list of `\"NAME RULES…\"`".into(),
        }
    }
}

/// The key of this name.
pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
