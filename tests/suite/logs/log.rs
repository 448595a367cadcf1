//! The log itself: what of it is shown, in which form, and how often.

use std::process::Command;

use serde_json::Value;

use super::circlet;
use crate::harness::{CIRCLET, Reply, Shard, ask, eventually, get};

#[test]
fn levels_of_modules_are_changed_while_circlet_runs() {
    let shard = Shard::start();
    let address = format!("127.0.0.1:{}", crate::harness::free_port());
    let (_, port) = address.split_once(':').expect("a port");
    let port: u16 = port.parse().expect("a number");
    let proxy = circlet(
        &[shard.server(1, None)],
        &["--log-filter", "warn,shard=debug", "--admin-addr", &address],
    );
    let mut client = proxy.client();
    assert_eq!(client.command(&["PROXY", "LOG"]), Reply::bulk("warn,shard=debug"));
    assert!(!proxy.log().contains("INFO circlet:"), "{}", proxy.log());
    assert_eq!(client.command(&["PROXY", "LOG", "info,tls=off"]), Reply::ok());
    proxy.expect_log("what is logged was changed by PROXY LOG filter=\"info,tls=off\"");
    assert_eq!(get(port, "/log").body, "info,tls=off\n");
    let changed = ask(port, "POST", "/log?filter=error%2Cworker=trace", "");
    assert_eq!((changed.status, &changed.body[..]), (200, "error,worker=trace\n"));
    assert_eq!(client.command(&["PROXY", "LOG"]), Reply::bulk("error,worker=trace"));
    let wrong = ask(port, "POST", "/log?filter=shards=debug", "");
    assert!(wrong.status == 400 && wrong.body.contains("no module 'shards'"), "{wrong:?}");
    let refused = client.command(&["PROXY", "LOG", "loud"]);
    assert!(refused.error().is_some_and(|text| text.starts_with("ERR 'loud' is no level")));
    assert_eq!(ask(port, "DELETE", "/log", "").status, 405);
}

#[test]
fn json_lines_have_fields_of_their_own_for_pool_shard_and_cause() {
    let shard = Shard::start();
    let proxy = circlet(&[shard.server(1, Some("one"))], &["--log-format", "json"]);
    proxy.client().command(&["GET", "opens the link"]);
    shard.kill9();
    let find = |message: &str| {
        let log = proxy.log();
        let lines = log.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        lines.into_iter().find(|line: &Value| {
            line["message"].as_str().is_some_and(|text| text.contains(message))
        })
    };
    let message = "of pool alpha down after";
    eventually(message, || find(message).is_some());
    let line = find(message).expect("it is there");
    let fields = (&line["pool"], &line["shard"], &line["level"]);
    assert_eq!(fields, (&"alpha".into(), &"one".into(), &"WARN".into()), "{line}");
    assert!(line["cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{line}");
}

#[test]
fn what_repeats_is_counted() {
    let shard = Shard::start();
    let proxy = circlet(&[shard.server(1, Some("one"))], &[]);
    for _ in 0..200 {
        let mut client = proxy.client();
        client.send(b"*x\r\n");
        client.read_to_close();
    }
    let said = || proxy.log().matches("client disconnected: protocol error").count();
    assert!((50..=100).contains(&said()), "{}", proxy.log());
    eventually("the rest is told of as a number", || {
        proxy.log().contains("lines were left out in the last 10 s: client disconnected: protocol")
    });
    assert!(proxy.log().contains("left_out=1"), "100 to 150: {}", proxy.log());
}

#[test]
fn colours_are_for_terminals_and_for_those_who_do_not_mind() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = folder.path().join("nutcracker.yml");
    // The address of a resolver that does not exist: the process ends at once, with a word.
    std::fs::write(
        &config,
        "alpha:\n  listen: 203.0.113.1:1\n  redis: true\n  servers:\n    - 127.0.0.1:1:1\n",
    )
    .expect("a file in our own directory");
    let log = |no_colour: &str| {
        let line = format!("{CIRCLET} -c {} -s {}", config.display(), crate::harness::free_port());
        let output = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("NO_COLOR", no_colour)
            .output()
            .expect("script is part of util-linux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let coloured = log("");
    assert!(coloured.contains("\x1b[31mERROR\x1b[0m circlet"), "{coloured}");
    let plain = log("1");
    assert!(plain.contains("ERROR circlet") && !plain.contains('\x1b'), "{plain}");
}
