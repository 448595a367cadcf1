//! The same files before circlet and the real nutcracker: both take them, or both refuse them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

use circlet::config;

/// What circlet is to make of a file.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// As nutcracker does.
    Same,
    /// Taken, although nutcracker refuses it, because …
    MoreBecause(&'static str),
    /// Refused, although nutcracker takes it, because …
    LessBecause(&'static str),
}
use Expect::{LessBecause, MoreBecause, Same};

const MEMCACHED: Expect = LessBecause("circlet does not speak memcached's protocol");
const WRAPS: Expect = LessBecause("nutcracker lets the number overflow");
const YAML: Expect = MoreBecause("nutcracker knows a small part of YAML only");

/// A pool with one more line.
fn line(line: &str) -> String {
    pool("alpha", "127.0.0.1:22121", &format!("redis: true\n  {line}"), &["a:1:1"])
}

fn servers(servers: &[&str]) -> String {
    pool("alpha", "127.0.0.1:22121", "redis: true", servers)
}

fn listen(listen: &str) -> String {
    pool("alpha", listen, "redis: true", &["a:1:1"])
}

fn pool(name: &str, listen: &str, lines: &str, servers: &[&str]) -> String {
    let servers: String = servers.iter().map(|server| format!("   - {server}\n")).collect();
    format!("{name}:\n  listen: {listen}\n  {lines}\n  servers:\n{servers}")
}

fn keys() -> Vec<(String, Expect)> {
    #[rustfmt::skip]
    let same = [
        "timeout: 400", "timeout: \"400\"", "timeout: 0", "timeout: 0100", "timeout: -1",
        "timeout: +1", "timeout: 1.5", "timeout: 0x10", "timeout:", "timeout: null",
        "timeout: 1_000", "timeout: \" 4\"", "backlog: 0", "server_connections: 0",
        "server_connections: 2", "server_failure_limit: 0", "server_retry_timeout: 0",
        "preconnect: true", "preconnect: yes", "preconnect: True", "preconnect: \"false\"",
        "tcpkeepalive: true", "auto_eject_hosts: true", "client_connections: 5", "hash: murmur",
        "hash: MD5", "hash: foo", "distribution: modula", "distribution: Ketama",
        "hash_tag: \"{\"", "hash_tag: \"{}\"", "hash_tag: \"{}}\"", "hash_tag: \"\"",
        "hash_tag: $$", "hash_tag: \"é\"", "foo: bar", "Timeout: 4", "redis: true",
        "redis_auth: 0123", "redis_auth: ~", "redis_auth: \"\"", "redis_db: 3", "redis_db: x",
        "redis_auth: \"a\\0b\"", "timeout: 1\n  timeout: 2", "timeout:\n    x: 1",
        "preconnect:\ttrue", "hash: md5\t# a comment", "hash:\n    md5", "hash: >-\n    md5",
        "hash: |\n    md5",
    ];
    let mut cases: Vec<_> = same.map(|text| (line(text), Same)).into();
    cases.push((line(&format!("redis_auth: {}", "x".repeat(300))), Same));
    cases.push((line("timeout: 99999999999"), WRAPS));
    cases.push((line("reuseport: true"), MoreBecause("Debian's 0.5.0 does not know it yet")));
    cases.push((line("distribution: rendezvous"), MoreBecause("it is new")));
    cases.push((line("heartbeat_interval: 500"), MoreBecause("it is new")));
    cases
}

fn addresses() -> Vec<(String, Expect)> {
    #[rustfmt::skip]
    let same_servers: [&[&str]; 21] = [
        &["a:1:1", "b:1:1"], &["a:1:1", "a:1:1"], &["a:1:1 x", "b:1:1 x"], &["a:1:0"],
        &["a:1:-1"], &["a:1:x"], &["a:1"], &["a:0:1"], &["a:70000:1"], &["a:1:1  x"],
        &["a:1:1 x y"], &["\" a:1:1\""], &["a:1:1 x:1"], &["/tmp/x.sock:1"],
        &["/tmp/x.sock:1 n"], &["/tmp/x:y.sock:1"], &["/tmp/x y.sock:1"],
        &["/tmp/x y.sock:1 n"], &["/tmp/x.sock"], &["./x.sock:1"], &["a:1:1", "\"\""],
    ];
    let mut cases: Vec<_> = same_servers.map(|list| (servers(list), Same)).into();
    cases.extend(
        [
            &["::1:6379:1"],
            &["'[::1]:6379:1'"],
            &["a:011211:01"],
            &["a:1:2147483647"],
            &["a:1:3000000000"],
        ]
        .map(|list: &[&str; 1]| (servers(list), Same)),
    );
    cases.push((servers(&["a:1:99999999999"]), WRAPS));
    cases.push((servers(&["':1:1'"]), LessBecause("an empty host can never be connected to")));
    cases.push((servers(&["'a:1:1 '"]), LessBecause("an empty name is a slip")));
    #[rustfmt::skip]
    let same_listens = [
        "127.0.0.1:0", "127.0.0.1", "22121", "localhost:22121", "/tmp/circlet-test.sock",
        "/tmp/circlet-test.sock 0666", "/tmp/circlet-test.sock 666", "/tmp/circlet-test.sock 1777",
        "'127.0.0.1:22121 '", "'::1:22121'", "127.0.0.1:70000", "tmp/x.sock", "':22121'",
    ];
    cases.extend(same_listens.map(|address| (listen(address), Same)));
    cases.push((listen(&format!("/tmp/{}", "x".repeat(120))), Same));
    let permission = LessBecause("nutcracker takes what is no octal number for some permission");
    cases.push((listen("/tmp/circlet-test.sock 0888"), permission));
    cases.push((listen("/tmp/circlet-test.sock rw"), permission));
    cases.push((listen("'*:22121'"), LessBecause("nutcracker then listens on ::1 only")));
    let lookup = MoreBecause("names are looked up when listening, not by a test of the file");
    cases.push((listen("no.such.host.invalid:22121"), lookup));
    cases
}

fn structures() -> Vec<(String, Expect)> {
    let alpha = servers(&["a:1:1"]);
    let other = |name: &str, listen: &str| pool(name, listen, "redis: true", &["a:1:1"]);
    let unix = |permissions: &str| format!("/tmp/circlet-test.sock {permissions}");
    let one_socket = other("a", &unix("0666")) + &other("b", &unix("0600"));
    vec![
        (alpha.clone() + &other("beta", "127.0.0.1:22122"), Same),
        (alpha.clone() + &other("alpha", "127.0.0.1:22122"), Same),
        (alpha.clone() + &other("beta", "127.0.0.1:22121"), Same),
        (alpha.clone() + &other("beta", "localhost:22121"), Same),
        (one_socket, LessBecause("the second pool would take the socket from the first")),
        (pool("alpha", "127.0.0.1:1", "redis: false", &["a:1:1"]), MEMCACHED),
        (pool("alpha", "127.0.0.1:1", "hash: md5", &["a:1:1"]), MEMCACHED),
        (pool("alpha", "127.0.0.1:1", "redis_auth: x", &["a:1:1"]), Same),
        (other("1", "127.0.0.1:1"), Same),
        (other("\"\"", "127.0.0.1:1"), Same),
        (other("\"a b\"", "127.0.0.1:1"), Same),
        (other("a.b", "127.0.0.1:1"), Same),
        ("".into(), Same),
        ("# nothing\n".into(), Same),
        ("- a\n- b\n".into(), Same),
        ("hello\n".into(), Same),
        ("alpha:\n".into(), Same),
        ("alpha: {}\n".into(), Same),
        ("alpha: 5\n".into(), Same),
        ("alpha:\n - a\n".into(), Same),
        ("alpha:\n\tlisten: 127.0.0.1:1\n".into(), Same),
        ("alpha:\n  listen: 127.0.0.1:1\n  redis: true\n".into(), Same),
        ("alpha:\n  listen: 127.0.0.1:1\n  redis: true\n  servers: a:1:1\n".into(), Same),
        ("alpha:\n  listen: 127.0.0.1:1\n  redis: true\n  servers: []\n".into(), Same),
        ("alpha:\n  redis: true\n  servers:\n  - a:1:1\n".into(), Same),
        (alpha.clone() + "  servers:\n   - b:1:1\n", Same),
        (alpha.replace("\n  redis", "\n  timeout: 4\n  redis"), Same),
        (alpha.replace('\n', "\r\n"), Same),
        (format!("\u{feff}{alpha}"), Same),
        (alpha.replace("alpha:", "? alpha\n:"), Same),
        (alpha.clone() + "---\n" + &other("beta", "127.0.0.1:22122"), Same),
        (format!("---\n{alpha}"), YAML),
        (alpha.clone() + "...\n", YAML),
        (format!("%YAML 1.1\n---\n{alpha}"), YAML),
        ("alpha: {listen: '127.0.0.1:1', redis: true, servers: ['a:1:1']}\n".into(), YAML),
        (alpha.replace("true", "&yes true\n  preconnect: *yes"), YAML),
        (alpha.replace("true", "!!str true"), YAML),
    ]
}

#[test]
fn circlet_takes_what_nutcracker_takes_and_refuses_what_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nutcracker.yml");
    let mut differences = Vec::new();
    for (text, expect) in keys().into_iter().chain(addresses()).chain(structures()) {
        fs::write(&path, &text).unwrap();
        let theirs = Command::new("nutcracker").arg("-t").arg("-c").arg(&path).output().unwrap();
        let ours = config::load(&path);
        let expected = match expect {
            Same => ours.is_ok() == theirs.status.success(),
            MoreBecause(_) => ours.is_ok() && !theirs.status.success(),
            LessBecause(_) => ours.is_err() && theirs.status.success(),
        };
        if !expected {
            let because = match expect {
                Same => "both alike",
                MoreBecause(reason) | LessBecause(reason) => reason,
            };
            let theirs = theirs.status.success();
            differences.push(format!("{text}nutcracker: {theirs}, ours: {ours:?} ({because})\n"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn nutcracker_takes_the_examples_too() {
    for name in ["smallest.yml", "nutcracker.yml"] {
        let path = format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"));
        let theirs = Command::new("nutcracker").args(["-t", "-c", &path]).output().unwrap();
        assert!(theirs.status.success(), "{name}");
    }
}
