//! Commands that circlet's table lacks: a real module's, and what only a fake shard would tell.

mod fakes;

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, eventually, pool_yaml};

/// The module of `module.c`, compiled.
static MODULE: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/learned/module.c");
    let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&built).arg(source);
    let status = compile.status().expect("cc is needed to link Rust");
    assert!(status.success(), "{compile:?}: {status}");
    built
});

/// Three shards that have the module, and circlet over them, which has learned of it.
struct Fleet {
    shards: Vec<Shard>,
    proxy: Proxy,
    client: Client,
}

fn with_module() -> Shard {
    Shard::with(&["--loadmodule", MODULE.to_str().expect("a path in UTF-8")])
}

fn fleet() -> Fleet {
    let shards: Vec<Shard> = (0..3).map(|_| with_module()).collect();
    let proxy = Circlet::with_config(&config(&shards));
    let mut client = proxy.client();
    expect_known(&mut client, "demo.read");
    Fleet { shards, proxy, client }
}

fn config(shards: &[Shard]) -> String {
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    pool_yaml("pool", &servers, "hash_tag: \"{}\"\nheartbeat_interval: 100")
}

#[track_caller]
fn expect_known(client: &mut Client, name: &str) {
    eventually("the module is learned", || is_known(client, name));
}

fn is_known(client: &mut Client, name: &str) -> bool {
    client.command(&["COMMAND", "INFO", name]).elements() != [Reply::Nil]
}

#[track_caller]
fn expect_error(client: &mut Client, command: &[&str], text: &str) {
    let reply = client.command(command);
    assert!(reply.error().is_some_and(|error| error.contains(text)), "{command:?}: {reply}");
}

#[test]
fn a_key_in_the_middle_chooses_the_shard() {
    let Fleet { mut client, shards: _shards, proxy: _proxy } = fleet();
    for number in 0..50 {
        let key = format!("{number}:key");
        assert_eq!(client.command(&["demo.append", "1", &key, "a"]), Reply::Integer(1));
        assert_eq!(client.command(&["DEMO.APPEND", "1", &key, "b"]), Reply::Integer(2));
        assert_eq!(client.command(&["GET", &key]), Reply::bulk("ab"));
        assert_eq!(client.command(&["demo.on", "get", &key]), Reply::bulk("ab"));
        assert_eq!(client.command(&["demo.after", "now", "keys", &key]), Reply::bulk("ab"));
        assert_eq!(client.command(&["demo.count", "1", &key]), Reply::Integer(1));
    }
}

