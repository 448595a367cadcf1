//! Many listeners, many channels, and listeners that do not read.

use std::time::{Duration, Instant};

use super::{Pair, expect_nothing_upstream, listening, message, over, subscribe, words};
use crate::bad_clients::crowds::raise_the_limit_of_open_files;
use crate::harness::{Circlet, Client, Reply, Shard, encode, eventually, pool_yaml};

#[test]
fn a_hundred_thousand_channels_of_one_client() {
    const CHANNELS: usize = 100_000;
    const ONE_BY_ONE: usize = 2_000;
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    let names: Vec<String> = (0..CHANNELS).map(|number| format!("channel{number}")).collect();
    let (first, rest) = names.split_at(CHANNELS - ONE_BY_ONE);
    let mut sender = client.sender();
    std::thread::scope(|scope| {
        // Most in one command, some one by one: each of these waits for all shards.
        scope.spawn(|| {
            sender.send(&encode(&[&["SUBSCRIBE".to_owned()], first].concat()));
            for some in rest.chunks(1_000) {
                let commands: Vec<u8> =
                    some.iter().flat_map(|name| encode(&["SUBSCRIBE", name])).collect();
                sender.send(&commands);
            }
        });
        for (at, name) in names.iter().enumerate() {
            let [word, name] = ["subscribe", name].map(Reply::bulk);
            let count = Reply::Integer(at as i64 + 1);
            assert_eq!(client.read_reply(), Reply::Array(vec![word, name, count]));
        }
    });
    let mut publisher = proxy.client();
    for at in [0, 1, CHANNELS - ONE_BY_ONE, CHANNELS - 1] {
        assert_eq!(publisher.command(&["PUBLISH", &names[at], "m"]), Reply::Integer(1));
        assert_eq!(message(&mut client), (names[at].clone(), "m".into()));
    }
    let channels = publisher.command(&["PUBSUB", "CHANNELS"]);
    assert_eq!(channels.elements().len(), CHANNELS);
    client.send(&encode(&["UNSUBSCRIBE"]));
    (0..CHANNELS).for_each(|_| drop(client.read_reply()));
    expect_nothing_upstream(&shards);
}

#[test]
fn ten_thousand_listeners_of_one_channel() {
    raise_the_limit_of_open_files();
    let shards = Shard::several(3);
    let proxy = over(&shards, "backlog: 4096");
    let mut clients: Vec<Client> = (0..10_000).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(&encode(&["SUBSCRIBE", "all"]));
    }
    for client in &mut clients {
        client.expect("*3\r\n$9\r\nsubscribe\r\n$3\r\nall\r\n:1\r\n");
    }
    let mut publisher = proxy.client();
    for text in ["one", "two"] {
        assert_eq!(publisher.command(&["PUBLISH", "all", text]), Reply::Integer(10_000));
    }
    let message = |text| format!("*3\r\n$7\r\nmessage\r\n$3\r\nall\r\n$3\r\n{text}\r\n");
    let both = message("one") + &message("two");
    clients.iter_mut().for_each(|client| client.expect(&both));
    drop(clients);
    expect_nothing_upstream(&shards);
}

#[test]
fn churn_leaves_nothing_and_disturbs_nobody() {
    let pair = Pair::start();
    let mut steady = listening(&pair.proxy, "SUBSCRIBE", &["steady"]);
    subscribe(&mut steady, "PSUBSCRIBE", &["stea?y"]);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let pair = &pair;
            scope.spawn(move || churn(pair, fastrand::Rng::with_seed(thread)));
        }
        let mut publisher = pair.proxy.client();
        for number in 0..1_000 {
            let text = number.to_string();
            assert_eq!(publisher.command(&["PUBLISH", "steady", &text]), Reply::Integer(2));
            for _ in 0..2 {
                assert_eq!(message(&mut steady), ("steady".into(), text.clone()));
            }
        }
    });
    drop(steady);
    expect_nothing_upstream(&pair.shards);
    let mut client = pair.proxy.client();
    for line in ["PUBSUB CHANNELS", "PUBSUB SHARDCHANNELS"] {
        assert_eq!(client.command(&words(line)), Reply::Array(Vec::new()));
    }
    assert_eq!(client.command(&["PUBSUB", "NUMPAT"]), Reply::Integer(0));
    assert_eq!(client.command(&["PUBLISH", "c1", "m"]), Reply::Integer(0));
}

