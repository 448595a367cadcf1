//! The access log: a line for each sampled or slow request, written by nobody who serves.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use super::{busy, circlet};
use crate::harness::{Proxy, Shard, eventually};

/// A busy machine may make anything slow, but not so slow.
const NEVER: &str = "60000000";

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("whole lines of JSON")).collect()
}

fn with_access_log(servers: &[String], sample: &str, slow: &str) -> (Proxy, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("access.log");
    let path = path.to_str().expect("our own name");
    let arguments = ["--access-log", path, "--access-log-sample", sample, "--slow-threshold", slow];
    (circlet(servers, &arguments), folder)
}

#[test]
fn every_request_is_a_line_where_every_one_is_sampled() {
    let shards = Shard::several(3);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let (proxy, folder) = with_access_log(&servers, "1", NEVER);
    let path = folder.path().join("access.log");
    let mut client = proxy.client();
    let keys: Vec<String> = (0..50).map(|key| format!("{key}: a key of its own")).collect();
    let mget: Vec<&str> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    client.pipeline(&[
        vec!["SET", "key1", "12345"],
        vec!["GET", "key1"],
        vec!["LPUSH", "key1", "x"],
        vec!["PING"],
        mget,
    ]);
    client.command(&busy("tag", 80));
    eventually("all are written", || lines(&path).len() == 6);
    let written = lines(&path);
    let of = |command: &str| {
        let found = written.iter().find(|line| line["command"] == command);
        found.unwrap_or_else(|| panic!("no {command} in {written:?}"))
    };
    let get = of("get");
    assert_eq!((&get["why"], &get["key"]), (&"sampled".into(), &"key1".into()));
    assert_eq!((&get["pool"], &get["user"]), (&"alpha".into(), &"default".into()));
    assert_eq!(get["address"], client.local_address().to_string());
    let (request, reply) = (&b"*2\r\n$3\r\nGET\r\n$4\r\nkey1\r\n"[..], &b"$5\r\n12345\r\n"[..]);
    assert_eq!(
        (&get["request_bytes"], &get["reply_bytes"]),
        (&request.len().into(), &reply.len().into())
    );
    let micros = |line: &Value, name: &str| line[name].as_u64().expect("a number");
    assert!(micros(get, "queued_us") + micros(get, "shard_us") <= micros(get, "total_us"), "{get}");
    let shard_names: Vec<String> = shards.iter().map(|shard| shard.address().to_string()).collect();
    assert!(shard_names.iter().any(|name| get["shard"] == *name), "{get} {shard_names:?}");
    assert_eq!(of("lpush")["error"], "WRONGTYPE");
    assert_eq!((&of("ping")["parts"], of("ping").get("shard")), (&0.into(), None));
    assert_eq!(of("mget")["parts"], 3);
    let slow = of("eval");
    assert!(slow["why"] == "sampled" && micros(slow, "shard_us") >= 80_000, "{slow}");
    assert!(get["time"].as_str().is_some_and(|time| time.len() == 27 && time.ends_with('Z')));
}

#[test]
fn one_in_so_many_is_sampled_whatever_the_rhythm() {
    let shard = Shard::start();
    let (proxy, folder) = with_access_log(&[shard.server(1, None)], "50", NEVER);
    let path = folder.path().join("access.log");
    let mut client = proxy.client();
    // As long as the mean gap: were gaps equal, one command alone would be sampled.
    let pipeline: Vec<Vec<String>> =
        (0..50).map(|place| vec!["GET".into(), format!("place{place}")]).collect();
    for _ in 0..400 {
        client.pipeline(&pipeline);
    }
    // 20,000 commands: 400 lines, give or take five deviations of 12.
    eventually("samples are written", || lines(&path).len() >= 340);
    std::thread::sleep(std::time::Duration::from_millis(150));
    let written = lines(&path);
    assert!((340..=460).contains(&written.len()), "{}", written.len());
    let mut keys: Vec<&str> = written.iter().filter_map(|line| line["key"].as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() > 40, "all places of the pipeline have their turn: {keys:?}");
}

#[test]
fn slow_requests_are_lines_without_sampling_and_hup_opens_the_file_anew() {
    let shard = Shard::start();
    let (proxy, folder) = with_access_log(&[shard.server(1, None)], "0", "1000000");
    let (path, old) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let mut client = proxy.client();
    client.command(&["GET", "quick"]);
    client.command(&busy("tag", 1_050));
    eventually("it is written", || !lines(&path).is_empty());
    fs::rename(&path, &old).expect("a file in our own directory");
    proxy.signal(Signal::HUP);
    eventually("the file is there again", || path.exists());
    client.command(&busy("tag", 1_050));
    eventually("the next is in the new file", || !lines(&path).is_empty());
    let first = &lines(&old)[0];
    assert_eq!(
        (&first["why"], &first["command"], &first["key"]),
        (&"slow".into(), &"eval".into(), &"tag".into())
    );
    assert!(first["request_bytes"].as_u64().is_some_and(|bytes| bytes > 100), "{first}");
}

#[test]
fn sampled_requests_that_fail_are_lines_too() {
    let shard = Shard::start();
    let (proxy, folder) = with_access_log(&[shard.server(1, None)], "1", NEVER);
    let path = folder.path().join("access.log");
    let mut client = proxy.client();
    client.command(&["GET", "k"]);
    shard.stop();
    client.send(b"GET a\r\nGET b\r\n");
    // It leaves while its requests are in flight.
    drop(client);
    shard.kill9();
    eventually("its requests are told of", || lines(&path).len() == 3);
    assert!(lines(&path)[1..].iter().all(|line| line["error"] == "ERR"), "{:?}", lines(&path));
    assert!(proxy.client().command(&["GET", "k"]).error().is_some());
}
