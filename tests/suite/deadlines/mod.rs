//! What waits too long is answered with an error, and nothing else is: not its neighbours on the
//! link, not the next command; and what holds a link up has a link to itself.

mod health;
mod kinds;
mod lanes;
mod links;
mod requests;
mod sockets;

use std::time::Duration;

use crate::harness::{Circlet, Proxy, Shard, pool_yaml};

/// A circlet of one worker over these shards, named `a`, `b` and so on.
#[track_caller]
fn one_worker(shards: &[Shard], settings: &str) -> Proxy {
    let names = ["a", "b", "c"];
    let servers: Vec<String> =
        shards.iter().zip(names).map(|(shard, name)| shard.server(1, Some(name))).collect();
    Circlet::with_arguments(&pool_yaml("pool", &servers, settings), &["--threads", "1"])
}

/// `timeout` is so long here, in milliseconds, unless a story says otherwise.
const TIMEOUT: Duration = Duration::from_millis(400);
/// Heartbeats that find nothing wrong while a shard is stopped for a moment.
const PATIENT: &str = "timeout: 400\nheartbeat_timeout: 3000";
/// How much later than its deadline an answer may be on a busy machine.
const SLACK: Duration = Duration::from_millis(1_500);

/// A script that keeps its shard busy for so many seconds on end.
fn busy(seconds: f32) -> Vec<String> {
    let code = format!(
        "local function now() local t = redis.call('TIME') return t[1] + t[2] / 1000000 end \
         local start = now() for _ = 1, 10000000 do if now() - start > {seconds} then break end end"
    );
    vec!["EVAL".into(), code, "0".into()]
}