/// Subscribes to and from a few names; whatever was confirmed is heard.
fn churn(pair: &Pair, mut random: fastrand::Rng) {
    let mut publisher = pair.proxy.client();
    for round in 0..60 {
        let mut client = pair.proxy.client();
        for step in 0..random.usize(1..12) {
            let name = format!("c{}", random.usize(..3));
            let (begin, end, publish) = [
                ("SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH"),
                ("SSUBSCRIBE", "SUNSUBSCRIBE", "SPUBLISH"),
            ][random.usize(..2)];
            client.send(&encode(&[begin, &name]));
            let marker = format!("{round} {step} {}", random.u64(..));
            read_until(&mut client, &begin.to_lowercase());
            publisher.command(&[publish, &name, &marker]);
            read_until(&mut client, &marker);
            if random.bool() {
                client.send(&encode(&[end, &name]));
                read_until(&mut client, &end.to_lowercase());
            }
        }
        if random.bool() {
            // Leaves while it is being subscribed.
            client.send(&encode(&["SUBSCRIBE", "c0", "c1", "rare"]));
            client.reset();
        }
    }
}

/// Reads replies until one holds `text`.
#[track_caller]
fn read_until(client: &mut Client, text: &str) {
    while !String::from_utf8_lossy(&client.read_reply_bytes()).contains(text) {}
}

#[test]
fn a_slow_listener_is_dropped_and_a_fast_one_gets_everything() {
    const MESSAGES: usize = 1_500;
    let shards = Shard::several(3);
    let proxy = over(&shards, "pubsub_output_limit: 4mb\npubsub_output_soft_limit: 0");
    let mut slow = listening(&proxy, "SUBSCRIBE", &["c"]);
    let mut fast = listening(&proxy, "SUBSCRIBE", &["c"]);
    let mut publisher = proxy.client();
    for number in 0..MESSAGES {
        // Some are copied for each, some shared.
        let size = if number % 2 == 0 { 60_000 } else { 2_000 };
        let text = format!("{number:0>size$}");
        publisher.command(&["PUBLISH", "c", &text]);
        assert_eq!(message(&mut fast), ("c".into(), text));
    }
    proxy.expect_log("it does not read its messages and pubsub_output_limit is reached");
    assert_eq!(publisher.command(&["PUBLISH", "c", "m"]), Reply::Integer(1));
    let got = slow.read_to_close();
    assert!(got.len() < MESSAGES * 31_000, "{}", got.len());
    let start = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$60000\r\n00";
    assert!(got.starts_with(start), "what it got it got whole");
}

#[test]
fn the_soft_limit_gives_time_to_catch_up() {
    let shards = Shard::several(1);
    let settings = "pubsub_output_soft_limit: 1mb\npubsub_output_soft_seconds: 1";
    let proxy = over(&shards, settings);
    let mut publisher = proxy.client();
    let mut slow = listening(&proxy, "SUBSCRIBE", &["c"]);
    let mut late = listening(&proxy, "SUBSCRIBE", &["c"]);
    let mut burst = |count: usize| {
        for _ in 0..count {
            publisher.command(&["PUBLISH", "c", &"x".repeat(60_000)]);
        }
    };
    burst(200);
    (0..200).for_each(|_| drop(late.read_reply()));
    std::thread::sleep(Duration::from_millis(1_300));
    assert!(!proxy.log().contains("disconnected"), "{}", proxy.log());
    burst(3);
    proxy.expect_log("pubsub_output_soft_limit is reached");
    slow.read_to_close();
    // The other was above the limit as well, but not for long.
    for _ in 0..3 {
        late.read_reply();
    }
    burst(1);
    late.read_reply();
    assert_eq!(proxy.log().matches("disconnected").count(), 1, "{}", proxy.log());
}

