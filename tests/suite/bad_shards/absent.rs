//! Shards that are not there, or let nobody in.

use std::time::{Duration, Instant};

use super::fleet::{Fleet, bad, keys};
use crate::harness::{FakeShard, Reply, Shard, eventually, free_port, honest};

#[test]
fn a_shard_that_refuses_connections_from_the_start() {
    let late = Shard::start();
    late.kill9();
    for settings in ["", "preconnect: true", "preconnect: true\ntimeout: 800"] {
        let fleet = Fleet::with(&late.server(1, Some("bad")), settings);
        let mut client = fleet.circlet.client();
        for _ in 0..3 {
            let asked = Instant::now();
            fleet.expect_bad_keys_fail(&mut client, &["ERR Connection refused"]);
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        }
    }
    let mut fleet = Fleet::with(&late.server(1, Some("bad")), "preconnect: true");
    let mut client = fleet.circlet.client();
    fleet.expect_bad_keys_fail(&mut client, &["ERR Connection refused"]);
    late.restart();
    fleet.expect_recovery(&mut client);
}

#[test]
fn preconnected_shards_are_connected_before_anybody_asks() {
    let fake = FakeShard::start(|mut link| link.serve(honest));
    let fleet = Fleet::over(&fake, "preconnect: true\nheartbeat_interval: 3600000");
    // One heartbeat, and a link of each worker.
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    eventually("links are open", || fake.accepted() == 1 + workers);
    assert_eq!(fleet.circlet.client().command(&["GET", &keys().bad]), Reply::Nil);
    assert_eq!(fake.accepted(), 1 + workers, "no further one was needed");
}

#[test]
fn a_name_that_nobody_knows() {
    let fleet = Fleet::with(&format!("no-such-host.invalid:{}:1 bad", free_port()), "");
    let mut client = fleet.circlet.client();
    for _ in 0..2 {
        fleet.expect_bad_keys_fail(&mut client, &["no-such-host.invalid"]);
    }
    let reply = client.command(&["GET", &keys().bad]);
    let text = reply.error().expect("nobody can answer");
    let twemproxys = ["ERR Host is down", "ERR Connection refused"];
    assert!(twemproxys.iter().any(|start| text.starts_with(start)), "{text}");
}

#[test]
fn a_password_that_the_shard_does_not_take() {
    let locked = Shard::with(&["--requirepass", "secret"]);
    let fleet = Fleet::with(&locked.server(1, Some("bad")), "redis_auth: guess");
    let mut client = fleet.circlet.client();
    assert_eq!(client.command(&["AUTH", "guess"]), Reply::ok(), "the pool's own");
    fleet.expect_bad_keys_fail(&mut client, &["WRONGPASS"]);
}

#[test]
fn a_password_that_the_pool_does_not_have() {
    let locked = Shard::with(&["--requirepass", "secret"]);
    let fleet = Fleet::with(&locked.server(1, Some("bad")), "");
    let mut client = fleet.circlet.client();
    let replies = client.pipeline(&[vec!["GET", &keys().bad], vec!["GET", &keys().one]]);
    assert_eq!(replies[0], Reply::Error("NOAUTH Authentication required.".into()));
    assert_eq!(replies[1], Reply::Nil);
}

#[test]
fn a_database_that_the_shard_does_not_have() {
    let small = Shard::with(&["--databases", "2"]);
    let fleet = Fleet::with(&small.server(1, Some("bad")), "redis_db: 5");
    let mut client = fleet.circlet.client();
    fleet.expect_bad_keys_fail(&mut client, &["ERR DB index is out of range"]);
}

/// Answers to the greeting that are no answers.
#[test]
fn a_greeting_answered_with_garbage_or_silence() {
    for (answer, why) in [
        ("HTTP/1.1 400\r\n", "cannot start with byte 0x48"),
        ("+OK\r\n+SURPLUS\r\n", "bytes after the replies to the greeting"),
        ("+O", "within connect_timeout"),
    ] {
        let fake = bad(1, move |mut link, first| {
            assert_eq!(first[0], b"SELECT");
            link.send(answer);
            link.keep_silent();
        });
        let mut fleet = Fleet::over(&fake, "redis_db: 1\nconnect_timeout: 800");
        let mut client = fleet.circlet.client();
        fleet.expect_bad_keys_fail(&mut client, &[why]);
        fleet.expect_recovery(&mut client);
    }
}
