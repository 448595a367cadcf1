//! Counters that all clients share: what was acknowledged is in them, once.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};

use super::record::Rule;
use super::verdict::Wrong;

/// The counters of one pool.
#[derive(Debug)]
pub struct Shared {
    rule: Rule,
    counters: Mutex<Vec<Counter>>,
}

#[derive(Debug, Default, Clone)]
struct Counter {
    acknowledged: HashSet<i64>,
    unknown: i64,
}

impl Shared {
    pub fn new(rule: Rule) -> Shared {
        Shared { rule, counters: Mutex::new(vec![Counter::default(); COUNTERS]) }
    }

    /// The key of a counter.
    pub fn key(counter: usize) -> String {
        format!("shared{counter}")
    }

    /// Notes what an INCR answered, or that it did not.
    pub fn note(&self, counter: usize, value: Option<i64>) -> Result<(), Wrong> {
        let counters = &mut *self.counters();
        let known = &mut counters[counter];
        let Some(value) = value else {
            known.unknown += 1;
            return Ok(());
        };
        let is_new = known.acknowledged.insert(value);
        match is_new || self.rule == Rule::OwnOrNothing {
            true => Ok(()),
            false => Err(Wrong::Lost(format!("{}: {value} twice", Shared::key(counter)))),
        }
    }

    /// What is wrong with the value at the end: it is no less than what was acknowledged, and no
    /// more than what was sent.
    pub fn judge(&self, counter: usize, value: i64) -> Result<(), Wrong> {
        let known = &self.counters()[counter];
        let (acknowledged, unknown) = (known.acknowledged.len() as i64, known.unknown);
        let text = format!(
            "{}: {value}, acknowledged {acknowledged}, unknown {unknown}",
            Shared::key(counter)
        );
        if self.rule == Rule::Exact && value < acknowledged {
            return Err(Wrong::Lost(text));
        }
        match self.rule == Rule::Exact && value > acknowledged + unknown {
            true => Err(Wrong::Twice(text)),
            false => Ok(()),
        }
    }

    /// Begins anew.
    pub fn clear(&self) {
        *self.counters() = vec![Counter::default(); COUNTERS];
    }

    fn counters(&self) -> MutexGuard<'_, Vec<Counter>> {
        self.counters.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// How many there are.
pub const COUNTERS: usize = 8;