#[test]
fn several_keys_are_split_where_that_is_the_same_and_refused_where_not() {
    let Fleet { mut client, shards: _shards, proxy: _proxy } = fleet();
    let keys: Vec<String> = (0..50).map(|number| format!("{number}:key")).collect();
    for key in &keys {
        client.command(&["SET", key, key]);
    }
    let read: Vec<&str> =
        [&["demo.read"][..], &keys.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let values: Vec<Reply> = keys.iter().map(Reply::bulk).collect();
    assert_eq!(client.command(&read), Reply::Array(values));

    let count = [&["demo.count", "50"], &read[1..]].concat();
    expect_error(&mut client, &count, "CROSSSLOT Keys in request don't hash to the same slot");
    let tagged = ["demo.count", "2", "{key}1", "{key}2"];
    assert_eq!(client.command(&tagged), Reply::Integer(0));
    expect_error(&mut client, &["demo.count", "many", "key"], "ERR value is not an integer");
    expect_error(&mut client, &["demo.count", "3", "key"], "ERR Number of keys can't be greater");
}

#[test]
fn without_keys_the_tips_and_flags_decide() {
    let Fleet { mut client, shards: _shards, proxy: _proxy } = fleet();
    for number in 0..50 {
        client.command(&["SET", &format!("{number}:key"), "x"]);
    }
    assert_eq!(client.command(&["demo.size"]), Reply::Integer(50));
    assert_eq!(client.command(&["demo.hello"]), Reply::bulk("hello"));
    assert_eq!(client.command(&["demo.on", "hello"]), Reply::bulk("hello"));
    for (name, why) in [
        ("demo.write", "ERR DEMO.WRITE is not served: it writes without naming a key"),
        ("demo.admin", "ERR DEMO.ADMIN is not served: it administers one server"),
        ("demo.listen", "ERR DEMO.LISTEN is not served: it publishes or subscribes"),
    ] {
        expect_error(&mut client, &[name], why);
    }
    expect_error(&mut client, &["demo.hidden", "key"], "which of its arguments are keys only its");
    assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
}

#[test]
fn faults_are_told_in_redis_words() {
    let Fleet { mut client, shards, proxy: _proxy } = fleet();
    let mut direct = shards[0].client();
    for command in [
        &["demo.append"][..],
        &["DEMO.append", "1", "key"],
        &["demo.on"],
        &["demo.on", "fire", "x"],
        &["demo.read"],
        &["demo.nosuch", "x"],
    ] {
        let theirs = direct.command(command);
        assert!(theirs.error().is_some(), "{theirs}");
        assert_eq!(client.command(command), theirs, "{command:?}");
    }
}

#[test]
fn command_tells_of_them_as_the_shard_does() {
    let Fleet { mut client, shards, proxy: _proxy } = fleet();
    let mut direct = shards[0].client();
    let number = direct.command(&["COMMAND", "LIST", "FILTERBY", "MODULE", "demo"]);
    assert_eq!(number.elements().len(), 14);
    let mut names = Vec::new();
    for name in number.elements() {
        let name = String::from_utf8(name.bytes().to_vec()).expect("a name");
        let ask = ["COMMAND", "INFO", &name];
        assert_eq!(sorted(client.command(&ask)), sorted(direct.command(&ask)), "{name}");
        names.push(name);
    }
    for command in [
        &["COMMAND", "GETKEYS", "demo.append", "1", "key", "text"][..],
        &["COMMAND", "GETKEYS", "demo.on", "get", "key"],
        &["COMMAND", "GETKEYS", "demo.count", "2", "a", "b"],
        &["COMMAND", "GETKEYS", "demo.after", "x", "KEYS", "a", "b"],
        &["COMMAND", "GETKEYSANDFLAGS", "demo.append", "1", "key", "text"],
        &["COMMAND", "GETKEYS", "demo.hello"],
    ] {
        assert_eq!(client.command(command), direct.command(command), "{command:?}");
    }
    let list = client.command(&["COMMAND", "LIST", "FILTERBY", "PATTERN", "demo*"]);
    let mut ours: Vec<String> = list
        .elements()
        .iter()
        .map(|name| String::from_utf8_lossy(name.bytes()).into_owned())
        .collect();
    ours.sort();
    names.sort();
    assert_eq!(ours, names);
    let Reply::Array(docs) = client.command(&["COMMAND", "DOCS", "demo.hello"]) else { panic!() };
    assert_eq!(
        docs,
        [
            Reply::bulk("demo.hello"),
            Reply::Array(vec!["group", "module"].into_iter().map(Reply::bulk).collect())
        ]
    );
    let count = client.command(&["COMMAND", "COUNT"]).integer() as usize;
    assert_eq!(client.command(&["COMMAND"]).elements().len(), count);
    let plain_shard = Shard::start();
    let plain_proxy = Circlet::over(&[&plain_shard]);
    let mut plain = plain_proxy.client();
    assert_eq!(plain.command(&["COMMAND", "COUNT"]).integer() as usize, count - 12);
}

/// A container's subcommands come in the order of a server's hash table, and each has its own.
fn sorted(info: Reply) -> Reply {
    let Reply::Array(mut commands) = info else { panic!("no list: {info}") };
    if let [Reply::Array(facts)] = &mut commands[..]
        && let Some(Reply::Array(subcommands)) = facts.last_mut()
    {
        subcommands.sort_by_key(|subcommand| format!("{subcommand:?}"));
    }
    Reply::Array(commands)
}

#[test]
fn a_module_loaded_while_circlet_runs_is_learned_and_one_that_is_gone_forgotten() {
    let shard = Shard::with(&["--enable-module-command", "yes"]);
    let proxy = Circlet::with_config(&config(std::slice::from_ref(&shard)));
    let (mut client, mut direct) = (proxy.client(), shard.client());
    expect_error(&mut client, &["demo.hello"], "ERR unknown command 'demo.hello'");
    let path = MODULE.to_str().expect("a path in UTF-8");
    assert_eq!(direct.command(&["MODULE", "LOAD", path]), Reply::ok());
    expect_known(&mut client, "demo.hello");
    assert_eq!(client.command(&["demo.hello"]), Reply::bulk("hello"));
    // The pool has one shard: wherever the keys are, they are there.
    assert_eq!(client.command(&["demo.hidden", "key"]), Reply::Nil);
    assert_eq!(client.command(&["demo.write"]), Reply::bulk("hello"));
    shard.restart();
    eventually("the module is forgotten", || !is_known(&mut client, "demo.hello"));
}

#[test]
fn a_shard_without_the_module_answers_for_itself() {
    let shards = [with_module(), Shard::start(), Shard::start()];
    let proxy = Circlet::with_config(&config(&shards));
    let mut client = proxy.client();
    expect_known(&mut client, "demo.append");
    let replies: Vec<Reply> = (0..50)
        .map(|number| client.command(&["demo.append", "1", &format!("{number}:key"), "x"]))
        .collect();
    let served = replies.iter().filter(|reply| **reply == Reply::Integer(1)).count();
    let unknown = |reply: &&Reply| {
        reply.error().is_some_and(|text| text.starts_with("ERR unknown command 'demo.append'"))
    };
    assert_eq!(served + replies.iter().filter(unknown).count(), 50, "{replies:?}");
    assert_eq!(served as i64, shards[0].client().command(&["DBSIZE"]).integer());
    assert!((1..50).contains(&served), "{served}");
}

#[test]
fn pools_learn_each_for_itself() {
    let (with, without) = (with_module(), Shard::start());
    let [first, second] = [("a", &with), ("b", &without)]
        .map(|(name, shard)| pool_yaml(name, &[shard.server(1, None)], ""));
    let proxy = Circlet::with_arguments(&(first + &second), &["--threads", "2"]);
    for _ in 0..4 {
        expect_known(&mut proxy.client_of("a"), "demo.hello");
        expect_error(&mut proxy.client_of("b"), &["demo.hello"], "ERR unknown command");
    }
}
