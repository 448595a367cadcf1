//! Shards that go and clients that go: all of a transaction is applied, or nothing, and the client
//! is told what is known.

use std::time::Duration;

use super::{clients_of, key_on_each, over, words};
use crate::harness::{Client, Proxy, Reply, Shard, encode, eventually, within};

fn say_all(client: &mut Client, lines: &[&str]) -> Vec<Reply> {
    lines.iter().map(|line| client.command(&words(line))).collect()
}

/// The session works again, as soon as the shard is known to.
fn recovers(client: &mut Client) {
    eventually("transactions work again", || {
        say_all(client, &["WATCH {t}k", "MULTI", "SET {t}k again", "EXEC"])[3]
            == Reply::Array(vec![Reply::ok()])
    });
}

#[track_caller]
fn expect_nothing_applied(reply: &Reply) {
    let text = reply.error().unwrap_or_else(|| panic!("no error: {reply}"));
    assert!(text.starts_with("EXECABORT Transaction discarded, nothing of it was applied: "));
    assert!(text.contains("shard 'a' of pool 'pool'"), "{text}");
}

fn lose_the_shard(proxy: &Proxy, shard: &Shard) {
    shard.kill9();
    eventually("all links to it are over", || {
        proxy.shard_stat("pool", "a", "server_connections") == 0
    });
}

#[test]
fn a_shard_killed_between_multi_and_exec() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    say_all(&mut client, &["MULTI", "SET {t}k v"]);
    lose_the_shard(&proxy, &shards[0]);
    let replies = say_all(&mut client, &["SET {t}l v", "EXEC"]);
    assert!(replies[0].error().is_some());
    expect_nothing_applied(&replies[1]);
    shards[0].restart();
    recovers(&mut client);
    assert_eq!(client.command(&["EXISTS", "{t}l"]).integer(), 0);
}

#[test]
fn a_shard_that_restarts_between_watch_and_exec() {
    let shards = [Shard::start()];
    for before in [&["WATCH {t}k"][..], &["WATCH {t}k", "MULTI"], &["MULTI", "GET {t}k"]] {
        let proxy = over(&shards, "");
        let mut client = proxy.client();
        assert_eq!(client.command(&words("SET {t}k 1")), Reply::ok());
        say_all(&mut client, before);
        lose_the_shard(&proxy, &shards[0]);
        shards[0].restart();
        let mut other = proxy.client();
        eventually("the shard is used again", || {
            other.command(&words("SET {t}k other")) == Reply::ok()
        });
        if !before.contains(&"MULTI") {
            assert_eq!(client.command(&["MULTI"]), Reply::ok());
        }
        expect_nothing_applied(&say_all(&mut client, &["SET {t}k mine", "EXEC"])[1]);
        assert_eq!(other.command(&["GET", "{t}k"]), Reply::bulk("other"));
        recovers(&mut client);
    }
}

#[test]
fn a_watch_that_is_lost_is_not_forgotten_by_the_next_one() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    say_all(&mut client, &["WATCH {t}k"]);
    lose_the_shard(&proxy, &shards[0]);
    shards[0].restart();
    let replies = say_all(&mut client, &["WATCH {t}l", "MULTI", "SET {t}k mine", "EXEC"]);
    assert_eq!(replies[..2], [Reply::ok(), Reply::ok()]);
    expect_nothing_applied(&replies[3]);
    say_all(&mut client, &["WATCH {t}k", "UNWATCH"]);
    recovers(&mut client);
}

#[test]
fn an_exec_on_its_way_when_the_shard_dies() {
    for lines in [&["MULTI", "SET {t}k v"][..], &[]] {
        let shards = [Shard::start()];
        let proxy = over(&shards, "");
        let mut client = proxy.client();
        say_all(&mut client, &["GET {t}k"]);
        say_all(&mut client, lines);
        shards[0].stop();
        if lines.is_empty() {
            client.send(b"MULTI\r\nSET {t}k v\r\n");
        }
        client.send(b"EXEC\r\nGET {t}k\r\n");
        client.expect_silence(Duration::from_millis(100));
        shards[0].kill9();
        let replies: Vec<Reply> = (lines.len()..4).map(|_| client.read_reply()).collect();
        let [.., exec, _] = &replies[..] else { panic!("a reply each") };
        let text = exec.error().expect("an error");
        assert!(text.contains("unknown"), "{text}");
        shards[0].restart();
        recovers(&mut client);
    }
}

