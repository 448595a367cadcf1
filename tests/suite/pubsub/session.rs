//! The session's side, byte for byte as with one Redis.

use super::{Pair, expect_nothing_upstream, subscribe, words};
use crate::harness::{Client, Reply, encode};

/// All bytes that a client gets for `line`.
fn answer(client: &mut Client, line: &str) -> String {
    client.send(&[encode(&words(line)), encode(&["PING", "end-of-line"])].concat());
    let mut all = String::new();
    loop {
        let frame = String::from_utf8_lossy(&client.read_reply_bytes()).into_owned();
        if frame.contains("end-of-line") {
            return all + &frame;
        }
        all += &frame;
    }
}

#[track_caller]
fn same(clients: &mut [Client; 2], lines: &[&str]) {
    for line in lines {
        let [ours, theirs] = clients.each_mut().map(|client| answer(client, line));
        assert_eq!(ours, theirs, "{line}");
    }
}

const SCRIPT: [&str; 41] = [
    "UNSUBSCRIBE",
    "UNSUBSCRIBE nosuch",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
    "SUBSCRIBE",
    "SUBSCRIBE a",
    "SUBSCRIBE a b a",
    "PSUBSCRIBE p* p* [x",
    "SSUBSCRIBE s1 s2 s1",
    "GET k",
    "get k",
    "CONFIG GET x",
    "CLIENT ID x",
    "NOSUCH",
    "GET",
    "MULTI",
    "EXEC",
    "PUBSUB NUMPAT",
    "PING",
    "PING hello",
    "PING a b",
    "UNSUBSCRIBE nosuch",
    "UNSUBSCRIBE a a",
    "PUNSUBSCRIBE [x",
    "PUNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE s1 s2 s3",
    "SUNSUBSCRIBE",
    "PING still",
    "UNSUBSCRIBE b",
    "GET k",
    "UNSUBSCRIBE",
    "PING plain",
    "SSUBSCRIBE only",
    "GET k",
    "SUNSUBSCRIBE",
    "GET k",
    "SUBSCRIBE again",
    "PSUBSCRIBE again",
    "RESET",
    "GET k",
];

#[test]
fn confirmations_counts_and_refusals() {
    let pair = Pair::start();
    same(&mut pair.clients(), &SCRIPT);
    let mut clients = pair.clients();
    for client in &mut clients {
        client.command(&["HELLO", "3"]);
    }
    // Commands that circlet has no transaction or different words for are left to other tests.
    let lines: Vec<&str> = SCRIPT.into_iter().filter(|line| *line != "MULTI").collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| *line != "CONFIG GET x").collect();
    same(&mut clients, &lines);
    expect_nothing_upstream(&pair.shards);
}

#[test]
fn a_whole_script_in_one_write() {
    let pair = Pair::start();
    let bytes: Vec<u8> = SCRIPT.iter().flat_map(|line| encode(&words(line))).collect();
    let mut all = pair.clients().map(|mut client| {
        client.send(&[&bytes[..], &encode(&["ECHO", "the end"])].concat());
        let mut all = Vec::new();
        while !all.ends_with(b"the end\r\n") {
            all.extend(client.read_reply_bytes());
        }
        String::from_utf8(all).expect("all is text")
    });
    assert_eq!(std::mem::take(&mut all[0]), all[1]);
}

#[test]
fn unsubscribing_from_all_names_each_once() {
    let pair = Pair::start();
    let names = ["a", "b", "c", "d", "e"];
    let told = pair.clients().map(|mut client| {
        subscribe(&mut client, "SUBSCRIBE", &names);
        subscribe(&mut client, "PSUBSCRIBE", &["p"]);
        client.send(&encode(&["UNSUBSCRIBE"]));
        let mut told = Vec::new();
        for _ in names {
            let Reply::Array(parts) = client.read_reply() else { panic!("a confirmation") };
            told.push((parts[1].clone(), parts[2].clone()));
        }
        let counts: Vec<Reply> = told.iter().map(|(_, count)| count.clone()).collect();
        let mut named: Vec<Vec<u8>> = told.iter().map(|(name, _)| name.bytes().to_vec()).collect();
        named.sort();
        (named, counts)
    });
    assert_eq!(told[0], told[1]);
}

#[test]
fn messages_are_the_same_bytes_in_both_protocols() {
    let pair = Pair::start();
    let [ours, theirs] = [0, 1].map(|side| {
        let mut listener = pair.clients().into_iter().nth(side).expect("two clients");
        let mut publisher = pair.clients().into_iter().nth(side).expect("two clients");
        let mut all = Vec::new();
        for protocol in ["2", "3", "2"] {
            listener.command(&["HELLO", protocol]);
            for (command, name) in
                [("SUBSCRIBE", "news"), ("PSUBSCRIBE", "n?ws"), ("SSUBSCRIBE", "news")]
            {
                listener.send(&encode(&[command, name]));
                all.push(listener.read_reply_bytes());
            }
            for payload in [&b""[..], b"hi", b"\r\n\0\xff", &[b'x'; 5_000], &[b'y'; 300_000]] {
                let counts = [
                    publisher.command(&[b"PUBLISH", &b"news"[..], payload]),
                    publisher.command(&[b"SPUBLISH", &b"news"[..], payload]),
                    publisher.command(&[b"PUBLISH", &b"News"[..], payload]),
                ];
                assert_eq!(counts.map(|count| count.integer()), [2, 1, 0]);
                let mut frames: Vec<_> = (0..3).map(|_| listener.read_reply_bytes()).collect();
                // A shard channel may live on another shard than the channel of the same name.
                frames.sort();
                all.extend(frames);
            }
            if protocol == "3" {
                // The protocol can change while it listens.
                listener.send(&encode(&["HELLO", "2"]));
                listener.read_reply();
                publisher.command(&["PUBLISH", "news", "to RESP2"]);
                all.extend((0..2).map(|_| listener.read_reply_bytes()));
            }
            assert_eq!(listener.command(&["RESET"]), Reply::Simple("RESET".into()));
        }
        all
    });
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!(ours == theirs, "{}\n{}", ours.escape_ascii(), theirs.escape_ascii());
    }
}

