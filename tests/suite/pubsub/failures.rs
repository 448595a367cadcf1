//! Shards that fail and return: a client that listens notices the gap, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Pair, expect_nothing_upstream, listening, over, subscribe, upstream};
use crate::harness::{
    Circlet, Client, FakeShard, Reply, Shard, encode, eventually, honest, pool_yaml,
};

const QUICK: &str = "heartbeat_interval: 50\nheartbeat_timeout: 500\nserver_retry_timeout: 100";

/// The next message but for those that waited for somebody to listen.
#[track_caller]
fn message(client: &mut Client) -> (String, String) {
    loop {
        let message = super::message(client);
        if message.1 != "not yet" {
            return message;
        }
    }
}

/// Publishes on the shard itself once `count` of our links hear it there.
#[track_caller]
fn publish_when_heard(shard: &Shard, channel: &str, text: &str, count: i64) {
    eventually("the shard is listened to again", || {
        // A connection of its own each time: the shard may not be up yet.
        let Ok(mut client) = Client::try_connect(shard.address()) else { return false };
        let heard = client.try_command(&["PUBLISH", channel, "not yet"]);
        matches!(heard, Ok(Reply::Integer(heard)) if heard == count)
    });
    assert_eq!(shard.client().command(&["PUBLISH", channel, text]), Reply::Integer(count));
}

#[test]
fn a_shard_killed_and_back_is_listened_to_again() {
    let shards = Shard::several(3);
    let proxy = over(&shards, QUICK);
    let mut listener = listening(&proxy, "SUBSCRIBE", &["c"]);
    let mut pattern = listening(&proxy, "PSUBSCRIBE", &["c*"]);
    let names: Vec<String> = (0..3_000).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    subscribe(&mut listener, "SUBSCRIBE", &names);
    for round in 0..2 {
        shards[0].kill9();
        for shard in &shards[1..] {
            shard.client().command(&["PUBLISH", "c", "meanwhile"]);
            assert_eq!(message(&mut listener).1, "meanwhile");
            assert_eq!(message(&mut pattern).1, "meanwhile");
        }
        // Whoever comes now hears that shard as soon as it is back.
        let mut comes = listening(&proxy, "SUBSCRIBE", &["new"]);
        shards[0].restart();
        let text = format!("back {round}");
        publish_when_heard(&shards[0], "c", &text, 2);
        assert_eq!(message(&mut listener).1, text);
        assert_eq!(message(&mut pattern).1, text);
        publish_when_heard(&shards[0], "n2999", &text, 1);
        assert_eq!(message(&mut listener).1, text);
        publish_when_heard(&shards[0], "new", &text, 1);
        assert_eq!(message(&mut comes).1, text);
        drop(comes);
    }
    assert_eq!(proxy.client().command(&["PUBLISH", "c", "m"]), Reply::Integer(2));
    drop((listener, pattern));
    expect_nothing_upstream(&shards);
}

#[test]
fn a_link_that_the_shard_closes_is_opened_again() {
    let pair = Pair::start();
    let mut listener = listening(&pair.proxy, "SUBSCRIBE", &["c"]);
    for round in 0..5 {
        let killed = pair.shards[2].client().command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        assert_eq!(killed, Reply::Integer(1));
        let text = round.to_string();
        publish_when_heard(&pair.shards[2], "c", &text, 1);
        assert_eq!(message(&mut listener).1, text);
    }
    assert!(pair.proxy.log().contains("subscriptions to shard lost"), "{}", pair.proxy.log());
    assert_eq!(pair.proxy.client().command(&["PUBLISH", "c", "m"]), Reply::Integer(1));
}