#[test]
fn a_shard_that_is_down_fails_them_at_once() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    client.command(&["GET", "{t}k"]);
    lose_the_shard(&proxy, &shards[0]);
    eventually("the shard is known to be down", || {
        let reply = client.command(&["GET", "{t}k"]);
        reply.error().is_some_and(|text| text.contains("down for"))
    });
    let lines = ["MULTI", "SET {t}k v", "CLIENT SETNAME me", "EXEC"];
    for replies in [client.pipeline(&lines.map(words)), say_all(&mut client, &lines)] {
        assert_eq!(replies[0], Reply::ok());
        assert!(replies[1].error().expect("an error").contains("down for"), "{}", replies[1]);
        expect_nothing_applied(&replies[3]);
    }
    let refusal = client.command(&["WATCH", "{t}k"]);
    assert!(refusal.error().expect("an error").contains("down for"), "{refusal}");
    assert_eq!(client.command(&["CLIENT", "GETNAME"]), Reply::Nil);
    shards[0].restart();
    recovers(&mut client);
}

#[test]
fn keys_that_moved_meanwhile_are_not_written_where_they_were() {
    let shards = Shard::several(3);
    let proxy = over(
        &shards,
        "auto_eject_hosts: true\nserver_failure_limit: 1\nserver_retry_timeout: 200\n\
         heartbeat_interval: 100",
    );
    let mut client = proxy.client();
    let keys = key_on_each(&mut client, &shards);
    shards[0].kill9();
    eventually("the shard is ejected", || {
        client.command(&["SET", &keys[0], "moved"]) == Reply::ok()
    });
    let (mut watching, mut queued) = (proxy.client(), proxy.client());
    let (mut again, mut more) = (proxy.client(), proxy.client());
    assert_eq!(again.command(&["WATCH", &keys[0]]), Reply::ok());
    for line in [&["MULTI"][..], &["SET", &keys[0], "stray"]] {
        more.command(line);
    }
    assert_eq!(watching.command(&["WATCH", &keys[0]]), Reply::ok());
    assert_eq!(queued.command(&["MULTI"]), Reply::ok());
    assert_eq!(queued.command(&["SET", &keys[0], "stray"]), Reply::Simple("QUEUED".into()));
    shards[0].restart();
    eventually("the shard is back", || client.command(&["GET", &keys[0]]) == Reply::Nil);
    for line in ["MULTI", "PING"] {
        watching.command(&[line]);
    }
    for mut client in [watching, queued] {
        let reply = client.command(&["EXEC"]);
        let text = reply.error().expect("aborted");
        assert!(text.starts_with("EXECABORT") && text.contains("may have moved"), "{text}");
    }
    // The same key is on another shard now, which is not the client's fault.
    let refusals =
        [again.command(&["WATCH", &keys[0]]), more.command(&["APPEND", &keys[0], "stray"])];
    for refusal in refusals {
        assert!(refusal.error().expect("refused").starts_with("TRYAGAIN"), "{refusal}");
    }
    assert!(more.command(&["EXEC"]).error().expect("aborted").starts_with("EXECABORT"));
    for shard in &shards {
        let value = shard.client().command(&["GET", &keys[0]]);
        assert_ne!(value, Reply::bulk("stray"));
    }
}

#[test]
fn a_client_that_goes_leaves_nothing_behind() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    proxy.client().command(&["GET", "{t}k"]);
    let before = clients_of(&shards[0]);
    for lines in [&["MULTI", "SET {t}k v"][..], &["WATCH {t}k", "MULTI", "SET {t}k v"]] {
        for reset in [true, false] {
            let mut client = proxy.client();
            say_all(&mut client, lines);
            assert_eq!(clients_of(&shards[0]), before + 1);
            match reset {
                true => client.reset(),
                false => drop(client),
            }
            eventually("its link is closed", || clients_of(&shards[0]) == before);
        }
    }
    let mut client = proxy.client();
    client.send(&[encode(&["MULTI"]), encode(&["SET", "{t}k", "v"])].concat());
    client.close_writing();
    client.expect("+OK\r\n+QUEUED\r\n");
    client.expect_closed();
    assert_eq!(proxy.client().command(&["EXISTS", "{t}k"]).integer(), 0);
    assert!(within(Duration::from_secs(5), || clients_of(&shards[0]) == before));
}
