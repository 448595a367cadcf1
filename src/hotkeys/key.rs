//! A key as it is remembered: whole where it is short, else its beginning and what tells it apart.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::journal::redact::{Redaction, Redactor};

/// A key, or its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// The first bytes: at most [`KEPT`].
    pub start: Vec<u8>,
    /// How many bytes the key has.
    pub length: usize,
}

/// A key that is remembered elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct KeyRef<'a> {
    /// The first bytes: at most [`KEPT`].
    pub start: &'a [u8],
    /// How many bytes the key has.
    pub length: usize,
}

impl Key {
    /// Remembers a key in the place of what was here before.
    pub fn set(&mut self, key: KeyRef<'_>) {
        self.start.clear();
        self.start.extend_from_slice(key.start);
        self.length = key.length;
    }

    /// The key, if all of it is remembered.
    pub fn whole(&self) -> Option<&[u8]> {
        (self.start.len() == self.length).then_some(&self.start)
    }

    /// Leaves of the key what `log_redact_keys` lets be shown.
    pub fn redact(&mut self, redactor: &Redactor) {
        if redactor.redaction != Redaction::Off {
            self.start = redactor.key(&self.start).into_bytes();
            self.length = self.start.len();
        }
    }

    /// The key as it is shown to people: a long one is cut, and its length told.
    pub fn shown(&self) -> Vec<u8> {
        let mut shown = self.start.clone();
        if self.whole().is_none() {
            shown.extend_from_slice(format!("... ({} bytes)", self.length).as_bytes());
        }
        shown
    }

    /// The key, to be remembered elsewhere.
    pub fn borrow(&self) -> KeyRef<'_> {
        KeyRef { start: &self.start, length: self.length }
    }
}

impl<'a> From<&'a [u8]> for KeyRef<'a> {
    fn from(key: &'a [u8]) -> Self {
        Self { start: &key[..key.len().min(KEPT)], length: key.len() }
    }
}

/// What tells keys apart. All workers agree on it, and no client can know it, so that nobody can
/// choose keys that are taken for each other.
pub fn hash(key: &[u8]) -> u64 {
    SEED.hash_one(key)
}

static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Longer keys than this are nearly always an accident; their beginning tells whose.
pub const KEPT: usize = 256;
