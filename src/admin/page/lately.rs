//! What stood out of late, as JSON: hot and big keys, slow requests, errors with their causes.

use serde::Serialize;

use super::shown;
use crate::hotkeys::report::{self, PoolReport};
use crate::journal::errors::{self, ErrorRecord};
use crate::journal::now_us;
use crate::journal::slow::SlowRequest;
use crate::worker::Shared;

#[derive(Serialize, Default)]
pub struct Lately {
    hot_keys: Vec<HotKey>,
    big_keys: Vec<BigKey>,
    slow: Vec<Slow>,
    told: Vec<Error>,
}

#[derive(Serialize)]
struct HotKey {
    key: String,
    /// The shard's name; nothing where keys have no place.
    shard: Option<String>,
    /// Commands a second.
    rate: f64,
    /// The part of the pool's commands that are for it.
    share: f64,
}

#[derive(Serialize)]
struct BigKey {
    key: String,
    shard: Option<String>,
    /// Bytes of its largest transfer lately.
    largest: usize,
    command: String,
}

#[derive(Serialize)]
struct Slow {
    /// What it said, as far as it is kept.
    command: String,
    shard: String,
    client: String,
    /// Seconds since its reply.
    ago: f64,
    /// Microseconds: all together, until it was written to the shard, and then until its reply.
    total: u64,
    queued: u64,
    at_shard: u64,
}

/// Errors of one kind.
#[derive(Serialize)]
struct Error {
    error: String,
    why: String,
    cause: String,
    command: String,
    shard: String,
    count: u64,
    /// Seconds since the last.
    ago: f64,
}

impl Lately {
    /// Of the pool with this index and this name.
    pub async fn of(shared: &Shared, pool: usize, name: &str) -> Self {
        let keys = report::ask(shared, Some(pool)).await.pop();
        let PoolReport { hot, big, .. } = match keys {
            Some(keys) => keys,
            None => return Self::default(),
        };
        let told = shared.ask_all(move |worker| worker.journal.errors.records(Some(pool))).await;
        let slow = shared.journal.slow_log(name, |log| log.newest(LINES));
        let hot = hot.into_iter().filter(|key| key.share >= WORTH_A_LINE).take(LINES);
        Self {
            hot_keys: hot.map(HotKey::from).collect(),
            big_keys: big.into_iter().take(LINES).map(BigKey::from).collect(),
            slow: slow.into_iter().map(Slow::from).collect(),
            told: errors::newest(told, LINES).into_iter().map(Error::from).collect(),
        }
    }
}

impl From<report::HotKey> for HotKey {
    fn from(key: report::HotKey) -> Self {
        let shard = key.shard.as_deref().map(str::to_owned);
        Self { key: shown(&key.key.shown()), shard, rate: key.rate, share: key.share }
    }
}

impl From<report::BigKey> for BigKey {
    fn from(key: report::BigKey) -> Self {
        let shard = key.shard.as_deref().map(str::to_owned);
        let (largest, command) = (key.largest, key.command.to_owned());
        Self { key: shown(&key.key.shown()), shard, largest, command }
    }
}

impl From<SlowRequest> for Slow {
    fn from(slow: SlowRequest) -> Self {
        let args: Vec<String> = slow.args.iter().map(|arg| shown(arg)).collect();
        Self {
            command: args.join(" "),
            shard: slow.shard,
            client: slow.client,
            ago: ago(slow.at_us),
            total: slow.total_us,
            queued: slow.queued_us,
            at_shard: slow.shard_us,
        }
    }
}

impl From<ErrorRecord> for Error {
    fn from(record: ErrorRecord) -> Self {
        Self {
            error: shown(record.told.error.as_bytes()),
            why: record.why,
            cause: shown(record.told.cause.as_bytes()),
            command: record.command,
            shard: record.told.shard,
            count: record.count,
            ago: ago(record.last_us),
        }
    }
}

fn ago(moment: u64) -> f64 {
    now_us().saturating_sub(moment) as f64 / 1e6
}

/// Of each kind.
const LINES: usize = 10;
/// A key with a smaller share of the commands than a five hundredth does not stand out.
const WORTH_A_LINE: f64 = 0.002;
