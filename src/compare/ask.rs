//! Where a proxy looks for keys: three ways to find out.
//!
//! | way | what is sent through the proxy | what it needs |
//! |---|---|---|
//! | script | EVAL of a script that returns its server's `run_id` | that scripts are allowed |
//! | reading | EXISTS, beside EXISTS on every shard | keys that are there already |
//! | writing | SET, then EXISTS on every shard, then DEL | permission to write |
//!
//! The first two change nothing.

use bytes::Bytes;

use super::keys::Key;
use super::places::Place;
use crate::reply::frame;
use crate::survey::{Conversation, Progress, SurveyError};

/// How a proxy is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By a script that tells where it runs.
    Script,
    /// By reading keys that are there; the error that the script met.
    Reading(String),
    /// By writing keys and looking where they are.
    Writing,
}

/// The shards of a pool, each with a conversation, in the order of their indices.
#[derive(Debug)]
pub struct Shards {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// Their `run_id`s; empty where a shard does not tell.
    pub run_ids: Vec<String>,
}

impl Shards {
    /// The lowest index of those that are the same server: a server may stand in the file twice.
    pub fn canonical(&self, shard: usize) -> usize {
        let id = &self.run_ids[shard];
        let first = self.run_ids.iter().position(|other| other == id && !id.is_empty());
        first.unwrap_or(shard)
    }

    /// For each key, the shards that have it.
    async fn holders(&mut self, keys: &[Key]) -> Result<Vec<Vec<usize>>, SurveyError> {
        let questions: Vec<Vec<&[u8]>> =
            keys.iter().map(|key| vec![&b"EXISTS"[..], &key.bytes]).collect();
        let mut holders = vec![Vec::new(); keys.len()];
        for (shard, conversation) in self.conversations.iter_mut().enumerate() {
            let replies = conversation.ask_all(&questions).await?;
            for (holders, reply) in holders.iter_mut().zip(replies) {
                match frame::integer(&reply) {
                    Some(0) => {}
                    Some(_) => holders.push(shard),
                    None => return Err(conversation.error(format!("EXISTS: {}", text(&reply)))),
                }
            }
        }
        Ok(holders)
    }
}

/// The `run_id` in what a server says to INFO; empty if it has none.
pub async fn run_id(shard: &mut Conversation) -> Result<String, SurveyError> {
    let reply = shard.ask(&[b"INFO", b"server"]).await?;
    let info = text(&reply);
    let id = info.lines().find_map(|line| line.trim_end().strip_prefix("run_id:"));
    Ok(id.unwrap_or_default().to_owned())
}

/// Whether the proxy can be asked by a script, or else by reading.
pub async fn way(proxy: &mut Conversation, shards: &Shards) -> Result<Way, SurveyError> {
    if shards.run_ids.iter().any(String::is_empty) {
        return Ok(Way::Reading("a shard does not tell its run_id".into()));
    }
    // Some of the keys may be those of a shard that does not answer.
    let keys: Vec<String> = (0..TRIALS).map(|number| format!("circlet-compare:{number}")).collect();
    let trials: Vec<Vec<&[u8]>> =
        keys.iter().map(|key| vec![&b"EVAL"[..], SCRIPT, b"1", key.as_bytes()]).collect();
    let replies = proxy.ask_all(&trials).await?;
    Ok(match replies.iter().find(|reply| frame::bulk(reply).is_none()) {
        Some(error) if replies.iter().all(|reply| frame::bulk(reply).is_none()) => {
            Way::Reading(text(error))
        }
        _ => Way::Script,
    })
}

/// One of these keys that the proxy sees, and no shard has in the pool's own database.
pub async fn only_through_the_proxy(
    proxy: &mut Conversation,
    shards: &mut Shards,
    keys: Vec<Vec<u8>>,
) -> Result<Option<Vec<u8>>, SurveyError> {
    let keys: Vec<Key> = keys.into_iter().map(|bytes| Key { bytes, found_on: None }).collect();
    let questions: Vec<Vec<&[u8]>> =
        keys.iter().map(|key| vec![&b"EXISTS"[..], &key.bytes]).collect();
    let seen = proxy.ask_all(&questions).await?;
    let holders = shards.holders(&keys).await?;
    let is_elsewhere =
        |(seen, holders): (&Bytes, &Vec<usize>)| &seen[..] == b":1\r\n" && holders.is_empty();
    let found = seen.iter().zip(&holders).position(is_elsewhere);
    Ok(found.map(|at| keys[at].bytes.clone()))
}

