//! WAIT speaks for what the client wrote on every shard.

use std::time::{Duration, Instant};

use super::{Stage, blocked, circlet, error, info, key_on_each};
use crate::harness::{Address, FakeShard, Reply, Shard, encode, eventually, honest};

/// Three shards with `replicas` replicas each, all of them in step.
fn fleet(replicas: usize) -> (Vec<Shard>, Vec<Vec<Shard>>) {
    let shards = Shard::several(3);
    let follow = |shard: &Shard| {
        shard.client().command(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
        let Address::Tcp(port) = *shard.address() else { panic!("replicas follow over TCP") };
        let replicaof = format!("127.0.0.1 {port}");
        (0..replicas).map(|_| Shard::with(&["--replicaof", &replicaof])).collect()
    };
    let followers: Vec<Vec<Shard>> = shards.iter().map(follow).collect();
    for follower in followers.iter().flatten() {
        eventually("a replica is in step", || {
            let text = follower.client().command(&["INFO", "replication"]);
            String::from_utf8_lossy(text.bytes()).contains("master_link_status:up")
        });
    }
    (shards, followers)
}

#[test]
fn the_shard_with_the_fewest_replicas_in_step_counts() {
    let (shards, followers) = fleet(2);
    let proxy = circlet(&shards, "");
    let mut client = proxy.client();
    for number in 0..30 {
        client.command(&["SET", &format!("key{number}"), "x"]);
    }
    assert_eq!(client.command(&["WAIT", "2", "5000"]), Reply::Integer(2));
    // One replica of one shard hangs: a write that went there is on one replica only.
    followers[1][0].stop();
    client.command(&["SET", "key", "x"]);
    let start = Instant::now();
    assert_eq!(client.command(&["WAIT", "2", "300"]), Reply::Integer(1));
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(client.command(&["WAIT", "1", "5000"]), Reply::Integer(1));
    followers[1][0].cont();
    assert_eq!(client.command(&["WAIT", "2", "20000"]), Reply::Integer(2));
}

#[test]
fn what_was_written_before_is_on_the_replicas() {
    let (shards, followers) = fleet(1);
    let proxy = circlet(&shards, "");
    let keys = key_on_each(&proxy, &shards);
    let mut client = proxy.client();
    for round in 0..20 {
        let mut bytes = Vec::new();
        for key in &keys {
            bytes.extend(encode(&["SET", key, &round.to_string()]));
        }
        bytes.extend(encode(&["WAIT", "1", "5000"]));
        client.send(&bytes);
        keys.iter().for_each(|_| client.expect("+OK\r\n"));
        client.expect(":1\r\n");
        for (key, replica) in keys.iter().zip(&followers) {
            let value = replica[0].client().command(&["GET", key]);
            assert_eq!(value.bytes(), round.to_string().as_bytes());
        }
    }
}

#[test]
fn a_client_that_leaves_takes_all_its_waiting_with_it() {
    let stage = Stage::start("");
    let mut client = stage.proxy.client();
    client.send(b"WAIT 1 0\r\n");
    eventually("it waits on every shard", || blocked(&stage.shards) == 3);
    drop(client);
    eventually("none waits", || blocked(&stage.shards) == 0);
}

#[test]
fn a_client_that_waits_for_replicas_is_let_go() {
    let stage = Stage::start("");
    stage.same(|play| {
        let waiter = play.waiter.command(&["CLIENT", "ID"]).integer().to_string();
        for reason in ["TIMEOUT", "ERROR"] {
            play.waits("WAIT 3 0");
            let order = ["CLIENT", "UNBLOCK", &waiter, reason];
            assert_eq!(play.other.command(&order), Reply::Integer(1));
            play.reads();
            play.at_once("WAIT 1 10");
        }
    });
    assert_eq!(blocked(&stage.shards), 0);
}

#[test]
fn a_shard_that_is_lost_ends_the_waiting_at_once() {
    let stage = Stage::start("");
    let mut client = stage.proxy.client();
    client.send(b"WAIT 1 0\r\n");
    eventually("it waits on every shard", || blocked(&stage.shards) == 3);
    stage.shards[2].kill9();
    let text = error(client.read_reply());
    assert!(text.contains(&stage.shards[2].address().to_string()), "{text}");
    eventually("the others wait no longer", || blocked(&stage.shards[..2]) == 0);
    let text = error(client.command(&["WAIT", "0", "0"]));
    assert!(text.contains(&stage.shards[2].address().to_string()), "{text}");
    assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
}

#[test]
fn its_write_moves_the_stream_and_no_key() {
    let (shards, _followers) = fleet(1);
    let proxy = circlet(&shards, "");
    let mut client = proxy.client();
    client.command(&["WAIT", "1", "1000"]);
    let before: Vec<i64> =
        shards.iter().map(|shard| info(&mut shard.client(), "master_repl_offset:")).collect();
    client.command(&["WAIT", "1", "1000"]);
    for (shard, before) in shards.iter().zip(before) {
        assert!(info(&mut shard.client(), "master_repl_offset:") > before);
        assert_eq!(shard.client().command(&["DBSIZE"]), Reply::Integer(0));
    }
}

#[test]
fn waitaof_is_the_least_of_each_element() {
    let answers = [b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:0\r\n:3\r\n"];
    let fakes: Vec<FakeShard> = answers
        .into_iter()
        .map(|answer| {
            FakeShard::start(move |mut link| {
                link.serve(|command| match &command[0][..] {
                    b"WAITAOF" => answer.to_vec(),
                    b"CLIENT" => b":7\r\n".to_vec(),
                    _ => honest(command),
                })
            })
        })
        .collect();
    let servers: Vec<String> = fakes.iter().map(|fake| fake.server(1, None)).collect();
    let config = crate::harness::pool_yaml("pool", &servers, "");
    let proxy = crate::harness::Circlet::with_config(&config);
    let mut client = proxy.client();
    client.send(&encode(&["WAITAOF", "1", "2", "100"]));
    client.expect("*2\r\n:0\r\n:2\r\n");
}
