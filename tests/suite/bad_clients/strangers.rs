//! Clients that have not said the password: what they may send, be owed and how long they may
//! stay is little, as at Redis.

use std::time::{Duration, Instant};

use super::protocol::says;
use crate::harness::{Circlet, Client, Proxy, Reply, Shard, encode, eventually, pool_yaml};

/// What strangers send: each within Redis's limits, at them, or past them.
fn sent() -> Vec<Vec<u8>> {
    let auth = encode(&["AUTH", "s"]);
    let eleven = encode(&["a"; 11]);
    let long = encode(&["GET", &"k".repeat(16_385)]);
    vec![
        b"*10\r\n".to_vec(),
        encode(&["a"; 10]),
        eleven.clone(),
        b"*11\r\n".to_vec(),
        b"*11\r\n+PING\r\n".to_vec(),
        b"*1048576\r\n".to_vec(),
        b"*2147483648\r\n".to_vec(),
        b"*abc\r\n".to_vec(),
        encode(&["GET", &"k".repeat(16_384)]),
        long.clone(),
        b"*1\r\n$16385\r\n".to_vec(),
        b"*1\r\n$536870912\r\n".to_vec(),
        b"*1\r\n$536870913\r\n".to_vec(),
        b"PING\r\n*11\r\n".to_vec(),
        // A line is no multibulk, and may be as long as ever.
        format!("ECHO 1 2 3 4 5 6 7 8 9 10 {}\r\n", "x".repeat(20_000)).into_bytes(),
        // A password in the same packet lifts the limits for what follows it.
        [&auth[..], &eleven, &long].concat(),
        [&encode(&["HELLO", "3", "AUTH", "nobody", "s"])[..], &eleven].concat(),
        [&encode(&["AUTH", "wrong"])[..], &eleven].concat(),
        // And RESET sets them again.
        [&auth[..], &encode(&["RESET"]), &eleven].concat(),
    ]
}

fn behaves_as_redis(settings: &str) {
    let locked = ["--requirepass", "s"];
    let (shard, redis) = (Shard::with(&locked), Shard::with(&locked));
    let proxy = over(&shard, settings);
    for input in sent() {
        let (expected, got) = (says(redis.address(), &input), says(&proxy.address(), &input));
        let shown = input[..input.len().min(80)].escape_ascii();
        assert_eq!(got, expected, "to \"{shown}\" with \"{settings}\"");
    }
}

#[test]
fn the_limits_of_strangers_are_those_of_redis() {
    behaves_as_redis("redis_auth: s");
}

#[test]
fn they_are_where_shards_decide_who_is_a_stranger() {
    behaves_as_redis("auth: shard");
}

/// Heartbeats that say a password do not tell whether one is wanted: what is too large for a
/// stranger waits until a shard was asked.
#[test]
fn they_are_where_nobody_knows_yet_who_is_a_stranger() {
    let shard = Shard::with(&["--requirepass", "s"]);
    let proxy = over(&shard, "auth: shard\nredis_auth: s");
    let refused = |bytes: Vec<u8>, why: &str| {
        let mut client = proxy.client();
        client.send(&bytes);
        client.expect(format!("-ERR Protocol error: unauthenticated {why} length\r\n"));
        client.expect_closed();
    };
    refused(encode(&["a"; 11]), "multibulk");
    refused(b"*1\r\n$16385\r\n".to_vec(), "bulk");
    std::thread::sleep(Duration::from_millis(2_100));
    refused(encode(&["GET", &"k".repeat(16_385)]), "bulk");
    let mut known = friend(&proxy);
    assert_eq!(known.command(&["EXISTS"; 12]), Reply::Integer(0));
}

#[test]
fn nobody_is_a_stranger_to_open_shards() {
    let shard = Shard::start();
    for settings in ["", "auth: shard\nredis_auth: unused"] {
        let proxy = over(&shard, settings);
        let mut client = proxy.client();
        let value = "v".repeat(100_000);
        client.send(&encode(&["SET", "k", &value]));
        client.expect("+OK\r\n");
        let keys: Vec<String> = (0..50).map(|key| format!("k{key}")).collect();
        let del: Vec<&str> =
            ["DEL", "k"].into_iter().chain(keys.iter().map(String::as_str)).collect();
        assert_eq!(proxy.client().command(&del), Reply::Integer(1), "{settings}");
    }
}

#[test]
fn strangers_that_do_not_read_cost_next_to_nothing() {
    const STRANGERS: u64 = 20;
    let shard = Shard::start();
    let proxy = over(&shard, "redis_auth: s");
    let mut served = friend(&proxy);
    served.command(&["SET", "k", "v"]);
    let before = proxy.memory();
    let flood = b"AUTH wrong\r\n".repeat(20_000);
    let mut strangers: Vec<Client> = (0..STRANGERS).map(|_| proxy.client()).collect();
    let mut sent: Vec<usize> = Vec::new();
    for stranger in &mut strangers {
        // What sockets keep is not circlet's.
        stranger.receive_little();
        stranger.set_patience(Duration::from_millis(100));
        sent.push(stranger.send_some(&flood));
        assert_eq!(served.command(&["GET", "k"]), Reply::bulk("v"));
    }
    let grown = proxy.memory().saturating_sub(before) / STRANGERS;
    assert!(grown < 100 * 1024, "{grown} bytes for each stranger");
    // One that starts to read is answered, reply by reply.
    let first = &mut strangers[0];
    first.set_patience(crate::harness::PATIENCE);
    for _ in 0..sent[0] / 12 {
        assert_eq!(first.read_reply().error().map(|text| &text[..9]), Some("WRONGPASS"));
    }
}

#[test]
fn a_stranger_has_to_say_the_password_in_time() {
    let shard = Shard::with(&["--requirepass", "s"]);
    for settings in ["redis_auth: s", "auth: shard"] {
        let proxy = over(&shard, &format!("{settings}\nauthentication_timeout: 2000"));
        let mut known = friend(&proxy);
        let began = Instant::now();
        let mut silent = proxy.client();
        let mut talks = proxy.client();
        let mut reads_nothing = proxy.client();
        reads_nothing.set_patience(Duration::from_millis(100));
        reads_nothing.send_some(&b"AUTH wrong\r\n".repeat(400_000));
        assert_eq!(silent.read_reply().error(), Some(LATE), "{settings}");
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
        silent.expect_closed();
        // To have said something else does not count.
        let _ = talks.try_send(b"PING\r\n");
        assert!(talks.read_to_close().ends_with(format!("-{LATE}\r\n").as_bytes()));
        drop((silent, talks));
        eventually("they are gone", || proxy.pool_stat("pool", "client_connections") == 1);
        assert_eq!(known.command(&["GET", "k"]), Reply::Nil, "{settings}");
        drop(reads_nothing);
    }
}

const LATE: &str = "NOAUTH Authentication required within 2000 ms.";

fn over(shard: &Shard, settings: &str) -> Proxy {
    Circlet::with_arguments(
        &pool_yaml("pool", &[shard.server(1, None)], settings),
        &["--threads", "1"],
    )
}

fn friend(proxy: &Proxy) -> Client {
    let mut client = proxy.client();
    assert_eq!(client.command(&["AUTH", "s"]), Reply::ok());
    client
}
