//! PROXY ERRORS: the last errors that clients were given, counted, with their causes.

use std::time::Duration;

use super::{circlet, field, texts};
use crate::harness::{Client, Reply, Shard, eventually, get};

/// The entries, newest first, each as its command, error and count.
fn told(client: &mut Client) -> Vec<(String, String, i64)> {
    let entries = client.command(&["PROXY", "ERRORS", "-1"]);
    let text =
        |entry: &Reply, name| String::from_utf8_lossy(field(entry, name).bytes()).into_owned();
    let told = |entry: &Reply| {
        (text(entry, "command"), text(entry, "error"), field(entry, "count").integer())
    };
    entries.elements().iter().map(told).collect()
}

#[test]
fn errors_are_counted_by_kind_shard_and_command() {
    let shard = Shard::start();
    let proxy = circlet(&[shard.server(1, Some("one"))], &[]);
    let mut client = proxy.client();
    client.command(&["SET", "text", "1"]);
    let wrong: Vec<Vec<&str>> = (0..40).map(|_| vec!["LPUSH", "text", "1"]).collect();
    client.pipeline(&wrong);
    // Said in one pipeline, so that the session's last command is another one.
    client.pipeline(&[vec!["HGET", "text", "f"], vec!["GET", "text"], vec!["NOSUCH", "secret"]]);
    let entries = told(&mut client);
    assert_eq!(entries.len(), 3, "{entries:?}");
    let wrongtype = "WRONGTYPE Operation against a key holding the wrong kind of value";
    assert!(entries.contains(&("lpush".into(), wrongtype.into(), 40)), "{entries:?}");
    assert!(entries.contains(&("hget".into(), wrongtype.into(), 1)), "{entries:?}");
    let unknown = "ERR unknown command 'NOSUCH'";
    assert!(entries.iter().any(|(_, error, _)| error == unknown), "{entries:?}");
    let all = client.command(&["PROXY", "ERRORS"]);
    let entry = all.elements().iter().find(|entry| field(entry, "count").integer() == 40);
    let entry = entry.expect("it was there");
    assert_eq!(texts(&Reply::Array(vec![field(entry, "shard").clone()])), ["one"]);
    assert_eq!(field(entry, "addr"), &Reply::bulk(client.local_address().to_string()));
    assert_eq!(field(entry, "why"), &Reply::bulk("the shard's own reply"));
    assert_eq!(client.command(&["PROXY", "ERRORS", "RESET"]), Reply::ok());
    assert_eq!(told(&mut client), []);
    assert_eq!(
        client.command(&["PROXY", "ERRORS", "x"]).error(),
        Some("ERR value is not an integer or out of range")
    );
}

#[test]
fn a_storm_is_one_entry_that_tells_the_cause() {
    let shard = Shard::start();
    let proxy = circlet(&[shard.server(1, Some("one"))], &[]);
    let mut client = proxy.client();
    client.command(&["GET", "opens the link"]);
    shard.kill9();
    let down = || client.command(&["GET", "k"]).error().is_some_and(|text| text.contains("down"));
    eventually("the shard is known to be down", down);
    client.command(&["PROXY", "ERRORS", "RESET"]);
    let gets: Vec<Vec<&str>> = (0..1_000).map(|_| vec!["GET", "k"]).collect();
    for _ in 0..5 {
        assert!(client.pipeline(&gets).iter().all(|reply| reply.error().is_some()));
    }
    let entries = client.command(&["PROXY", "ERRORS"]);
    let [entry] = entries.elements() else { panic!("one kind of error: {entries}") };
    assert_eq!(field(entry, "count"), &Reply::Integer(5_000));
    assert_eq!(field(entry, "why"), &Reply::bulk("the shard is known to be out"));
    let cause = String::from_utf8_lossy(field(entry, "cause").bytes()).into_owned();
    assert!(cause.starts_with("out for ") && cause.contains("refused"), "{cause}");
    let error = String::from_utf8_lossy(field(entry, "error").bytes()).into_owned();
    assert!(error.starts_with("ERR Connection refused (shard 'one' of pool 'alpha'"), "{error}");
}

#[test]
fn requests_in_flight_on_a_link_that_fails_are_told_with_their_commands() {
    let shard = Shard::start();
    let proxy = circlet(&[shard.server(1, Some("one"))], &[]);
    let mut client = proxy.client();
    client.command(&["GET", "opens the link"]);
    shard.stop();
    client.send(b"GET a\r\nSET b 1\r\nGET c\r\n");
    std::thread::sleep(Duration::from_millis(50));
    shard.kill9();
    for _ in 0..3 {
        assert!(client.read_reply().error().is_some());
    }
    let entries = told(&mut client);
    let count = |command| entries.iter().find(|entry| entry.0 == command).map(|entry| entry.2);
    assert_eq!((count("get"), count("set")), (Some(2), Some(1)), "{entries:?}");
}

#[test]
fn the_admin_address_has_those_of_all_pools() {
    let shard = Shard::start();
    let (proxy, port) = super::super::admin::with_admin(&[&shard], "");
    proxy.client().command(&["INCRBY", "k", "x"]);
    let page = get(port, "/errors");
    let told: serde_json::Value = serde_json::from_str(&page.body).expect("JSON");
    let entry = &told[0];
    assert_eq!(entry["error"], "ERR value is not an integer or out of range", "{told}");
    assert_eq!((&entry["command"], &entry["count"]), (&"incrby".into(), &1.into()), "{told}");
}
