//! What passes through TLS is what passes without, on one side and on both.

use std::io::ErrorKind;
use std::time::Duration;

use super::Scene;
use crate::harness::{Reply, encode, eventually};

#[test]
fn commands_pipelines_and_values_of_every_size() {
    for scene in [Scene::start(""), Scene::on_both_sides("")] {
        let mut client = scene.client();
        for power in 0..=22 {
            let size = (1_usize << power) + power - 1;
            let value = pattern(size);
            assert_eq!(client.command(&[&b"SET"[..], b"key", &value]), Reply::ok());
            assert!(client.command(&["GET", "key"]).bytes() == value, "{size} bytes");
        }
        let commands: Vec<Vec<String>> =
            (0..2000).map(|n| vec!["SET".to_owned(), format!("k{n}"), format!("v{n}")]).collect();
        assert!(client.pipeline(&commands).iter().all(|reply| *reply == Reply::ok()));
        let commands: Vec<Vec<String>> =
            (0..2000).map(|n| vec!["GET".to_owned(), format!("k{n}")]).collect();
        for (n, reply) in client.pipeline(&commands).iter().enumerate() {
            assert_eq!(*reply, Reply::bulk(format!("v{n}")));
        }
        let keys: Vec<String> = (0..2000).map(|n| format!("k{n}")).collect();
        let get: Vec<&str> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
        assert_eq!(client.command(&get).elements().len(), 2000);
        // The plain address leads to the same keys.
        assert_eq!(scene.proxy.client().command(&["GET", "k7"]), Reply::bulk("v7"));
    }
}

#[test]
fn values_of_64_mib() {
    let scene = Scene::on_both_sides("");
    let value = pattern(64 << 20);
    let mut client = scene.client();
    assert_eq!(client.command(&[&b"SET"[..], b"big", &value]), Reply::ok());
    assert!(client.command(&["GET", "big"]).bytes() == value);
    let expected = Reply::bulk(&value);
    assert!(scene.shards.iter().any(|shard| shard.client().command(&["GET", "big"]) == expected));
}

#[test]
fn transactions_and_subscriptions() {
    let scene = Scene::on_both_sides("hash_tag: \"{}\"");
    let (mut ours, mut theirs) = (scene.client(), scene.client());
    assert_eq!(ours.command(&["WATCH", "{t}a"]), Reply::ok());
    ours.command(&["MULTI"]);
    ours.command(&["SET", "{t}a", "1"]);
    ours.command(&["INCR", "{t}b"]);
    let done = ours.command(&["EXEC"]);
    assert_eq!(done, Reply::Array(vec![Reply::ok(), Reply::Integer(1)]));
    theirs.command(&["SUBSCRIBE", "news"]);
    eventually("the subscription is known", || {
        ours.command(&["PUBLISH", "news", "hello"]).integer() == 1
    });
    let told = theirs.read_reply();
    assert_eq!(told.elements()[2], Reply::bulk("hello"));
    let waits = std::thread::scope(|scope| {
        let waits = scope.spawn(|| scene.client().command(&["BLPOP", "list", "10"]));
        std::thread::sleep(Duration::from_millis(50));
        ours.command(&["RPUSH", "list", "x"]);
        waits.join().expect("it does not panic")
    });
    assert_eq!(waits.elements()[1], Reply::bulk("x"));
}

#[test]
fn commands_that_come_byte_by_byte() {
    let scene = Scene::start("");
    let mut client = scene.client();
    for byte in encode(&["ECHO", "slowly"]) {
        client.send(&[byte]);
    }
    assert_eq!(client.read_reply(), Reply::bulk("slowly"));
}

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let scene = Scene::on_both_sides("");
    let value = pattern(1 << 20);
    let mut client = scene.client();
    client.command(&[&b"SET"[..], b"key", &value]);
    let before = scene.proxy.memory();
    let get = encode(&["GET", "key"]);
    let mut greedy = scene.client();
    for _ in 0..200 {
        greedy.send(&get);
    }
    // The others are served meanwhile.
    for _ in 0..100 {
        assert_eq!(client.command(&["STRLEN", "key"]), Reply::Integer(1 << 20));
    }
    let more = scene.proxy.memory().saturating_sub(before);
    assert!(more < 100 << 20, "{} MiB for one who does not read 200 MiB", more >> 20);
    for number in 0..200 {
        assert!(greedy.read_reply().bytes() == value, "reply {number}");
    }
}

#[test]
fn a_client_that_never_reads_is_disconnected_at_the_limit() {
    let limits = "client_output_limit: 4mb\nclient_pipeline_limit: 100000";
    let scene = Scene::start(&format!("{limits}\nheartbeat_timeout: 20000"));
    let value = pattern(100 << 10);
    scene.client().command(&[&b"SET"[..], b"key", &value]);
    let mut greedy = scene.client();
    greedy.set_patience(Duration::from_millis(500));
    let gets = encode(&["GET", "key"]).repeat(800);
    let _ = greedy.try_send(&gets);
    scene.proxy.expect_log("client_output_limit is reached");
}

#[test]
fn a_client_that_says_goodbye_gets_what_it_is_owed() {
    let scene = Scene::on_both_sides("");
    let mut client = scene.client();
    client.send(&encode(&["ECHO", "last words"]).repeat(500));
    client.close_writing();
    for _ in 0..500 {
        assert_eq!(client.read_reply(), Reply::bulk("last words"));
    }
    // The end is told (close_notify): without it the client would have to suspect a cut.
    let end = client.try_read_reply().expect_err("nothing more comes");
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
    assert!(!end.to_string().contains("close_notify"), "{end}");
}

#[test]
fn quit_is_answered_before_the_end() {
    let scene = Scene::start("");
    let mut client = scene.client();
    assert_eq!(client.command(&["QUIT"]), Reply::ok());
    client.expect_closed();
    eventually("no session is left", || scene.proxy.pool_stat("pool", "client_connections") == 0);
}

/// Bytes that differ from place to place.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| ((at * at) >> 3) as u8).collect()
}
