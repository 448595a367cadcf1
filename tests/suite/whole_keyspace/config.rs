//! CONFIG over all shards.

use super::over;
use crate::harness::{Reply, Shard};
use crate::one_redis::{Pair, words};

#[test]
fn all_parameters_are_those_of_a_redis() {
    let mut pair = Pair::start();
    let names = |reply: Reply| -> std::collections::BTreeSet<Vec<u8>> {
        reply.elements().iter().step_by(2).map(|name| name.bytes().to_vec()).collect()
    };
    let theirs = names(pair.direct.command(&words("CONFIG GET *")));
    assert_eq!(names(pair.through.command(&words("CONFIG GET *"))), theirs);
    assert!(theirs.len() > 100);
    pair.all_same(&[
        "CONFIG SET slowlog-max-len 77",
        "CONFIG GET slowlog-max-len",
        "CONFIG SET nosuch 1",
        "CONFIG SET slowlog-max-len",
        "CONFIG SET slowlog-max-len x",
        "CONFIG GET",
        "CONFIG REWRITE",
        "CONFIG RESETSTAT",
        "CONFIG HELP",
        "CONFIG NOSUCH",
    ]);
    pair.speak_resp3();
    pair.all_same(&["CONFIG GET slowlog-max-len", "CONFIG GET nosuch", "CONFIG SET hz 11"]);
}

#[test]
fn where_shards_differ_that_is_told_which_every_shard_keeps() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    for (shard, (limit, appends, events)) in
        shards.iter().zip([("900", "yes", "KEA"), ("1000", "no", ""), ("90", "yes", "Kx")])
    {
        let mut direct = shard.client();
        direct.command(&["CONFIG", "SET", "slowlog-max-len", limit]);
        direct.command(&["CONFIG", "SET", "rdbcompression", appends]);
        direct.command(&["CONFIG", "SET", "notify-keyspace-events", events]);
    }
    let mut told = |name: &str| {
        let reply = client.command(&["CONFIG", "GET", name]);
        String::from_utf8_lossy(reply.elements()[1].bytes()).into_owned()
    };
    assert_eq!(told("slowlog-max-len"), "90");
    assert_eq!(told("rdbcompression"), "no");
    // Redis gives the flags in an order of its own.
    assert_eq!(told("notify-keyspace-events"), "AKE");
}

#[test]
fn resetting_statistics_resets_every_shards() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    for number in 0..100 {
        client.command(&["GET".to_owned(), format!("k{number}")]);
    }
    assert_eq!(client.command(&words("CONFIG RESETSTAT")), Reply::ok());
    for shard in &shards {
        let info = shard.client().command(&words("INFO stats"));
        assert!(String::from_utf8_lossy(info.bytes()).contains("keyspace_misses:0\r\n"));
    }
}
