//! Whatever is published anywhere is heard, once, in order.

use std::time::Duration;

use super::{Pair, expect_nothing_upstream, listening, message, over, subscribe, upstream};
use crate::harness::{Circlet, Client, Reply, Shard, encode, eventually, pool_yaml};

#[test]
fn many_clients_are_one_upstream_subscription_a_worker() {
    let pair = Pair::start();
    let clients: Vec<Client> =
        (0..40).map(|_| listening(&pair.proxy, "SUBSCRIBE", &["c"])).collect();
    assert_eq!(upstream(&pair.shards, "c"), [2, 2, 2]);
    let patterns: Vec<Client> =
        (0..40).map(|_| listening(&pair.proxy, "PSUBSCRIBE", &["c*"])).collect();
    let direct = &mut pair.shards[1].client();
    assert_eq!(direct.command(&["PUBLISH", "c", "direct"]), Reply::Integer(4));
    let mut publisher = pair.proxy.client();
    assert_eq!(publisher.command(&["PUBLISH", "c", "m"]), Reply::Integer(80));
    for mut client in clients.into_iter().chain(patterns) {
        assert_eq!(message(&mut client), ("c".into(), "direct".into()));
        assert_eq!(message(&mut client), ("c".into(), "m".into()));
    }
    expect_nothing_upstream(&pair.shards);
}

#[test]
fn clients_of_the_shard_itself_are_counted_and_heard() {
    let pair = Pair::start();
    let mut publisher = pair.proxy.client();
    let mut direct: Vec<Client> = pair.shards.iter().map(Shard::client).collect();
    for client in &mut direct {
        subscribe(client, "SUBSCRIBE", &["c", "only direct"]);
    }
    assert_eq!(publisher.command(&["PUBLISH", "c", "1"]), Reply::Integer(1));
    let mut ours: Vec<Client> =
        (0..5).map(|_| listening(&pair.proxy, "SUBSCRIBE", &["c"])).collect();
    assert_eq!(publisher.command(&["PUBLISH", "c", "2"]), Reply::Integer(6));
    let numsub = publisher.command(&["PUBSUB", "NUMSUB", "c", "only direct"]);
    assert_eq!(numsub.elements()[1], Reply::Integer(8));
    assert_eq!(numsub.elements()[3], Reply::Integer(3));
    let channels = publisher.command(&["PUBSUB", "CHANNELS"]);
    assert_eq!(channels, Reply::Array(vec![Reply::bulk("c"), Reply::bulk("only direct")]));
    let mut patterns: Vec<Client> = pair.shards.iter().map(Shard::client).collect();
    for client in &mut patterns {
        subscribe(client, "PSUBSCRIBE", &["direct*"]);
    }
    assert_eq!(message(&mut ours[0]), ("c".into(), "2".into()));
    subscribe(&mut ours[0], "PSUBSCRIBE", &["a*"]);
    assert_eq!(publisher.command(&["PUBSUB", "NUMPAT"]), Reply::Integer(2));
}

#[test]
fn order_holds_for_each_publisher_and_channel() {
    const MESSAGES: usize = 2_000;
    let pair = Pair::start();
    let mut listeners = [
        listening(&pair.proxy, "SUBSCRIBE", &["a", "b", "c"]),
        listening(&pair.proxy, "PSUBSCRIBE", &["?"]),
    ];
    std::thread::scope(|scope| {
        for publisher in 0..3 {
            let mut client = pair.proxy.client();
            scope.spawn(move || {
                for batch in (0..MESSAGES).collect::<Vec<_>>().chunks(50) {
                    let publish = |&at: &usize| {
                        let channel = ["a", "b", "c"][at % 3];
                        vec!["PUBLISH".to_owned(), channel.to_owned(), format!("{publisher} {at}")]
                    };
                    let replies = client.pipeline(&batch.iter().map(publish).collect::<Vec<_>>());
                    assert!(replies.iter().all(|reply| *reply == Reply::Integer(2)), "{replies:?}");
                }
            });
        }
        for listener in &mut listeners {
            scope.spawn(move || {
                let mut next = std::collections::HashMap::new();
                for _ in 0..3 * MESSAGES {
                    let (channel, text) = message(listener);
                    let (publisher, at) = text.split_once(' ').expect("two numbers");
                    let at: usize = at.parse().expect("a number");
                    let expected =
                        next.entry((publisher.to_owned(), channel.clone())).or_insert(at % 3);
                    assert_eq!(at, *expected, "{channel} {text}");
                    *expected += 3;
                }
            });
        }
    });
    for listener in &mut listeners {
        listener.expect_silence(Duration::from_millis(20));
    }
}

#[test]
fn messages_of_scripts_and_transactions_and_of_any_shard_are_heard() {
    let pair = Pair::start();
    let mut listener = listening(&pair.proxy, "SUBSCRIBE", &["c"]);
    subscribe(&mut listener, "PSUBSCRIBE", &["d*"]);
    let mut client = pair.proxy.client();
    for number in 0..20 {
        let (key, text) = (format!("{number}key"), number.to_string());
        let script = "redis.call('publish', 'c', ARGV[1]); return 1";
        assert_eq!(client.command(&["EVAL", script, "1", &key, &text]), Reply::Integer(1));
        assert_eq!(message(&mut listener), ("c".into(), text));
    }
    for shard in &pair.shards {
        let mut direct = shard.client();
        direct.command(&["MULTI"]);
        direct.command(&["PUBLISH", "c", "one"]);
        direct.command(&["PUBLISH", "data", "two"]);
        direct.command(&["EXEC"]);
        assert_eq!(message(&mut listener), ("c".into(), "one".into()));
        assert_eq!(message(&mut listener), ("data".into(), "two".into()));
    }
}

