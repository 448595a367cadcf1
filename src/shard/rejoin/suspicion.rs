//! What makes a whole shard suspect, though no record names its keys.

use std::sync::{Mutex, MutexGuard};

/// Why more than the recorded keys may be old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The record is not whole: it grew too long, a stand-in died, or would not keep it.
    Unrecorded,
    /// All databases were emptied while the shard was out.
    FlushedAll,
    /// This database was emptied while the shard was out.
    Flushed(u32),
}

impl Why {
    /// As a stand-in keeps it.
    pub fn member(self) -> String {
        match self {
            Self::Unrecorded => "unrecorded".into(),
            Self::FlushedAll => "flushed".into(),
            Self::Flushed(db) => format!("flushed:{db}"),
        }
    }

    /// Reads a member; what is not understood counts as the vaguest.
    pub fn read(member: &[u8]) -> Self {
        let text = String::from_utf8_lossy(member);
        match text.strip_prefix("flushed") {
            Some("") => Self::FlushedAll,
            Some(rest) => {
                let db = rest.strip_prefix(':').and_then(|db| db.parse().ok());
                db.map_or(Self::FlushedAll, Self::Flushed)
            }
            None => Self::Unrecorded,
        }
    }
}

/// A suspicion and its number: later ones have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspicion {
    /// Its number.
    pub number: u64,
    pool: usize,
    home: usize,
    /// Why.
    pub why: Why,
}

/// What workers and the control thread suspect. Nothing on a forwarded command's way looks here.
#[derive(Debug, Default)]
pub struct Suspicions {
    known: Mutex<(u64, Vec<Suspicion>)>,
}

impl Suspicions {
    /// Enters one; the latest of the same kind counts.
    pub fn enter(&self, pool: usize, home: usize, why: Why) {
        let (last, known) = &mut *self.known();
        *last += 1;
        known.retain(|old| (old.pool, old.home, old.why) != (pool, home, why));
        known.push(Suspicion { number: *last, pool, home, why });
    }

    /// Enters one unless it is known: what a stand-in remembers is no news each time it is read.
    pub fn enter_again(&self, pool: usize, home: usize, why: Why) {
        if !self.of(pool, home).iter().any(|known| known.why == why) {
            self.enter(pool, home, why);
        }
    }

    /// Those of one shard.
    pub fn of(&self, pool: usize, home: usize) -> Vec<Suspicion> {
        let is_its = |one: &&Suspicion| (one.pool, one.home) == (pool, home);
        self.known().1.iter().filter(is_its).copied().collect()
    }

    /// Forgets those of one shard up to this number: they have been acted on.
    pub fn settle(&self, pool: usize, home: usize, number: u64) {
        self.known().1.retain(|one| (one.pool, one.home) != (pool, home) || one.number > number);
    }

    fn known(&self) -> MutexGuard<'_, (u64, Vec<Suspicion>)> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_one_is_acted_on_stays() {
        let suspicions = Suspicions::default();
        suspicions.enter(0, 1, Why::FlushedAll);
        let seen = suspicions.of(0, 1)[0].number;
        suspicions.enter(0, 1, Why::FlushedAll);
        suspicions.enter(0, 2, Why::Unrecorded);
        suspicions.settle(0, 1, seen);
        assert_eq!(suspicions.of(0, 1).len(), 1, "the later one was not acted on");
        suspicions.settle(0, 1, u64::MAX);
        assert!(suspicions.of(0, 1).is_empty());
        assert_eq!(suspicions.of(0, 2).len(), 1);
    }

    #[test]
    fn reasons_read_back() {
        for why in [Why::Unrecorded, Why::FlushedAll, Why::Flushed(7)] {
            assert_eq!(Why::read(why.member().as_bytes()), why);
        }
    }
}
