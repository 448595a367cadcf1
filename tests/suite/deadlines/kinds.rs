//! Every kind of command ends properly when its time is over, and its session goes on.

use std::time::Instant;

use super::{PATIENT, SLACK, TIMEOUT, one_worker};
use crate::harness::{Client, Proxy, Reply, Shard, encode, eventually};

/// Two shards of which the first hangs, and a client of theirs.
struct Scene {
    shards: Vec<Shard>,
    proxy: Proxy,
    /// Keys by shard.
    keys: [String; 2],
}

impl Scene {
    fn new(settings: &str) -> Scene {
        let shards = Shard::several(2);
        let settings = format!("hash: md5\nhash_tag: \"{{}}\"\n{PATIENT}\n{settings}");
        let proxy = one_worker(&shards, &settings);
        let mut client = proxy.client();
        let mut key_on = |shard: &Shard| {
            let mut names = (0..100).map(|number| format!("{number}"));
            let is_there = |key: &String| {
                client.command(&["SET", key, key]);
                shard.client().command(&["EXISTS", key]).integer() == 1
            };
            names.find(is_there).expect("one of so many")
        };
        let keys = [key_on(&shards[0]), key_on(&shards[1])];
        shards.iter().for_each(|shard| drop(shard.client().command(&["FLUSHALL"])));
        for key in &keys {
            client.command(&["SET", key, key]);
        }
        Scene { shards, proxy, keys }
    }

    /// These commands, sent together while the first shard hangs: all are answered in time, with
    /// an error that says so where `fails`; then the session goes on.
    #[track_caller]
    fn expect(&self, client: &mut Client, commands: &[Vec<&str>], fails: &[bool]) -> Vec<Reply> {
        self.shards[0].stop();
        let sent = Instant::now();
        let replies = client.pipeline(commands);
        let waited = sent.elapsed();
        self.shards[0].cont();
        assert!(waited < TIMEOUT + SLACK, "{commands:?}: {waited:?}");
        for ((reply, &fails), command) in replies.iter().zip(fails).zip(commands) {
            let text = reply.error().unwrap_or("");
            assert_eq!(text.contains("timed out"), fails, "{command:?}: {reply}");
        }
        self.goes_on(client);
        replies
    }

    #[track_caller]
    fn goes_on(&self, client: &mut Client) {
        let [slow, well] = &self.keys;
        eventually("it is served", || client.command(&["GET", slow]) == Reply::bulk(slow));
        for _ in 0..20 {
            assert_eq!(client.command(&["GET", slow]), Reply::bulk(slow));
            assert_eq!(client.command(&["GET", well]), Reply::bulk(well));
        }
    }
}

#[test]
fn merges_fail_as_a_whole_and_others_in_the_pipeline_are_served() {
    let scene = Scene::new("");
    let [slow, well] = &scene.keys;
    let mut client = scene.proxy.client();
    let commands = [
        vec!["MGET", slow, well],
        vec!["GET", well],
        vec!["MSET", well, well, slow, slow],
        vec!["DBSIZE"],
        vec!["KEYS", "*"],
        vec!["ECHO", "between"],
        vec!["EXISTS", well, slow],
    ];
    let fails = [true, false, true, true, true, false, true];
    let replies = scene.expect(&mut client, &commands, &fails);
    assert_eq!(replies[1], Reply::bulk(well));
    assert_eq!(replies[5], Reply::bulk("between"));
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(2));
}

#[test]
fn procedures_end() {
    let scene = Scene::new("cross_shard: allow");
    let [slow, well] = &scene.keys;
    let mut client = scene.proxy.client();
    let commands = [vec!["SCAN", "0"], vec!["GET", well]];
    // What was said behind a procedure has waited as long.
    scene.expect(&mut client, &commands, &[true, true]);
    scene.expect(&mut client, &[vec!["RANDOMKEY"], vec!["GET", well]], &[true, true]);
    scene.expect(&mut client, &[vec!["SUNION", slow, well], vec!["GET", well]], &[true, true]);
    scene.expect(&mut client, &[vec!["SCRIPT", "EXISTS", "x"]], &[true]);
}

