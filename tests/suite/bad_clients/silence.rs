//! Clients that stop in the middle, do not read, or leave: nobody else is the worse for it.

use std::time::Duration;

use super::PATIENT;
use crate::harness::{Circlet, Client, Proxy, Reply, Shard, encode, eventually, pool_yaml, within};

#[test]
fn half_a_command_holds_nobody_up() {
    let shard = Shard::start();
    let proxy = one_worker(&shard, "");
    let whole = encode(&["SET", "half", "whole"]);
    let mut halves: Vec<Client> = (0..whole.len()).map(|_| proxy.client()).collect();
    for (cut, client) in halves.iter_mut().enumerate() {
        client.send(&whole[..cut]);
    }
    let mut other = proxy.client();
    assert_eq!(other.command(&["GET", "half"]), Reply::Nil, "no half of it ran");
    for (cut, client) in halves.iter_mut().enumerate() {
        client.send(&whole[cut..]);
        client.expect("+OK\r\n");
    }
    assert_eq!(other.command(&["GET", "half"]), Reply::bulk("whole"));
}

#[test]
fn a_client_that_leaves_within_a_command_leaves_nothing_behind() {
    let shard = Shard::start();
    let proxy = one_worker(&shard, "");
    let mut other = proxy.client();
    for cut in [1, 5, 20, 100_000, 900_000] {
        let mut whole = encode(&["SET", "left", &"v".repeat(1_000_000)]);
        whole.truncate(cut);
        proxy.client().send(&whole);
        assert_eq!(other.command(&["PING"]), Reply::Simple("PONG".into()));
    }
    assert_eq!(other.command(&["EXISTS", "left"]), Reply::Integer(0));
    eventually("only one client is counted", || clients(&proxy) == 1);
}

#[test]
fn a_client_that_leaves_its_replies_leaves_the_link_in_order() {
    let shard = Shard::start();
    let proxy = one_worker(&shard, "");
    let mut other = proxy.client();
    for key in 0..200 {
        other.command(&["SET", &format!("k{key}"), &format!("value of {key}")]);
    }
    shard.stop();
    let mut gets = Vec::new();
    (0..100).for_each(|key| gets.extend(encode(&["GET", &format!("k{key}")])));
    let requests = || proxy.shard_stat("pool", &name(&shard), "requests");
    for number in 1..=20 {
        let mut client = proxy.client();
        client.send(&gets);
        eventually("its requests are on the link", || requests() == 200 + number * 100);
        client.reset();
    }
    eventually("they are gone", || clients(&proxy) == 1);
    // Those that come now must not get what those that left asked for, nor wait for ever.
    let mut late: Vec<Client> = (0..20).map(|_| proxy.client()).collect();
    for (key, client) in late.iter_mut().enumerate() {
        client.send(&encode(&["GET", &format!("k{}", 100 + key)]));
    }
    for key in 100..200 {
        other.send(&encode(&["GET", &format!("k{key}")]));
    }
    eventually("all requests are on the link", || requests() == 200 + 20 * 100 + 20 + 100);
    shard.cont();
    for (key, client) in late.iter_mut().enumerate() {
        assert_eq!(client.read_reply(), Reply::bulk(format!("value of {}", 100 + key)));
    }
    drop(late);
    for key in 100..200 {
        assert_eq!(other.read_reply(), Reply::bulk(format!("value of {key}")));
    }
    eventually("only one client is counted", || clients(&proxy) == 1);
    assert_eq!(proxy.shard_stat("pool", &name(&shard), "server_connections"), 1);
    assert_eq!(proxy.shard_stat("pool", &name(&shard), "server_err"), 0);
}

#[test]
fn a_client_that_only_stops_sending_gets_all_replies() {
    let shard = Shard::start();
    let proxy = one_worker(&shard, "");
    let mut client = proxy.client();
    let value = "v".repeat(10_000);
    client.command(&["SET", "k", &value]);
    client.send(&encode(&["GET", "k"]).repeat(1_000));
    client.close_writing();
    for _ in 0..1_000 {
        assert_eq!(client.read_reply(), Reply::bulk(&value));
    }
    client.expect_closed();
}

