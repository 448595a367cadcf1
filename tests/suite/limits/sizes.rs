//! Values from nothing to the largest, and commands at the limits that the pool sets.

use std::time::Duration;

use super::one_worker;
use crate::harness::{Reply, Shard, encode};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Bytes in which a lost, doubled or moved piece shows.
fn value(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let pattern: Vec<u8> = (0..length.min(65_521)).map(|_| random.u8(..)).collect();
    let mut value = Vec::with_capacity(length + pattern.len());
    while value.len() < length {
        value.extend_from_slice(&pattern);
    }
    value.truncate(length);
    value
}

#[test]
fn values_of_every_size_pass_unchanged_both_ways() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "");
    let (mut client, mut direct) = (proxy.client(), shards[0].client());
    let around = |size: usize| [size - 1, size, size + 1];
    let mut sizes = vec![0, 1, 2];
    for size in [1, 4, 8, 16, 32, 64, 128, 1024] {
        sizes.extend(around(size * KIB));
        // The whole command, and the whole reply, at the size.
        sizes.extend(around(size * KIB - 40));
    }
    sizes.push(64 * MIB);
    for (number, &size) in sizes.iter().enumerate() {
        let value = value(size, number as u64);
        let set = [&b"SET"[..], b"in", &value];
        assert_eq!(client.command(&set), Reply::ok(), "SET of {size} bytes");
        let kept = direct.command(&["GET", "in"]);
        assert!(kept.bytes() == value, "{size} bytes to the shard");
        let seen = client.command(&["GET", "in"]);
        assert!(seen.bytes() == value, "{size} bytes from the shard");
    }
}

#[test]
fn a_mixture_of_sizes_survives_any_cut() {
    let shards = Shard::several(2);
    let proxy = one_worker(&shards, "");
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let sizes: Vec<usize> = (0..60)
            .map(|_| match random.u8(..10) {
                0..5 => random.usize(..300),
                5..8 => random.usize(10 * KIB..40 * KIB),
                _ => random.usize(60 * KIB..400 * KIB),
            })
            .collect();
        let mut stream = Vec::new();
        for (number, &size) in sizes.iter().enumerate() {
            let (key, value) = (format!("{number}:k"), value(size, number as u64));
            stream.extend(encode(&[&b"SET"[..], key.as_bytes(), &value]));
        }
        for number in 0..sizes.len() {
            stream.extend(encode(&["GET", &format!("{number}:k")]));
        }
        let mut client = proxy.client();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let most = if random.bool() { 200 * KIB } else { 50 };
            let (piece, after) = rest.split_at(random.usize(1..=most).min(rest.len()));
            client.send(piece);
            if random.u8(..4) == 0 {
                std::thread::sleep(Duration::from_micros(200));
            }
            rest = after;
        }
        client.expect("+OK\r\n".repeat(sizes.len()));
        for (number, &size) in sizes.iter().enumerate() {
            let reply = client.read_reply();
            assert!(reply.bytes() == value(size, number as u64), "{size} bytes, seed {seed}");
        }
    }
}

#[test]
fn a_command_in_many_pieces_is_not_copied_for_each() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "");
    let small = value(8 * KIB, 1);
    let large = value(48 * MIB, 2);
    let mut command = vec![&b"MSET"[..], b"large", &large];
    (0..1_200).for_each(|_| command.extend([&b"small"[..], &small]));
    let mut client = proxy.client();
    let bytes = encode(&command);
    // The small ones come in pieces, each of which is read by itself.
    let (beginning, end) = bytes.split_at(49 * MIB);
    client.send(beginning);
    let start = std::time::Instant::now();
    for piece in end.chunks(8 * KIB) {
        client.send(piece);
        std::thread::sleep(Duration::from_micros(100));
    }
    client.expect("+OK\r\n");
    // 1,000 pieces; a copy of 50 MB for each takes 10 s and more.
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn the_limits_of_a_pool_are_what_its_clients_meet() {
    let shards = [Shard::start()];
    let settings = "max_bulk: 1000\nmax_arguments: 5\nmax_inline: 100\nmax_command: 1500";
    let proxy = one_worker(&shards, settings);
    let served = |bytes: Vec<u8>, reply: &str| {
        let mut client = proxy.client();
        client.send(&bytes);
        client.expect(reply);
        client.send(b"PING\r\n");
        client.expect("+PONG\r\n");
    };
    let refused = |bytes: Vec<u8>, why: &str| {
        let mut client = proxy.client();
        client.send(&bytes);
        client.expect(format!("-ERR Protocol error: {why}\r\n"));
        client.expect_closed();
    };
    let text = |length| "x".repeat(length);
    served(encode(&["SET", "k", &text(1_000)]), "+OK\r\n");
    refused(encode(&["SET", "k", &text(1_001)]), "invalid bulk length");
    served(encode(&["DEL", "a", "b", "c", "d"]), ":0\r\n");
    refused(encode(&["DEL", "a", "b", "c", "d", "e"]), "invalid multibulk length");
    served(format!("ECHO {}\r\n", text(94)).into_bytes(), &format!("$94\r\n{}\r\n", text(94)));
    refused(format!("ECHO {}\r\n", text(97)).into_bytes(), "too big inline request");
    let two = |length| encode(&["MSET", "a", &text(length), "b", &text(length)]);
    served(two(700), "+OK\r\n");
    refused(two(750), "too big command, the limit is 1500 bytes");
}

#[test]
fn one_reply_may_be_larger_than_client_output_limit() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "client_output_limit: 1mb");
    let value = value(40 * MIB, 3);
    shards[0].client().command(&[&b"SET"[..], b"k", &value]);
    let mut client = proxy.client();
    client.send(&encode(&["GET", "k"]));
    // Sockets take a part of it; the rest has to wait.
    std::thread::sleep(Duration::from_millis(300));
    assert!(client.read_reply().bytes() == value);
    assert_eq!(client.command(&["GET", "none"]), Reply::Nil);
}

#[test]
#[ignore = "takes 4 GB of memory and a minute"]
fn the_largest_value_passes_unchanged() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "");
    let value = value(512 * MIB, 7);
    let mut client = proxy.client();
    client.set_patience(Duration::from_secs(120));
    assert_eq!(client.command(&[&b"SET"[..], b"k", &value]), Reply::ok());
    println!("at most {} MiB for SET", proxy.peak_memory() >> 20);
    assert!(client.command(&["GET", "k"]).bytes() == value);
    println!("at most {} MiB for SET and GET", proxy.peak_memory() >> 20);
    let kept = proxy.memory() >> 20;
    assert!(kept < 64, "{kept} MiB afterwards");
}