#[test]
fn resp3_serves_other_commands_between_messages() {
    let pair = Pair::start();
    let mut client = pair.proxy.client();
    client.command(&["HELLO", "3"]);
    subscribe(&mut client, "SUBSCRIBE", &["c"]);
    let mut publisher = pair.proxy.client();
    for round in 0..200 {
        let (key, text) = (format!("{round}key"), round.to_string());
        client.send(&[encode(&["SET", &key, &text]), encode(&["GET", &key])].concat());
        assert_eq!(publisher.command(&["PUBLISH", "c", &text]), Reply::Integer(1));
        let mut replies = Vec::new();
        let mut pushes = Vec::new();
        while replies.len() + pushes.len() < 3 {
            match client.read_reply() {
                Reply::Push(parts) => pushes.push(parts[2].clone()),
                reply => replies.push(reply),
            }
        }
        assert_eq!(replies, [Reply::ok(), Reply::bulk(&text)]);
        assert_eq!(pushes, [Reply::bulk(&text)]);
    }
}

#[test]
fn pubsub_tells_what_one_redis_tells() {
    let pair = Pair::start();
    let (mut held, [mut ours, mut theirs]) = (Vec::new(), pair.clients());
    for (command, names) in [
        ("SUBSCRIBE", &["news", "sport", "weather"][..]),
        ("SUBSCRIBE", &["news", "sport"]),
        ("PSUBSCRIBE", &["n*", "s*"]),
        ("PSUBSCRIBE", &["n*", "other"]),
        ("SSUBSCRIBE", &["news", "x1", "x2", "x3"]),
        ("SSUBSCRIBE", &["news"]),
    ] {
        for mut client in pair.clients() {
            subscribe(&mut client, command, names);
            held.push(client);
        }
    }
    let sorted = |client: &mut Client, line: &str| {
        let reply = client.command(&words(line));
        let mut all: Vec<Vec<u8>> =
            reply.elements().iter().map(|name| name.bytes().to_vec()).collect();
        all.sort();
        all
    };
    for line in [
        "PUBSUB CHANNELS",
        "PUBSUB CHANNELS n*",
        "PUBSUB CHANNELS N*",
        "PUBSUB CHANNELS nosuch",
        "PUBSUB SHARDCHANNELS",
        "PUBSUB SHARDCHANNELS x[13]",
    ] {
        assert_eq!(sorted(&mut ours, line), sorted(&mut theirs, line), "{line}");
    }
    for line in [
        "PUBSUB NUMSUB",
        "PUBSUB NUMSUB news nosuch sport news weather",
        "PUBSUB SHARDNUMSUB news x1 x4",
        "PUBSUB SHARDNUMSUB",
        "PUBSUB NUMPAT",
        "PUBSUB CHANNELS a b",
        "PUBSUB shardchannels a b",
        "PUBSUB NUMPAT x",
        "PUBSUB",
        "PUBSUB NOSUCH",
        "PUBSUB HELP",
        "PUBLISH news 1",
        "PUBLISH nosuch 1",
        "PUBLISH sport 1",
        "PUBLISH news",
        "SPUBLISH news 1",
        "SPUBLISH x2 1",
        "SPUBLISH sport 1",
    ] {
        assert_eq!(ours.command(&words(line)), theirs.command(&words(line)), "{line}");
    }
    drop(held);
    expect_nothing_upstream(&pair.shards);
    assert_eq!(ours.command(&["PUBSUB", "CHANNELS"]), Reply::Array(Vec::new()));
    assert_eq!(ours.command(&["PUBSUB", "NUMPAT"]), Reply::Integer(0));
}

#[test]
fn a_client_that_quits_or_breaks_off_listens_no_longer() {
    let pair = Pair::start();
    let mut client = pair.proxy.client();
    subscribe(&mut client, "SUBSCRIBE", &["c"]);
    client.send(&encode(&["QUIT"]));
    client.expect("+OK\r\n");
    client.expect_closed();
    let mut client = pair.proxy.client();
    subscribe(&mut client, "PSUBSCRIBE", &["c"]);
    client.close_writing();
    client.expect_closed();
    let mut client = pair.proxy.client();
    subscribe(&mut client, "SSUBSCRIBE", &["c"]);
    client.reset();
    expect_nothing_upstream(&pair.shards);
    assert_eq!(pair.proxy.client().command(&["PUBLISH", "c", "m"]), Reply::Integer(0));
}
