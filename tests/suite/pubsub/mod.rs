//! Publish and subscribe: what one Redis says, over three shards.

mod crowds;
mod failures;
mod reach;
mod session;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, encode, eventually, pool_yaml};

/// Circlet over three shards, with two workers, beside one Redis.
struct Pair {
    shards: Vec<Shard>,
    single: Shard,
    proxy: Proxy,
}

impl Pair {
    fn start() -> Pair {
        let mut shards = Shard::several(4);
        let single = shards.remove(3);
        let proxy = over(&shards, "hash: md5");
        Pair { shards, single, proxy }
    }

    /// A client of circlet and one of Redis.
    fn clients(&self) -> [Client; 2] {
        [self.proxy.client(), self.single.client()]
    }
}

/// Circlet with two workers.
fn over(shards: &[Shard], settings: &str) -> Proxy {
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    Circlet::with_arguments(&pool_yaml("pool", &servers, settings), &["--threads", "2"])
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// A client that has subscribed.
#[track_caller]
fn listening(proxy: &Proxy, command: &str, names: &[&str]) -> Client {
    let mut client = proxy.client();
    subscribe(&mut client, command, names);
    client
}

/// Subscribes, and reads the confirmations.
#[track_caller]
fn subscribe(client: &mut Client, command: &str, names: &[&str]) {
    client.send(&encode(&[&[command], names].concat()));
    for name in names {
        let confirmation = client.read_reply();
        let (Reply::Array(parts) | Reply::Push(parts)) = &confirmation else {
            panic!("{confirmation:?}")
        };
        assert_eq!(parts[0], Reply::bulk(command.to_lowercase()), "{confirmation:?}");
        assert_eq!(parts[1], Reply::bulk(name));
    }
}

/// The next message: its channel and what was published.
#[track_caller]
fn message(client: &mut Client) -> (String, String) {
    let message = client.read_reply();
    let (Reply::Array(parts) | Reply::Push(parts)) = &message else { panic!("{message:?}") };
    let text = |at: usize| String::from_utf8_lossy(parts[at].bytes()).into_owned();
    match parts[0].bytes() {
        b"message" | b"smessage" => (text(1), text(2)),
        b"pmessage" => (text(2), text(3)),
        _ => panic!("{message:?}"),
    }
}

/// Names that all shards together are asked for, NUMSUB's count of each.
fn upstream(shards: &[Shard], channel: &str) -> Vec<i64> {
    let count = |shard: &Shard| {
        shard.client().command(&["PUBSUB", "NUMSUB", channel]).elements()[1].integer()
    };
    shards.iter().map(count).collect()
}

/// Waits until no shard is asked for anything.
#[track_caller]
fn expect_nothing_upstream(shards: &[Shard]) {
    for command in ["CHANNELS", "SHARDCHANNELS"] {
        eventually("no shard has subscribers", || {
            shards.iter().all(|shard| {
                shard.client().command(&["PUBSUB", command]) == Reply::Array(Vec::new())
            })
        });
    }
    eventually("no shard has patterns", || {
        shards.iter().all(|shard| shard.client().command(&["PUBSUB", "NUMPAT"]).integer() == 0)
    });
}
