//! Where a key lives and why, as JSON: what the page says of what one types.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;

use super::{json, shown};
use crate::admin::web::{Page, query};
use crate::command::keys::{self, KeyPositions};
use crate::command::resolve::{CommandError, resolve};
use crate::command::table;
use crate::config::Pool;
use crate::resp::{Request, RequestLimits, RequestScanner, inline};
use crate::route::Ring;
use crate::route::explain::{Explanation, Spot};
use crate::worker::Shared;

#[derive(Serialize, Default)]
struct Document {
    /// The command's name, where it is one.
    command: Option<&'static str>,
    /// Why its keys cannot be told.
    fault: Option<String>,
    keys: Vec<Key>,
    /// Keys beyond those.
    more: usize,
}

#[derive(Serialize)]
struct Key {
    key: String,
    /// The part that decides where the key lives, if that is not all of it.
    tag: Option<String>,
    hash: u32,
    spot: &'static str,
    /// Which of how many; counted from 1.
    number: u64,
    of: u64,
    /// The point's value.
    value: Option<u32>,
    /// Where on the ring the hash is: 0 at its start, 1 would be its end.
    place: Option<f64>,
    home: Option<usize>,
    shard: Option<usize>,
    /// Who would have it if `shard` were ejected.
    next: Option<usize>,
}

/// `?pool=NAME&typed=BYTES`: a key, or a command as redis-cli takes it.
pub async fn answer(shared: &Shared, query: &str) -> Page {
    let name = query::text_parameter(query, "pool");
    let typed = query::parameter(query, "typed").unwrap_or_default();
    let asked = name.clone();
    // Every worker knows the same.
    let found = shared.ask_all(move |worker| {
        let mut pools = worker.pools.iter();
        let pool = pools.find(|pool| asked.as_ref().is_none_or(|name| pool.config.name == *name));
        pool.map(|pool| (Arc::clone(&pool.config), Arc::clone(&pool.ring)))
    });
    let Some((config, ring)) = found.await.into_iter().next().flatten() else {
        let name = name.unwrap_or_default();
        return json::fault(StatusCode::NOT_FOUND, &format!("there is no pool {name:?}"));
    };
    // Rings are built for it, which takes a while: elsewhere, lest heartbeats wait.
    let explained = tokio::task::spawn_blocking(move || explain(&config, &ring, &typed)).await;
    json::page(StatusCode::OK, &explained.unwrap_or_default())
}

fn explain(config: &Pool, ring: &Ring, typed: &[u8]) -> Document {
    let typed = typed.trim_ascii();
    if typed.is_empty() {
        return Document::default();
    }
    let (mut encoded, mut scanner) = (Vec::new(), RequestScanner::default());
    // What is quoted wrongly is no command: then it is a key as it stands.
    let is_scanned = inline::encode(typed, &mut encoded).is_ok()
        && scanner.scan(&encoded, &RequestLimits::default()).is_ok();
    let request = Request::new(&encoded, scanner.args());
    let keys = match request.len() {
        _ if !is_scanned => vec![typed],
        1 => vec![request.arg(0)],
        _ if table::lookup(request.arg(0)).is_none() => vec![typed],
        _ => return command(config, ring, &request),
    };
    Document { keys: ways(config, ring, &keys), ..Document::default() }
}

fn command(config: &Pool, ring: &Ring, request: &Request<'_>) -> Document {
    let fault = |text: String| Document { fault: Some(text), ..Document::default() };
    let unserved = |error: CommandError| shown(&error.text(request));
    let spec = match resolve(request) {
        Ok(spec) => spec,
        Err(error) => return fault(unserved(error)),
    };
    let mut positions = KeyPositions::new();
    if let Err(error) = keys::find(spec, request, &mut positions) {
        return fault(error.to_string());
    }
    let mut keys: Vec<&[u8]> =
        positions.iter().map(|&position| request.arg(position as usize)).collect();
    let more = keys.len().saturating_sub(MOST_KEYS);
    keys.truncate(MOST_KEYS);
    Document { command: Some(spec.name), fault: None, keys: ways(config, ring, &keys), more }
}

fn ways(config: &Pool, ring: &Ring, keys: &[&[u8]]) -> Vec<Key> {
    let mut without: HashMap<usize, Ring> = HashMap::new();
    let mut next_of = |shard: usize, key: &[u8]| {
        without.entry(shard).or_insert_with(|| ring.without(shard)).shard(key)
    };
    let way = |&key: &&[u8]| {
        let way = ring.explain(key);
        let next = way.shard.and_then(|shard| next_of(shard, key));
        Key { next, ..Key::of(config, ring, key, way) }
    };
    keys.iter().map(way).collect()
}

impl Key {
    fn of(config: &Pool, ring: &Ring, key: &[u8], way: Explanation) -> Self {
        let (spot, index, of, value) = match way.spot {
            Spot::Point { value, index, of } => ("point", index as u64, of as u64, Some(value)),
            Spot::Slot { index, of } => ("slot", index as u64, of as u64, None),
            Spot::Place { index, of } => ("place", index, of, None),
            Spot::Only => ("only", 0, 1, None),
            Spot::Chance => ("chance", 0, config.servers.len() as u64, None),
        };
        let is_tagged = way.hashed != (0..key.len());
        Self {
            key: shown(key),
            tag: is_tagged.then(|| shown(&key[way.hashed.clone()])),
            hash: way.hash,
            spot,
            number: index + 1,
            of,
            value,
            place: ring.place_of_hash(way.hash),
            home: way.home,
            shard: way.shard,
            next: None,
        }
    }
}

/// More keys of one command than anybody follows.
const MOST_KEYS: usize = 16;