/// Where the proxy looks for each of the keys.
pub async fn places(
    way: &Way,
    proxy: &mut Conversation,
    shards: &mut Shards,
    keys: &[Key],
    progress: &mut Progress,
) -> Result<Vec<Place>, SurveyError> {
    let mut places = Vec::with_capacity(keys.len());
    for keys in keys.chunks(AT_A_TIME) {
        places.extend(match way {
            Way::Script => by_script(proxy, shards, keys).await?,
            Way::Reading(_) => by_reading_twice(proxy, shards, keys).await?,
            Way::Writing => by_writing(proxy, shards, keys).await?,
        });
        progress.add(keys.len());
    }
    Ok(places)
}

async fn by_script(
    proxy: &mut Conversation,
    shards: &Shards,
    keys: &[Key],
) -> Result<Vec<Place>, SurveyError> {
    let questions: Vec<Vec<&[u8]>> =
        keys.iter().map(|key| vec![&b"EVAL"[..], SCRIPT, b"1", &key.bytes]).collect();
    let place = |reply: Bytes| match frame::bulk(&reply) {
        None => Place::Failed(text(&reply)),
        Some(id) => {
            let id = String::from_utf8_lossy(id).into_owned();
            match shards.run_ids.iter().position(|known| *known == id) {
                Some(shard) => Place::At(shard),
                None => Place::Stranger(id),
            }
        }
    };
    Ok(proxy.ask_all(&questions).await?.into_iter().map(place).collect())
}

/// A key that is removed and made again while it is asked for looks as if it were elsewhere: what
/// seems so is asked for once more.
async fn by_reading_twice(
    proxy: &mut Conversation,
    shards: &mut Shards,
    keys: &[Key],
) -> Result<Vec<Place>, SurveyError> {
    let mut places = by_reading(proxy, shards, keys).await?;
    let doubtful: Vec<usize> =
        (0..keys.len()).filter(|&at| matches!(places[at], Place::NotAt(_))).collect();
    let again: Vec<Key> = doubtful.iter().map(|&at| keys[at].clone()).collect();
    for (at, place) in doubtful.into_iter().zip(by_reading(proxy, shards, &again).await?) {
        places[at] = place;
    }
    Ok(places)
}

/// A key that is asked for after it was seen may be gone, or elsewhere: shards are asked last, so
/// that one that went meanwhile counts for nothing.
async fn by_reading(
    proxy: &mut Conversation,
    shards: &mut Shards,
    keys: &[Key],
) -> Result<Vec<Place>, SurveyError> {
    let questions: Vec<Vec<&[u8]>> =
        keys.iter().map(|key| vec![&b"EXISTS"[..], &key.bytes]).collect();
    let seen = proxy.ask_all(&questions).await?;
    let holders = shards.holders(keys).await?;
    let place = |(seen, holders): (Bytes, Vec<usize>)| match (frame::integer(&seen), &holders[..]) {
        (None, _) => Place::Failed(text(&seen)),
        (Some(0), [_, ..]) => Place::NotAt(holders),
        (Some(1..), [only]) => Place::At(*only),
        _ => Place::Unknown,
    };
    Ok(seen.into_iter().zip(holders).map(place).collect())
}

/// Keys that are not removed, as the proxy or this program ends, are gone after [`LIFETIME`].
async fn by_writing(
    proxy: &mut Conversation,
    shards: &mut Shards,
    keys: &[Key],
) -> Result<Vec<Place>, SurveyError> {
    let writes: Vec<Vec<&[u8]>> =
        keys.iter().map(|key| vec![&b"SET"[..], &key.bytes, b"", b"EX", LIFETIME, b"NX"]).collect();
    let written = proxy.ask_all(&writes).await?;
    let holders = shards.holders(keys).await?;
    let removals: Vec<Vec<&[u8]>> = keys.iter().map(|key| vec![&b"DEL"[..], &key.bytes]).collect();
    proxy.ask_all(&removals).await?;
    let place = |(written, holders): (Bytes, Vec<usize>)| match (&written[..], &holders[..]) {
        (b"+OK\r\n", [only]) => Place::At(*only),
        (b"+OK\r\n", []) => Place::Stranger(String::new()),
        (b"+OK\r\n", _) => Place::Unknown,
        _ => Place::Failed(text(&written)),
    };
    Ok(written.into_iter().zip(holders).map(place).collect())
}

/// What a reply says, for an error.
fn text(reply: &[u8]) -> String {
    String::from_utf8_lossy(frame::text(reply).unwrap_or(reply)).trim_end().to_owned()
}

/// Runs where its key is, and tells where that is.
const SCRIPT: &[u8] = b"return redis.call('INFO','server'):match('run_id:(%x+)')";
/// Keys on which it is found out whether scripts run at all.
const TRIALS: usize = 32;
/// Seconds.
const LIFETIME: &[u8] = b"60";
/// Keys between two looks of the progress bar.
const AT_A_TIME: usize = 500;
