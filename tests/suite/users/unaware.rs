//! circlet knows no password and no user: clients find what they find at one Redis.

use std::time::Duration;

use super::{ANN, Scene, raw, say};
use crate::harness::{Circlet, Client, Proxy, Reply, Shard, eventually, pool_yaml};

/// Shards and one Redis with `requirepass`, and circlet without a word of it.
fn behind_passwords(settings: &str) -> (Vec<Shard>, Shard, Proxy) {
    let mut shards: Vec<Shard> =
        (0..4).map(|_| Shard::with(&["--requirepass", "secret"])).collect();
    let single = shards.remove(3);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let proxy =
        Circlet::with_arguments(&pool_yaml("pool", &servers, settings), &["--threads", "2"]);
    (shards, single, proxy)
}

#[track_caller]
fn alike(ours: &mut Client, theirs: &mut Client, lines: &[&str]) {
    for line in lines {
        let (one, other) = (raw(ours, line), raw(theirs, line));
        match line.starts_with("HELLO") && !other.starts_with('-') {
            true => assert_eq!(one[..2], other[..2], "{line}"),
            false => assert_eq!(one, other, "{line}"),
        }
    }
}

#[test]
fn the_shards_password_is_the_clients_to_say() {
    let settings = "auto_eject_hosts: true\nserver_failure_limit: 1\nheartbeat_interval: 50";
    let (shards, single, proxy) = behind_passwords(settings);
    for hello in ["PING", "HELLO 2", "HELLO 3"] {
        let (mut ours, mut theirs) = (proxy.client(), single.client());
        let strange = ["GET k", hello, "PING", "SET k v", "SUBSCRIBE c", "MULTI", "CLIENT LIST"];
        alike(&mut ours, &mut theirs, &strange);
        let known = ["AUTH wrong", "AUTH secret", hello, "SET k v", "GET k", "ACL WHOAMI", "MULTI"];
        alike(&mut ours, &mut theirs, &known);
        alike(&mut ours, &mut theirs, &["INCR n", "EXEC", "MGET k a b c d", "SUBSCRIBE c"]);
        let (mut speaker, mut other) = (proxy.client(), single.client());
        alike(&mut speaker, &mut other, &["AUTH default secret", "PUBLISH c text"]);
        assert_eq!(ours.read_reply_bytes(), theirs.read_reply_bytes());
        alike(&mut ours, &mut theirs, &["RESET", "GET k", "PING", "AUTH secret", "DEL n k"]);
        let list = say(&mut speaker, "CLIENT LIST");
        let list = String::from_utf8_lossy(list.bytes()).into_owned();
        assert!(list.lines().all(|line| line.contains(" user=default ")), "{list}");
    }
    // Many heartbeats later.
    std::thread::sleep(Duration::from_millis(500));
    let mut client = proxy.client();
    assert_eq!(say(&mut client, "AUTH secret"), Reply::ok());
    for number in 0..30 {
        assert_eq!(say(&mut client, &format!("SET key:{number} v")), Reply::ok());
    }
    assert_eq!(shards.len(), 3);
    assert!(!proxy.log().contains("eject") && !proxy.log().contains("down"), "{}", proxy.log());
}

#[test]
fn users_of_open_shards_are_known_without_a_word() {
    let scene = Scene::silent(&[ANN]);
    scene.same(&["GET k", "ACL WHOAMI", "AUTH x", "AUTH ann wrong", "AUTH ann secret"]);
    scene.same(&["AUTH ann secret", "ACL WHOAMI", "SET k v", "RESET", "ACL WHOAMI", "GET k"]);
    scene.same(&["HELLO AUTH ann secret", "ACL WHOAMI", "CLIENT GETNAME", "HELLO", "RESET"]);
}

#[test]
fn a_shard_that_hangs_keeps_no_client_from_the_others() {
    let scene = Scene::silent(&[]);
    scene.shards[0].stop();
    let mut served = 0;
    for number in 0..20 {
        let mut client = scene.proxy.client();
        assert_eq!(say(&mut client, "PING").error(), None);
        client.set_patience(Duration::from_millis(200));
        // Neighbouring numbers would all live on one shard.
        let number = format!("{:x}", (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        served += usize::from(
            client.try_command(&["SET", &number, "v"]).is_ok_and(|reply| reply == Reply::ok()),
        );
    }
    scene.shards[0].cont();
    assert!((5..20).contains(&served), "{served} of 20 were served");
}

#[test]
fn without_any_shard_circlet_answers_what_is_its_own() {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], "");
    drop(shard);
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut client = proxy.client();
    assert_eq!(say(&mut client, "PING"), Reply::Simple("PONG".into()));
    assert!(say(&mut client, "GET k").error().is_some_and(|text| !text.starts_with("NOAUTH")));
    assert!(say(&mut client, "HELLO 3").error().is_none());
    assert_eq!(say(&mut client, "CLIENT SETNAME me"), Reply::ok());
}

#[test]
fn a_password_that_goes_away_lets_strangers_in() {
    let (shards, _single, proxy) = behind_passwords("heartbeat_interval: 50");
    let mut client = proxy.client();
    assert!(say(&mut client, "PING").error().is_some_and(|text| text.starts_with("NOAUTH")));
    for shard in &shards {
        let mut admin = shard.client();
        assert_eq!(say(&mut admin, "AUTH secret"), Reply::ok());
        assert_eq!(admin.command(&["CONFIG", "SET", "requirepass", ""]), Reply::ok());
    }
    eventually("strangers are let in", || say(&mut client, "PING").error().is_none());
    assert_eq!(say(&mut client, "SET k v"), Reply::ok());
}