#[test]
fn shard_channels_move_with_the_ring_and_back() {
    let shards = Shard::several(3);
    let proxy = over(&shards, &format!("hash: md5\n{QUICK}\nauto_eject_hosts: true"));
    let names: Vec<String> = (0..30).map(|number| format!("{number}s")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut listener = listening(&proxy, "SSUBSCRIBE", &names);
    subscribe(&mut listener, "SUBSCRIBE", &["c"]);
    let mut publisher = proxy.client();
    let mut all_heard = |when: &str| {
        for name in &names {
            eventually("SPUBLISH succeeds", || {
                publisher.command(&["SPUBLISH", name, when]) == Reply::Integer(1)
            });
            while message(&mut listener) != ((*name).into(), when.into()) {}
        }
        publisher.command(&["PUBLISH", "c", when]);
        while message(&mut listener) != ("c".into(), when.into()) {}
        listener.expect_silence(Duration::from_millis(5));
    };
    all_heard("before");
    let on_first =
        |shard: &Shard| shard.client().command(&["PUBSUB", "SHARDCHANNELS"]).elements().len();
    let before = on_first(&shards[0]);
    assert!(before > 0, "otherwise nothing moves");
    shards[0].kill9();
    proxy.expect_log("ejected after");
    eventually("the others have all", || shards[1..].iter().map(on_first).sum::<usize>() == 30);
    all_heard("without it");
    shards[0].restart();
    eventually("it has its own again", || on_first(&shards[0]) == before);
    eventually("the others only theirs", || shards.iter().map(on_first).sum::<usize>() == 30);
    all_heard("with it");
}

/// A real connection in mid-air: the shard answers heartbeats, and whoever listens hears nothing.
#[test]
fn a_link_that_fell_silent_is_opened_anew() {
    let subscriptions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&subscriptions);
    let fake = FakeShard::start(move |mut link| {
        let mut listens = false;
        while let Some(command) = link.read_command() {
            if command[0].eq_ignore_ascii_case(b"subscribe") {
                listens = true;
                link.send("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
                if counted.fetch_add(1, Ordering::SeqCst) < 2 {
                    return link.keep_silent();
                }
                link.send("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n");
            } else if listens {
                link.send("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
            } else {
                link.send(honest(&command));
            }
        }
    });
    let settings = "heartbeat_interval: 50\nheartbeat_timeout: 200";
    let text = pool_yaml("pool", &[fake.server(1, None)], settings);
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut listener = listening(&proxy, "SUBSCRIBE", &["c"]);
    assert_eq!(message(&mut listener), ("c".into(), "hi".into()));
    assert!(proxy.log().contains("no reply within timeout"), "{}", proxy.log());
    // The third answers PING, and stays.
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(subscriptions.load(Ordering::SeqCst), 3);
}

#[test]
fn a_shard_that_confirms_what_was_not_asked_for_is_not_trusted() {
    let fake = FakeShard::start(|mut link| {
        while let Some(command) = link.read_command() {
            let answer = match &command[0].to_ascii_lowercase()[..] {
                b"subscribe" => b"*3\r\n$10\r\npsubscribe\r\n$1\r\nc\r\n:1\r\n".to_vec(),
                _ => honest(&command),
            };
            link.send(answer);
        }
    });
    let shard = Shard::start();
    let servers = [fake.server(1, Some("fake")), shard.server(1, Some("real"))];
    let proxy = Circlet::with_config(&pool_yaml("pool", &servers, ""));
    let mut listener = listening(&proxy, "SUBSCRIBE", &["c"]);
    assert_eq!(shard.client().command(&["PUBLISH", "c", "m"]), Reply::Integer(1));
    assert_eq!(message(&mut listener), ("c".into(), "m".into()));
    proxy.expect_log("a reply that nobody asked for");
}

#[test]
fn without_any_shard_a_subscription_is_refused() {
    let shards = Shard::several(2);
    let proxy = over(&shards, QUICK);
    let mut client = proxy.client();
    shards.iter().for_each(Shard::kill9);
    for name in ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"] {
        let refused = client.command(&[name, "c", "d"]);
        let text = refused.error().expect("nobody listens");
        assert!(text.starts_with("ERR Connection refused"), "{text}");
    }
    assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
    shards.iter().for_each(Shard::restart);
    eventually("it is served again", || {
        client.send(&encode(&["SUBSCRIBE", "c"]));
        matches!(client.read_reply(), Reply::Array(_))
    });
    // The second shard may have come later than the first.
    for shard in &shards {
        publish_when_heard(shard, "c", "m", 1);
        assert_eq!(message(&mut client).1, "m");
    }
    assert_eq!(upstream(&shards, "d"), [0, 0]);
}

#[test]
fn a_shard_that_forbids_a_channel_says_so() {
    let pair = Pair::start();
    let mut client = pair.proxy.client();
    pair.shards[1].client().command(&["ACL", "SETUSER", "default", "resetchannels", "&ok*"]);
    subscribe(&mut client, "SUBSCRIBE", &["ok1"]);
    for (command, name) in [("SUBSCRIBE", "secret"), ("PSUBSCRIBE", "*")] {
        client.send(&encode(&[command, "ok2", name]));
        let refused = client.read_reply();
        let text = refused.error().unwrap_or_else(|| panic!("{refused:?}"));
        assert!(text.starts_with("NOPERM"), "{text}");
    }
    for name in ["secret", "ok2"] {
        eventually("nothing of it is left", || upstream(&pair.shards, name) == [0, 0, 0]);
    }
    subscribe(&mut client, "SUBSCRIBE", &["ok2"]);
    assert_eq!(pair.proxy.client().command(&["PUBLISH", "ok2", "m"]), Reply::Integer(1));
    assert_eq!(message(&mut client), ("ok2".into(), "m".into()));
    pair.shards[1].client().command(&["ACL", "SETUSER", "default", "allchannels"]);
    subscribe(&mut client, "SUBSCRIBE", &["secret"]);
    assert_eq!(pair.shards[1].client().command(&["PUBLISH", "secret", "m"]), Reply::Integer(1));
    assert_eq!(message(&mut client), ("secret".into(), "m".into()));
}
