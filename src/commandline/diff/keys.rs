//! Real keys, sampled by SCAN on the shards of the old configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Builder;

use super::Change;
use crate::commandline::table::count;
use crate::explain::percent;
use crate::reply::frame;
use crate::shard::connect::{Identity, Target};
use crate::survey::{Conversation, Progress, SurveyError, scan_keys};
use crate::tls::files::Connector;

/// What was found of the keys that were looked at.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    /// Keys on all shards together.
    all: u64,
    /// Keys looked at.
    seen: u64,
    /// Of these, keys on another shard than the old configuration has for them.
    astray: u64,
    /// The others that move, from where to where.
    between: BTreeMap<(usize, usize), Moved>,
    /// The memory of all keys, about, if it was asked for.
    pub(super) bytes: Option<f64>,
}

/// Keys that go from one shard to another.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moved {
    /// Among those looked at.
    pub(super) keys: u64,
    /// Among all, about.
    pub(super) estimate: f64,
    /// Their memory, about.
    pub(super) bytes: f64,
}

impl Sampled {
    /// From where to where, the most first.
    pub(super) fn moved(&self) -> Vec<((usize, usize), Moved)> {
        let mut moved: Vec<_> = self.between.iter().map(|(way, moved)| (*way, *moved)).collect();
        moved.sort_by(|a, b| b.1.estimate.total_cmp(&a.1.estimate));
        moved
    }

    /// A sentence.
    pub(super) fn summary(&self) -> String {
        let moved: u64 = self.between.values().map(|moved| moved.keys).sum();
        let estimate: f64 = self.between.values().map(|moved| moved.estimate).sum();
        let part = if self.all == 0 { 0.0 } else { estimate / self.all as f64 };
        let mut text = format!(
            "{} of {} keys looked at move; of all {} about {}, {}",
            count(moved),
            count(self.seen),
            count(self.all),
            count(estimate.round() as u64),
            percent(part)
        );
        if let Some(all) = self.bytes {
            let bytes: f64 = self.between.values().map(|moved| moved.bytes).sum();
            text += &format!(
                ", with {} of {} bytes",
                count(bytes.round() as u64),
                count(all.round() as u64)
            );
        }
        if self.astray > 0 {
            text += &format!(
                "; {} keys are not where OLD looks for them, and were left out",
                count(self.astray)
            );
        }
        text
    }
}

/// Looks at up to `most` keys, of each shard as many as is its part of all.
pub(super) fn sampled(
    change: &Change<'_>,
    connector: Option<Arc<Connector>>,
    most: usize,
    with_bytes: bool,
) -> Result<Sampled, SurveyError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
        SurveyError { whom: "circlet".to_owned(), what: format!("cannot start: {error}") }
    })?;
    runtime.block_on(look(change, connector, most, with_bytes))
}

async fn look(
    change: &Change<'_>,
    connector: Option<Arc<Connector>>,
    most: usize,
    with_bytes: bool,
) -> Result<Sampled, SurveyError> {
    let mut shards = Vec::new();
    for shard in 0..change.old.servers.len() {
        let mut conversation = open(change, shard, connector.clone()).await?;
        let reply = conversation.ask(&[b"DBSIZE"]).await?;
        let size = frame::integer(&reply).ok_or_else(|| {
            conversation.error(format!("DBSIZE: {}", String::from_utf8_lossy(&reply).trim_end()))
        })?;
        shards.push((conversation, size.max(0) as u64));
    }
    let all: u64 = shards.iter().map(|(_, size)| size).sum();
    let mut sampled = Sampled { all, bytes: with_bytes.then_some(0.0), ..Sampled::default() };
    let mut progress =
        Progress::new(format!("pool {}: keys", change.old.name), most.min(all as usize));
    for (shard, (conversation, size)) in shards.iter_mut().enumerate() {
        let part = (most as f64 * *size as f64 / all.max(1) as f64).ceil() as usize;
        let keys = scan_keys(conversation, part, &mut progress).await?;
        let memory = match with_bytes {
            true => memory(conversation, &keys).await?,
            false => vec![0; keys.len()],
        };
        // Each stands for as many.
        let weight = *size as f64 / keys.len().max(1) as f64;
        for (key, memory) in keys.iter().zip(memory) {
            sampled.add(change, shard, key, weight, memory);
        }
    }
    Ok(sampled)
}

impl Sampled {
    fn add(&mut self, change: &Change<'_>, shard: usize, key: &[u8], weight: f64, memory: u64) {
        self.seen += 1;
        let bytes = memory as f64 * weight;
        if let Some(all) = &mut self.bytes {
            *all += bytes;
        }
        if change.rings.0.explain(key).shard.is_some_and(|home| home != shard) {
            self.astray += 1;
            return;
        }
        let Some(to) = change.rings.1.shard(key) else { return };
        if change.same[shard] != Some(to) {
            let moved = self.between.entry((shard, to)).or_default();
            moved.keys += 1;
            moved.estimate += weight;
            moved.bytes += bytes;
        }
    }
}

async fn open(
    change: &Change<'_>,
    shard: usize,
    connector: Option<Arc<Connector>>,
) -> Result<Conversation, SurveyError> {
    let pool = change.old;
    let identity = Identity { db: pool.redis_db, ..Identity::default() };
    let mut target = Target::new(pool, shard, identity, connector);
    let told = || std::env::var("REDISCLI_AUTH").ok().filter(|text| !text.is_empty());
    target.password = pool.redis_auth.clone().or_else(|| told().map(|text| text.as_str().into()));
    let server = &pool.servers[shard];
    Conversation::open(&target, &format!("shard {} ({})", server.name, server.address)).await
}

/// The bytes of each key; 0 for one that has gone.
async fn memory(shard: &mut Conversation, keys: &[Vec<u8>]) -> Result<Vec<u64>, SurveyError> {
    let questions: Vec<Vec<&[u8]>> =
        keys.iter().map(|key| vec![&b"MEMORY"[..], b"USAGE", key]).collect();
    let replies = shard.ask_all(&questions).await?;
    if let Some(error) = replies.iter().find(|reply| frame::is_error(reply)) {
        let text = String::from_utf8_lossy(error);
        return Err(shard.error(format!("MEMORY USAGE: {}", text.trim_end())));
    }
    Ok(replies.iter().map(|reply| frame::integer(reply).unwrap_or(0).max(0) as u64).collect())
}
