//! What concerns all keys or all shards at once: iteration, INFO, configuration, administration.

mod administration;
mod config;
mod ejection;
mod info;
mod scan;

use std::collections::HashSet;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, pool_yaml};

/// Circlet over shards that are called a, b, c …
fn over(shards: &[Shard], settings: &str) -> Proxy {
    let servers: Vec<String> =
        shards.iter().zip(NAMES).map(|(shard, name)| shard.server(1, Some(name))).collect();
    Circlet::with_config(&pool_yaml("pool", &servers, settings))
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Sets all these keys, in pipelines.
fn set_all(client: &mut Client, keys: &[String]) {
    for keys in keys.chunks(1000) {
        let commands: Vec<Vec<&str>> = keys.iter().map(|key| vec!["SET", key, "v"]).collect();
        assert!(client.pipeline(&commands).iter().all(|reply| *reply == Reply::ok()));
    }
}

/// A page of SCAN: the next cursor and its keys, or the error.
fn page(
    client: &mut Client,
    cursor: &str,
    options: &[&str],
) -> Result<(String, Vec<String>), String> {
    let reply = client.command(&[&["SCAN", cursor][..], options].concat());
    if let Some(error) = reply.error() {
        return Err(error.to_owned());
    }
    let [cursor, keys] = reply.elements() else { panic!("no page: {reply}") };
    let text = |reply: &Reply| String::from_utf8_lossy(reply.bytes()).into_owned();
    Ok((text(cursor), keys.elements().iter().map(text).collect()))
}

/// A whole iteration.
#[track_caller]
fn scan_all(client: &mut Client, options: &[&str]) -> Vec<String> {
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let (next, keys) = page(client, &cursor, options).expect("a page");
        found.extend(keys);
        if next == "0" {
            return found;
        }
        assert!(next.parse::<i64>().expect("a number that any client can hold") > 0);
        cursor = next;
    }
}

/// The keys that a shard itself has.
fn keys_of(shard: &Shard) -> HashSet<String> {
    let reply = shard.client().command(&["KEYS", "*"]);
    reply.elements().iter().map(|key| String::from_utf8_lossy(key.bytes()).into_owned()).collect()
}
