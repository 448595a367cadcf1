//! Who is in: the words in which the program speaks of a shard's health.
//!
//! ```text
//! worker ── Failure ──┐
//!                     ▼
//! heartbeat ─ Answer ─▶ PoolJudge ── Change ──▶ log, counters
//!                          └── ShardHealth ──▶ ring, workers
//! ```
//! The judges ([`judge`](super::judge), [`pool_judge`](super::pool_judge)) have neither clock nor
//! socket; the [`monitor`](super::monitor) feeds them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Pool;
use crate::route::ring::{ALL, NOTHING, Share};

/// What the rest of the program knows of one shard's health.
#[derive(Debug, Clone)]
pub struct ShardHealth {
    /// Whether requests are sent to it.
    pub state: State,
    /// How much of its own keys it has: all unless it is out or on its way back.
    pub share: Share,
    /// Since when.
    pub since: Instant,
    /// Why, for a person: "2 failures in 1.2 s: Connection refused". Empty while live. Holds no
    /// CR or LF unless a [`Failure`]'s cause did.
    pub cause: Arc<str>,
}

/// See [`ShardHealth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Answers, or has not yet failed often enough.
    Live,
    /// Does not answer but keeps its keys (`auto_eject_hosts: false`): its requests fail at once.
    Down,
    /// Answers again, and gets its keys back by its [`share`](ShardHealth::share).
    Returning,
    /// Does not answer; its keys are served by the others. When all shards of a pool are
    /// ejected there is nobody to route to, and requests fail at once.
    Ejected,
    /// No longer in the configuration: it has no keys and is not asked how it is. What is on its
    /// way to it still gets there.
    Removed,
}

/// A failure that a worker met: one for each death of a link, refused connection or timeout,
/// however many requests it failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Index of the pool.
    pub pool: usize,
    /// Index of the shard in the pool.
    pub shard: usize,
    /// What happened, for a person: "Connection refused".
    pub cause: Arc<str>,
    /// When it was met. A failure older than the last good heartbeat is history.
    pub at: Instant,
    /// Whether a request waited in vain, and nothing else: the command may have been a slow one, so
    /// that it counts for nothing until a heartbeat has failed as well.
    pub is_timeout: bool,
}

impl State {
    /// For people and their programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Down => "down",
            Self::Returning => "returning",
            Self::Ejected => "ejected",
            Self::Removed => "removed",
        }
    }
}

impl ShardHealth {
    /// That of a shard of which nothing is known yet: it is in.
    pub fn new(now: Instant) -> Self {
        Self { state: State::Live, share: ALL, since: now, cause: Arc::from("") }
    }

    /// Whether it is still in the configuration.
    pub fn is_configured(&self) -> bool {
        self.state != State::Removed
    }

    /// Whether keys of its own live elsewhere.
    pub fn displaces(&self) -> bool {
        self.share != ALL && self.is_configured()
    }

    /// Whether any key is sought at the shard: it is neither ejected nor about to return.
    pub fn has_keys(&self) -> bool {
        self.share != NOTHING
    }
}

impl Failure {
    /// A failure met just now.
    pub fn now(pool: usize, shard: usize, cause: impl Into<Arc<str>>) -> Self {
        Self { pool, shard, cause: cause.into(), at: Instant::now(), is_timeout: false }
    }
}

/// A shard went from one state to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Index of the shard in its pool.
    pub shard: usize,
    /// What it was.
    pub from: State,
    /// What it is.
    pub to: State,
    /// Why and with what effect, to follow "shard s of pool p ejected after …" in a log line.
    pub cause: String,
}

/// The pool's settings that health depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether a shard that is out loses its keys to the others (`auto_eject_hosts`).
    pub auto_eject: bool,
    /// Failures in a row that take a shard out (`server_failure_limit`); at least 1.
    pub failure_limit: u32,
    /// Good heartbeats in a row that bring it back (`heartbeat_successes`); at least 1.
    pub successes: u32,
    /// The shortest time out of an ejected shard (`server_retry_timeout`).
    pub retry_timeout: Duration,
}

impl From<&Pool> for Rules {
    fn from(pool: &Pool) -> Self {
        Self {
            auto_eject: pool.auto_eject_hosts,
            failure_limit: pool.server_failure_limit.max(1),
            successes: pool.heartbeat_successes.max(1),
            retry_timeout: pool.server_retry_timeout,
        }
    }
}

/// A length of time for a person: "350 ms", "1.2 s", "30 s", "8 min".
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 0.9995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.95 && s.fract() >= 0.05 => format!("{s:.1} s"),
        s if s < 300.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let read = |millis| span(Duration::from_millis(millis));
        assert_eq!(
            [0, 350, 999, 1_000, 1_200, 9_940, 30_000, 480_000].map(read),
            ["0 ms", "350 ms", "999 ms", "1 s", "1.2 s", "9.9 s", "30 s", "8 min"]
        );
    }
}