#[test]
fn a_client_that_never_reads_is_not_read_from() {
    let shard = Shard::start();
    let proxy = one_worker(&shard, "");
    let mut other = proxy.client();
    let (key, value) = ("k".repeat(1_000), "v".repeat(10_000));
    other.command(&["SET", &key, &value]);
    let before = proxy.memory();
    let mut client = proxy.client();
    let sent = send_until_stuck(&mut client, &encode(&["GET", &key]));
    assert!(sent > 1_000, "it was stuck after {sent} commands, before it pipelined much");
    assert_eq!(other.command(&["GET", &key]), Reply::bulk(&value));
    let grown = proxy.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes for {sent} commands");
    // It is owed what it asked for, and gets it once it reads.
    for _ in 0..sent {
        assert_eq!(client.read_reply(), Reply::bulk(&value));
    }
    assert_eq!(clients(&proxy), 2);
}

#[test]
fn a_client_that_never_reads_is_dropped_at_the_limit() {
    let shard = Shard::start();
    let proxy = one_worker(&shard, "client_output_limit: 8mb");
    let mut other = proxy.client();
    let value = "v".repeat(200_000);
    other.command(&["SET", "k", &value]);
    let before = proxy.memory();
    let mut client = proxy.client();
    // Replies of 200 MB, of which sockets take a few.
    let _ = client.try_send(&encode(&["GET", "k"]).repeat(1_000));
    let mut most = before;
    let dropped = within(Duration::from_secs(20), || {
        most = most.max(proxy.memory());
        proxy.log().contains("client_output_limit is reached")
    });
    assert!(dropped, "{}", proxy.log());
    assert_eq!(other.command(&["GET", "k"]), Reply::bulk(&value));
    assert!(most < before + (64 << 20), "{before} grew to {most}");
    eventually("it is gone", || clients(&proxy) == 1);
}

#[test]
fn replies_that_wait_for_a_slow_shard_are_bounded_too() {
    let shards = Shard::several(2);
    let servers = [shards[0].server(1, Some("a")), shards[1].server(1, Some("b"))];
    let settings = format!("{PATIENT}\nclient_output_limit: 8mb");
    let proxy = Circlet::with_config(&pool_yaml("pool", &servers, &settings));
    let mut other = proxy.client();
    let value = "v".repeat(200_000);
    let on = |shard: &Shard| {
        let held = |key: &String| shard.client().command(&["EXISTS", key]) == Reply::Integer(1);
        (0..100).map(|number| format!("{number}:k")).find(held).expect("a key on each shard")
    };
    for number in 0..100 {
        other.command(&["SET", &format!("{number}:k"), &value]);
    }
    let (slow, fast) = (on(&shards[0]), on(&shards[1]));
    let tails = [encode(&["GET", &fast]), encode(&["MGET", &fast, &slow])];
    for (number, tail) in tails.iter().enumerate() {
        shards[0].stop();
        let before = proxy.memory();
        let mut client = proxy.client();
        client.send(&encode(&["GET", &slow]));
        client.send(&tail.repeat(500));
        eventually("it is dropped", || proxy.log().matches("limit is reached").count() > number);
        let grown = proxy.memory().saturating_sub(before);
        assert!(grown < 64 << 20, "{grown} bytes");
        assert_eq!(other.command(&["GET", &fast]), Reply::bulk(&value));
        shards[0].cont();
        assert_eq!(other.command(&["GET", &slow]), Reply::bulk(&value));
    }
}

fn one_worker(shard: &Shard, settings: &str) -> Proxy {
    let text = pool_yaml("pool", &[shard.server(1, None)], &format!("{PATIENT}\n{settings}"));
    Circlet::with_arguments(&text, &["--threads", "1"])
}

fn name(shard: &Shard) -> String {
    shard.address().to_string()
}

fn clients(proxy: &Proxy) -> u64 {
    proxy.pool_stat("pool", "client_connections")
}

/// Sends a command again and again until the other side takes no more; how many it took whole.
/// The one that it took a part of is completed when there is room.
fn send_until_stuck(client: &mut Client, command: &[u8]) -> usize {
    let batch = command.repeat(100);
    client.set_patience(Duration::from_millis(500));
    let mut sent = 0;
    loop {
        let taken = client.send_some(&batch);
        sent += taken;
        if taken < batch.len() {
            break;
        }
    }
    client.set_patience(crate::harness::PATIENCE);
    sent / command.len()
}
