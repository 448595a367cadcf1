//! Who is in: the judgement of one shard from what was heard of it.

use std::sync::Arc;
use std::time::Instant;

/// What the rest of the program knows of one shard's health.
#[derive(Debug, Clone)]
pub struct ShardHealth {
    /// Whether requests are sent to it.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Why, for a person: "3 failures in a row, last: Connection refused". Empty while live.
    pub cause: Arc<str>,
}

/// See [`ShardHealth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Answers, or has not yet failed often enough.
    Live,
    /// Does not answer but keeps its keys (`auto_eject_hosts: false`): its requests fail at once.
    Down,
    /// Does not answer; its keys are served by the others.
    Ejected,
}

/// A failure that a worker met on a link.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Index of the pool.
    pub pool: usize,
    /// Index of the shard in the pool.
    pub shard: usize,
    /// What happened, for a person: "Connection refused".
    pub cause: Arc<str>,
}
