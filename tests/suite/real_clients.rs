//! Client programs and libraries that people use, with their defaults.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use redis::{Commands, Connection, ErrorKind, RedisResult, Value};

use crate::harness::{Address, Circlet, Proxy, Shard};

fn pool() -> (Vec<Shard>, Proxy) {
    let shards = Shard::several(3);
    let proxy = Circlet::over(&shards.iter().collect::<Vec<_>>());
    (shards, proxy)
}

fn port(proxy: &Proxy) -> String {
    match proxy.address() {
        Address::Tcp(port) => port.to_string(),
        Address::Unix(path) => panic!("{} is no port", path.display()),
    }
}

/// What the program prints to stdout; it succeeds and prints nothing to stderr.
#[track_caller]
fn output(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("the program reads its input");
    drop(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it was started");
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success() && stderr.is_empty(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn redis_cli() {
    let (_shards, proxy) = pool();
    let port = port(&proxy);
    let cli = |arguments: &[&str], input: &str| {
        output(Command::new("redis-cli").args(["-p", &port]).args(arguments), input)
    };
    assert_eq!(cli(&["set", "1k", "one"], ""), "OK\n");
    assert_eq!(cli(&["mget", "1k", "2k"], ""), "one\n\n");
    assert_eq!(cli(&["-3", "hset", "hash", "field", "value"], ""), "1\n");
    let shown = cli(&["-3", "--no-raw", "hgetall", "hash"], "");
    assert_eq!(shown, "1# \"field\" => \"value\"\n");
    assert_eq!(cli(&["-n", "4", "get", "1k"], ""), "\n");
    let session = "mset 1k a 2k b 3k c\nmget 3k 2k 1k\nselect 2\ndbsize\nselect 0\ndbsize\nquit\n";
    assert_eq!(cli(&[], session), "OK\nc\nb\na\nOK\n0\nOK\n4\n");
    let inserts: String = (0..1000).map(|n| format!("SET {n}:piped {n}\r\n")).collect();
    let piped = cli(&["--pipe"], &inserts);
    assert!(piped.contains("errors: 0, replies: 1000"), "{piped}");
    assert_eq!(cli(&["dbsize"], ""), "1004\n");
}

#[test]
fn redis_benchmark() {
    let (_shards, proxy) = pool();
    for pipeline in ["1", "16"] {
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &port(&proxy), "-t", "set,get,incr,lpush,mset,sadd,hset,zadd,ping"]);
        command.args(["-n", "1000", "-r", "1000", "-c", "20", "-q", "-P", pipeline]);
        let shown = output(&mut command, "");
        let shown = shown.replace('\r', "\n");
        let told = shown.lines().filter(|line| line.contains(" requests per second")).count();
        assert_eq!(told, 10, "{shown}");
        assert!(!shown.to_lowercase().contains("err"), "{shown}");
    }
    let keys = proxy.client().command(&["DBSIZE"]).integer();
    assert!(keys > 500, "the benchmark left only {keys} keys");
}

fn rust_client(proxy: &Proxy, settings: &str) -> Connection {
    let url = format!("redis://127.0.0.1:{}/{settings}", port(proxy));
    redis::Client::open(url).and_then(|client| client.get_connection()).expect("connects")
}

#[test]
fn the_redis_crate() {
    let (_shards, proxy) = pool();
    for settings in ["", "3", "?protocol=resp3"] {
        let mut client = rust_client(&proxy, settings);
        let binary: Vec<u8> = (0..=255).collect();
        let _: () = client.set("binary", &binary).expect("SET");
        assert_eq!(client.get::<_, Vec<u8>>("binary").expect("GET"), binary);
        let pairs: Vec<(String, usize)> = (0..1000).map(|n| (format!("{n}k"), n)).collect();
        let _: () = client.mset(&pairs).expect("MSET");
        let keys: Vec<&String> = pairs.iter().map(|(key, _)| key).collect();
        let values: Vec<usize> = client.mget(&keys).expect("MGET");
        assert_eq!(values, (0..1000).collect::<Vec<_>>());
        let missing: Vec<Option<String>> = client.mget(&["nosuch", "7k"]).expect("MGET");
        assert_eq!(missing, [None, Some("7".to_owned())]);
        let mut pipe = redis::pipe();
        for number in 0..500 {
            pipe.cmd("INCRBY").arg(format!("{number}k")).arg(1);
        }
        let sums: Vec<usize> = pipe.query(&mut client).expect("a pipeline");
        assert_eq!(sums, (1..=500).collect::<Vec<_>>());
        let refused: RedisResult<Value> = redis::cmd("INCR").arg("binary").query(&mut client);
        let refused = refused.expect_err("INCR of a binary string");
        assert!(refused.to_string().contains("not an integer"), "{refused}");
        assert_ne!(refused.kind(), ErrorKind::Io, "the connection lives on");
        assert_eq!(client.del::<_, usize>(&keys).expect("DEL"), 1000);
    }
}

#[test]
fn redis_py() {
    let (_shards, proxy) = pool();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    // Where `make test` puts redis-py.
    command.env("PYTHONPATH", root.join("target/python"));
    command.arg(root.join("tests/suite/real_clients.py")).arg(port(&proxy));
    assert_eq!(output(&mut command, ""), "all is well\n", "run `make test` once for redis-py");
}
