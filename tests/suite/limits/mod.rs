//! Connections, pipelines and sizes at their limits.

mod admission;
mod links;
mod memory;
mod sizes;
mod slow_shards;
mod sockets;

use crate::harness::{Circlet, Proxy, Shard, pool_yaml};

/// A shard that is stopped, or a machine that is busy, is not down for these tests.
const PATIENT: &str = "heartbeat_timeout: 60000";

/// A circlet of one worker, with one pool over these shards, named `a`, `b` and so on.
#[track_caller]
fn one_worker(shards: &[Shard], settings: &str) -> Proxy {
    workers(1, shards, settings)
}

#[track_caller]
fn workers(count: usize, shards: &[Shard], settings: &str) -> Proxy {
    let names = ["a", "b", "c", "d"];
    let servers: Vec<String> =
        shards.iter().zip(names).map(|(shard, name)| shard.server(1, Some(name))).collect();
    let text = pool_yaml("pool", &servers, &format!("{PATIENT}\n{settings}"));
    Circlet::with_arguments(&text, &["--threads", &count.to_string()])
}

/// A key that lives on this one of the proxy's shards.
#[track_caller]
fn key_on(proxy: &Proxy, shard: &Shard) -> String {
    let mut client = proxy.client();
    let mut found = (0..200).map(|number| format!("{number}:key"));
    found
        .find(|key| {
            client.command(&["SET", key, "v"]);
            shard.client().command(&["EXISTS", key]).integer() == 1
        })
        .expect("some key of so many")
}