#[test]
fn scripts_and_publishing() {
    let scene = Scene::new("");
    let [slow, well] = &scene.keys;
    let mut client = scene.proxy.client();
    let sha = client.command(&["SCRIPT", "LOAD", "return KEYS[1]"]);
    let sha = String::from_utf8_lossy(sha.bytes()).into_owned();
    let mut listener = scene.proxy.client();
    // The channel lives where the key of this name does.
    listener.command(&["SUBSCRIBE", slow]);
    let commands = [
        vec!["EVALSHA", &sha, "1", slow],
        vec!["EVAL", "return KEYS[1]", "1", slow],
        vec!["EVALSHA", &sha, "1", well],
        vec!["PUBLISH", slow, "message"],
    ];
    scene.expect(&mut client, &commands, &[true, true, false, true]);
    assert_eq!(client.command(&["EVALSHA", &sha, "1", slow]), Reply::bulk(slow));
    eventually("its count is right", || client.command(&["PUBLISH", slow, "x"]).integer() == 1);
}

#[test]
fn a_transaction_in_one_piece_fails_as_a_whole() {
    let scene = Scene::new("");
    let [slow, well] = &scene.keys;
    let mut client = scene.proxy.client();
    let commands = [vec!["MULTI"], vec!["SET", slow, slow], vec!["EXEC"], vec!["GET", well]];
    scene.expect(&mut client, &commands, &[true, true, true, false]);
    // SELECT concerns the session: what follows waits for the conclusion.
    let commands =
        [vec!["MULTI"], vec!["GET", slow], vec!["SELECT", "0"], vec!["EXEC"], vec!["GET", well]];
    scene.expect(&mut client, &commands, &[true, true, true, true, true]);
}

#[test]
fn select_of_an_unknown_database_ends_its_pause() {
    let scene = Scene::new("");
    let [_, well] = &scene.keys;
    let mut client = scene.proxy.client();
    // Any shard is asked, which is the first.
    scene.expect(&mut client, &[vec!["SELECT", "5"], vec!["GET", well]], &[true, true]);
    assert_eq!(client.command(&["SELECT", "5"]), Reply::ok());
    assert_eq!(client.command(&["GET", well]), Reply::Nil);
}

/// What a session has to itself is closed: what it left there (WATCH) cannot be trusted.
#[test]
fn a_private_link_is_closed_and_exec_says_so() {
    let scene = Scene::new("");
    let [slow, well] = &scene.keys;
    let mut client = scene.proxy.client();
    let mut neighbour = scene.proxy.client();
    assert_eq!(client.command(&["WATCH", slow]), Reply::ok());
    client.send(&encode(&["MULTI"]));
    assert_eq!(client.read_reply(), Reply::ok());
    scene.shards[0].stop();
    let reply = client.command(&["SET", slow, "changed"]);
    assert!(reply.error().is_some_and(|text| text.contains("timed out")), "{reply}");
    let reply = client.command(&["EXEC"]);
    assert!(reply.error().is_some_and(|text| text.starts_with("EXECABORT")), "{reply}");
    assert_eq!(neighbour.command(&["GET", well]), Reply::bulk(well));
    scene.shards[0].cont();
    scene.goes_on(&mut client);
    scene.goes_on(&mut neighbour);
}

/// BLPOP may wait longer than `timeout`; its shard's hanging is for health to find out.
#[test]
fn a_blocking_command_waits_as_long_as_it_says() {
    let scene = Scene::new("");
    let mut client = scene.proxy.client();
    let asked = Instant::now();
    assert_eq!(client.command(&["BLPOP", "none", "1"]), Reply::Nil);
    assert!(asked.elapsed() > TIMEOUT * 2);
    scene.goes_on(&mut client);
}
