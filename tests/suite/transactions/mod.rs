//! MULTI, EXEC, DISCARD, WATCH, UNWATCH through circlet: what one Redis says, all or nothing.

mod atomicity;
mod faults;
mod links;
mod refusals;
mod replies;
mod watch;

use crate::harness::{Circlet, Client, Proxy, Shard, pool_yaml};

/// Circlet with one worker over these shards, named a, b, c …; keys are placed by what `{}` holds.
fn over(shards: &[Shard], settings: &str) -> Proxy {
    let names = ["a", "b", "c"];
    let servers: Vec<String> =
        shards.iter().zip(names).map(|(shard, name)| shard.server(1, Some(name))).collect();
    let settings = format!("hash_tag: \"{{}}\"\n{settings}");
    Circlet::with_arguments(&pool_yaml("pool", &servers, &settings), &["--threads", "1"])
}

/// The words of a line; `"…"` holds spaces together.
fn words(line: &str) -> Vec<String> {
    crate::one_redis::words(line)
}

/// A key for each shard, by asking the shards where it came to live.
fn key_on_each(client: &mut Client, shards: &[Shard]) -> Vec<String> {
    let mut direct: Vec<Client> = shards.iter().map(Shard::client).collect();
    let mut find = |place: usize| {
        let mut candidates = (0..).map(|number| format!("{{{number}}}:key"));
        candidates.find(|key| {
            client.command(&["SET", key, "x"]);
            let here = direct[place].command(&["EXISTS", key]).integer() == 1;
            client.command(&["DEL", key]);
            here
        })
    };
    (0..shards.len()).map(|place| find(place).expect("keys never end")).collect()
}

/// How many clients a shard has, the one that asks left out.
fn clients_of(shard: &Shard) -> usize {
    let list = shard.client().command(&["CLIENT", "LIST"]);
    String::from_utf8_lossy(list.bytes()).lines().count() - 1
}
