//! Clients in cluster mode, which a pool with `cluster_emulation` serves.

use std::process::Command;

use redis::Commands;
use redis::cluster::ClusterClient;

use super::libraries::{every_scenario_succeeds_on, node, python};
use super::{Fleet, output};
use crate::harness::{Circlet, Shard, pool_yaml};

fn fleet() -> Fleet {
    let shards = Shard::several(3);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let settings = "hash_tag: \"{}\"\ncluster_emulation: true";
    let proxy = Circlet::with_config(&pool_yaml("pool", &servers, settings));
    Fleet { shards, proxy: Some(proxy) }
}

#[test]
fn redis_py() {
    every_scenario_succeeds_on(&fleet(), python("redis_py_cluster.py"), 12, &[]);
}

#[test]
fn ioredis() {
    every_scenario_succeeds_on(&fleet(), node("ioredis_cluster.mjs"), 4, &[]);
}

#[test]
fn node_redis() {
    every_scenario_succeeds_on(&fleet(), node("node_redis_cluster.mjs"), 4, &[]);
}

#[test]
fn redis_cli() {
    let fleet = fleet();
    let cli = |arguments: &[&str], input: &str| {
        let mut command = Command::new("redis-cli");
        output(command.args(["-c", "-p", &fleet.port()]).args(arguments), input)
    };
    let sets: String = (0..100).map(|number| format!("set {number}k {number}\n")).collect();
    assert_eq!(cli(&[], &sets), "OK\n".repeat(100));
    let gets: String = (0..100).map(|number| format!("get {number}k\n")).collect();
    let values: String = (0..100).map(|number| format!("{number}\n")).collect();
    assert_eq!(cli(&[], &gets), values);
    let checked = cli(&["--cluster", "check", &format!("127.0.0.1:{}", fleet.port())], "");
    assert!(checked.contains("[OK] All 16384 slots covered."), "{checked}");
    assert!(checked.contains("100 keys in 1 masters"), "{checked}");
}

#[test]
fn the_redis_crate() {
    let fleet = fleet();
    let client = ClusterClient::new(vec![fleet.url("")]).expect("the address is sound");
    let mut cluster = client.get_connection().expect("connects");
    let pairs: Vec<(String, usize)> =
        (0..1000).map(|number| (format!("{number}k"), number)).collect();
    let _: () = cluster.mset(&pairs).expect("MSET over all slots");
    let keys: Vec<&String> = pairs.iter().map(|(key, _)| key).collect();
    let values: Vec<usize> = cluster.mget(&keys).expect("MGET over all slots");
    assert_eq!(values, (0..1000).collect::<Vec<_>>());
    let mut pipe = redis::cluster::cluster_pipe();
    for number in 0..200 {
        pipe.cmd("INCRBY").arg(format!("{number}k")).arg(1);
    }
    let sums: Vec<usize> = pipe.query(&mut cluster).expect("a pipeline over all slots");
    assert_eq!(sums, (1..=200).collect::<Vec<_>>());
    let _: () = cluster.sadd("{s}1", &["a", "b"]).expect("SADD");
    let _: () = cluster.sadd("{s}2", &["b", "c"]).expect("SADD");
    let mut both: Vec<String> = cluster.sinter(&["{s}1", "{s}2"]).expect("SINTER of one slot");
    both.sort();
    assert_eq!(both, ["b"]);
    assert_eq!(cluster.del::<_, usize>(&keys).expect("DEL over all slots"), 1000);
}