#[test]
fn keyspace_notifications_of_all_shards_are_heard() {
    let pair = Pair::start();
    for shard in &pair.shards {
        shard.client().command(&["CONFIG", "SET", "notify-keyspace-events", "KEA"]);
    }
    let mut space = listening(&pair.proxy, "PSUBSCRIBE", &["__keyspace@0__:*"]);
    let mut expired = listening(&pair.proxy, "SUBSCRIBE", &["__keyevent@0__:expired"]);
    let mut client = pair.proxy.client();
    let keys: Vec<String> = (0..30).map(|number| format!("{number}key")).collect();
    for key in &keys {
        client.command(&["SET", key, "v"]);
        assert_eq!(message(&mut space), (format!("__keyspace@0__:{key}"), "set".into()));
    }
    for key in &keys {
        // One millisecond may be over before PEXPIRE looks, which then deletes and tells of that.
        client.command(&["PEXPIRE", key, "50"]);
    }
    // Who is asked for a key that has run out says so; by itself a shard may take long.
    std::thread::sleep(Duration::from_millis(100));
    for key in &keys {
        assert_eq!(client.command(&["GET", key]), Reply::Nil);
    }
    let mut gone: Vec<String> = keys.iter().map(|_| message(&mut expired).1).collect();
    gone.sort();
    let mut all = keys.clone();
    all.sort();
    assert_eq!(gone, all);
    let used = pair.shards.iter().filter(|shard| {
        let stats = shard.client().command(&["INFO", "stats"]);
        !String::from_utf8_lossy(stats.bytes()).contains("expired_keys:0\r")
    });
    assert_eq!(used.count(), 3);
}

#[test]
fn shard_channels_live_on_one_shard() {
    let pair = Pair::start();
    let names: Vec<String> = (0..30).map(|number| format!("{number}s")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut listener = listening(&pair.proxy, "SSUBSCRIBE", &names);
    let count =
        |shard: &Shard| shard.client().command(&["PUBSUB", "SHARDCHANNELS"]).elements().len();
    let counts: Vec<usize> = pair.shards.iter().map(count).collect();
    assert_eq!(counts.iter().sum::<usize>(), 30);
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    let mut publisher = pair.proxy.client();
    for name in names {
        assert_eq!(publisher.command(&["SPUBLISH", name, "m"]), Reply::Integer(1));
        assert_eq!(message(&mut listener).0, name);
    }
}

#[test]
fn a_message_published_after_the_confirmation_is_never_missed() {
    let pair = Pair::start();
    let mut publishers: Vec<Client> = pair.shards.iter().map(Shard::client).collect();
    for round in 0..150 {
        let channel = format!("c{round}");
        let mut listener = pair.proxy.client();
        let name = if round % 2 == 0 { "SUBSCRIBE" } else { "PSUBSCRIBE" };
        subscribe(&mut listener, name, &[&channel]);
        for publisher in &mut publishers {
            assert_eq!(publisher.command(&["PUBLISH", &channel, "now"]), Reply::Integer(1));
            assert_eq!(message(&mut listener), (channel.clone(), "now".into()));
        }
    }
}

#[test]
fn the_last_listener_takes_the_upstream_subscription_along() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut clients: Vec<Client> =
        (0..4).map(|_| listening(&proxy, "SUBSCRIBE", &["c", "d"])).collect();
    let mut last = clients.pop().expect("four clients");
    for client in &mut clients {
        client.command(&["UNSUBSCRIBE", "c"]);
    }
    eventually("one worker still listens", || upstream(&shards, "c") == [1, 1, 1]);
    last.command(&["UNSUBSCRIBE", "c"]);
    eventually("no worker listens to c", || upstream(&shards, "c") == [0, 0, 0]);
    assert_eq!(upstream(&shards, "d"), [2, 2, 2]);
    last.send(&[encode(&["UNSUBSCRIBE", "d"]), encode(&["SUBSCRIBE", "d"])].concat());
    last.read_reply();
    last.read_reply();
    drop(clients);
    eventually("one worker listens to d", || upstream(&shards, "d") == [1, 1, 1]);
    assert_eq!(shards[2].client().command(&["PUBLISH", "d", "m"]), Reply::Integer(1));
    assert_eq!(message(&mut last), ("d".into(), "m".into()));
}

#[test]
fn what_is_published_right_after_a_subscribe_is_heard() {
    let shards = Shard::several(3);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    // With one worker it is certain which of the two is read first.
    let proxy = Circlet::with_arguments(&pool_yaml("pool", &servers, ""), &["--threads", "1"]);
    let mut publisher = proxy.client();
    for number in 0..100 {
        let channel = format!("c{number}");
        let mut listener = proxy.client();
        listener.command(&["PING"]);
        listener.send(&encode(&["SUBSCRIBE", &channel]));
        let publish = vec!["PUBLISH", &channel, "m"];
        let heard = if number % 2 == 0 {
            publisher.command(&publish)
        } else {
            let commands = [vec!["MULTI"], publish, vec!["EXEC"]];
            publisher.pipeline(&commands)[2].elements()[0].clone()
        };
        assert_eq!(heard, Reply::Integer(1), "{channel}");
        listener.read_reply();
        assert_eq!(message(&mut listener), (channel, "m".into()));
    }
}