#[test]
fn slow_listeners_share_the_memory_of_large_messages() {
    const LISTENERS: usize = 300;
    let shards = Shard::several(1);
    let proxy = over(&shards, "");
    let clients: Vec<Client> =
        (0..LISTENERS).map(|_| listening(&proxy, "SUBSCRIBE", &["c"])).collect();
    let before = proxy.memory();
    let mut publisher = proxy.client();
    for _ in 0..20 {
        let count = publisher.command(&["PUBLISH", "c", &"x".repeat(1 << 20)]);
        assert_eq!(count, Reply::Integer(LISTENERS as i64));
    }
    let mut watch = clients.into_iter().next().expect("there are listeners");
    for _ in 0..20 {
        assert_eq!(message(&mut watch).1.len(), 1 << 20);
    }
    let grown = proxy.memory().saturating_sub(before);
    // Each alone would make 6 GB; two workers keep each message once.
    assert!(grown < 200 << 20, "{grown}");
}

#[test]
fn a_client_that_leaves_while_it_waits_leaves_nothing() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "heartbeat_timeout: 20000");
    shards[1].stop();
    let mut stays = proxy.client();
    stays.send(&encode(&["SUBSCRIBE", "c"]));
    stays.expect_silence(Duration::from_millis(200));
    let mut leaves: Vec<Client> = (0..10).map(|_| proxy.client()).collect();
    for client in &mut leaves {
        client.send(&encode(&["SUBSCRIBE", "c", "d"]));
        client.send(&encode(&["PSUBSCRIBE", "d"]));
    }
    std::thread::sleep(Duration::from_millis(100));
    drop(leaves);
    eventually("they are gone", || proxy.pool_stat("pool", "client_connections") == 1);
    shards[1].cont();
    stays.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    let mut publisher = proxy.client();
    assert_eq!(publisher.command(&["PUBLISH", "c", "m"]), Reply::Integer(1));
    assert_eq!(publisher.command(&["PUBLISH", "d", "m"]), Reply::Integer(0));
    assert_eq!(message(&mut stays), ("c".into(), "m".into()));
    drop(stays);
    expect_nothing_upstream(&shards);
}

#[test]
fn no_message_comes_before_the_confirmation() {
    let shards = Shard::several(2);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let text = pool_yaml("pool", &servers, "hash: md5\nheartbeat_timeout: 20000");
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    // The worker listens already: there is no shard to wait for, but a reply that is owed.
    let mut other = listening(&proxy, "SUBSCRIBE", &["c"]);
    let mut late = proxy.client();
    shards[0].stop();
    let gets: Vec<u8> =
        (0..20).flat_map(|number| encode(&["GET".into(), format!("{number}k")])).collect();
    late.send(&[gets, encode(&["SUBSCRIBE", "c"])].concat());
    std::thread::sleep(Duration::from_millis(100));
    shards[1].client().command(&["PUBLISH", "c", "early"]);
    assert_eq!(message(&mut other).1, "early");
    shards[0].cont();
    late.expect("$-1\r\n".repeat(20));
    late.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    shards[1].client().command(&["PUBLISH", "c", "in time"]);
    assert_eq!(message(&mut late).1, "in time");
}

#[test]
fn what_is_sent_while_subscribing_waits_its_turn() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "heartbeat_timeout: 20000");
    let mut client = proxy.client();
    client.send(b"HELLO 3\r\n");
    client.read_reply();
    shards[0].stop();
    client.send(&encode(&["SUBSCRIBE", "c"]));
    std::thread::sleep(Duration::from_millis(50));
    client.send(b"PING a\r\nPI");
    std::thread::sleep(Duration::from_millis(50));
    client.send(b"NG b\r\n");
    let since = Instant::now();
    client.expect_silence(Duration::from_millis(200));
    shards[0].cont();
    client.expect(">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert!(since.elapsed() < Duration::from_secs(10));
}
