//! Lines that repeat: the first few are written, the rest counted.
//!
//! A shard that flaps or a storm of clients that are refused says the same again and again. Lines are
//! the same when one place in the code says them of one pool and shard. Of these [`BURST`] are
//! written in [`WINDOW`]; how many were left out is told once the window is over. Lines below
//! `info` are never left out: who turns them on wants them all.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of a kind that are written in a [`WINDOW`].
pub const BURST: u32 = 50;
/// For how long lines of a kind are counted together.
pub const WINDOW: Duration = Duration::from_secs(10);

/// What was said lately; all clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Floods {
    kinds: Arc<Mutex<HashMap<(Identifier, u64), Kind>>>,
}

/// Lines of a kind since `since`.
#[derive(Debug)]
struct Kind {
    since: Instant,
    written: u32,
    /// How many were left out, and the last of them.
    left_out: u64,
    said: Said,
}

/// What tells lines of one place apart.
#[derive(Debug, Default, Clone)]
struct Said {
    pool: String,
    shard: String,
    message: String,
}

/// Lines that were left out, for a line of their own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub pool: String,
    pub shard: String,
    pub message: String,
    pub count: u64,
}

impl Floods {
    /// Whether a line is to be written at the moment `now`.
    fn admits(&self, place: Identifier, said: Said, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        (&said.pool, &said.shard).hash(&mut hasher);
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (place, hasher.finish());
        if kinds.len() >= MOST_KINDS && !kinds.contains_key(&key) {
            key.1 = 0;
        }
        let kind = kinds.entry(key).or_insert_with(|| Kind {
            since: now,
            written: 0,
            left_out: 0,
            said: Said::default(),
        });
        if kind.left_out == 0 && now.duration_since(kind.since) >= WINDOW {
            (kind.since, kind.written) = (now, 0);
        }
        if kind.written < BURST {
            kind.written += 1;
            return true;
        }
        if kind.left_out == 0 {
            kind.said = said;
        }
        kind.left_out += 1;
        false
    }

    /// What was left out in windows that are over at the moment `now`.
    pub(super) fn over(&self, now: Instant) -> Vec<LeftOut> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_out = Vec::new();
        kinds.retain(|_, kind| {
            let is_over = now.duration_since(kind.since) >= WINDOW;
            if is_over && kind.left_out > 0 {
                let Said { pool, shard, message } = kind.said.clone();
                left_out.push(LeftOut { pool, shard, message, count: kind.left_out });
            }
            !is_over
        });
        left_out
    }
}

impl<S: Subscriber> Filter<S> for Floods {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == TELLS {
            return true;
        }
        let mut said = Said::default();
        event.record(&mut said);
        self.admits(metadata.callsite(), said, Instant::now())
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "pool" => self.pool = value.to_owned(),
            "shard" => self.shard = value.to_owned(),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "pool" => self.pool = format!("{value:?}"),
            "shard" => self.shard = format!("{value:?}"),
            "message" => self.message = format!("{value:?}"),
            _ => {}
        }
    }
}

/// Says how many lines were left out, now and then, for as long as the process lives.
pub(super) fn tell(left_out: Vec<LeftOut>) {
    for LeftOut { pool, shard, message, count } in left_out {
        let seconds = WINDOW.as_secs();
        match (pool.is_empty(), shard.is_empty()) {
            (true, _) => tracing::info!(
                target: TELLS, left_out = count, "said so often that lines were left out in the last {seconds} s: {message}"
            ),
            (false, true) => tracing::info!(
                target: TELLS, pool, left_out = count, "said so often that lines were left out in the last {seconds} s: {message}"
            ),
            (false, false) => tracing::info!(
                target: TELLS, pool, shard, left_out = count, "said so often that lines were left out in the last {seconds} s: {message}"
            ),
        }
    }
}

/// Who tells of lines that were left out; never left out itself.
const TELLS: &str = "circlet::admin::log";
/// Kinds that are kept apart; beyond, lines of a place count together whatever their shard.
const MOST_KINDS: usize = 1024;
