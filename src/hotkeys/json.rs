//! `GET /hotkeys`: what the workers know, as JSON.

use serde_json::{Value, json};

use super::report::{self, BigKey, HotKey, PoolReport, percent, tenths};
use crate::worker::Shared;

/// The hot and big keys of all pools; `query` may say `count=20`.
pub async fn answer(shared: &Shared, query: &str) -> String {
    let count = query.split('&').find_map(|pair| pair.strip_prefix("count="));
    let count = count.and_then(|count| count.parse().ok()).unwrap_or(COUNT);
    let is_on = shared.ask_all(|worker| worker.hotkeys.sampler.is_on()).await.contains(&true);
    let pools = report::ask(shared, None).await;
    let pools: Vec<Value> = pools.iter().map(|report| pool(report, count)).collect();
    json!({ "on": is_on, "pools": pools }).to_string()
}

fn pool(report: &PoolReport, count: usize) -> Value {
    let hot: Vec<Value> = report.hot.iter().take(count).map(hot).collect();
    let big: Vec<Value> = report.big.iter().take(count).map(big).collect();
    json!({ "pool": &*report.pool, "rate": tenths(report.rate), "hot": hot, "big": big })
}

fn hot(key: &HotKey) -> Value {
    json!({
        "key": text(&key.key.shown()),
        "shard": key.shard.as_deref(),
        "rate": tenths(key.rate),
        "error": tenths(key.error),
        "share": percent(key.share),
        "share_of_shard": percent(key.share_of_shard),
        "writes": percent(key.writes),
        "bytes": key.bytes as u64,
        "command": key.command,
    })
}

fn big(key: &BigKey) -> Value {
    json!({
        "key": text(&key.key.shown()),
        "shard": key.shard.as_deref(),
        "largest": key.largest,
        "last": key.last,
        "seconds_ago": key.ago.as_secs(),
        "bytes": key.bytes as u64,
        "command": key.command,
    })
}

/// A key as text: bytes that are no text are escaped, as redis-cli shows them.
fn text(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) => text.to_owned(),
        Err(_) => key.escape_ascii().to_string(),
    }
}

/// Keys that are told of for each pool unless `count` asks for more or fewer.
const COUNT: usize = 20;
