//! The harness is true to its word: otherwise nothing that stands on it means anything.

use std::time::Duration;

use crate::harness::{
    Address, Client, FakeShard, Nutcracker, Proxy, Reply, Shard, eventually, free_port, honest,
    pool_yaml, process_runs,
};

#[test]
fn a_shard_serves_hangs_dies_and_returns_at_its_address() {
    let shard = Shard::start();
    let mut client = shard.client();
    assert_eq!(client.command(&["SET", "k", "v"]), Reply::ok());

    shard.stop();
    client.send(b"GET k\r\n");
    client.expect_silence(Duration::from_millis(100));
    shard.cont();
    client.expect("$1\r\nv\r\n");

    shard.kill9();
    client.expect_closed();
    assert!(Client::try_connect(shard.address()).is_err(), "the port is closed");

    shard.restart();
    assert_eq!(shard.client().command(&["GET", "k"]), Reply::Nil, "nothing was kept");
}

#[test]
fn a_shard_serves_on_a_unix_socket_and_with_arguments() {
    let shard = Shard::unix();
    assert!(matches!(shard.address(), Address::Unix(_)));
    assert_eq!(shard.client().command(&["PING"]), Reply::Simple("PONG".into()));

    let locked = Shard::with(&["--requirepass", "secret"]);
    let refused = locked.client().command(&["GET", "k"]);
    assert!(refused.error().is_some_and(|text| text.starts_with("NOAUTH")), "{refused}");
}

#[test]
fn dropped_processes_are_gone() {
    let (shard, proxy);
    {
        let living = Shard::start();
        let front = Nutcracker::over(&[&living]);
        (shard, proxy) = (living.pid(), front.pid());
        assert!(process_runs(shard) && process_runs(proxy));
    }
    assert!(!process_runs(shard) && !process_runs(proxy));
}

#[test]
fn nutcracker_forwards_and_shows_its_stats() {
    let shards = Shard::several(2);
    let proxy = Nutcracker::over(&[&shards[0], &shards[1]]);
    let mut client = proxy.client();
    for number in 0..100 {
        client.command(&["SET", &format!("{number}:key"), "v"]);
    }
    let sizes: Vec<i64> =
        shards.iter().map(|shard| shard.client().command(&["DBSIZE"]).integer()).collect();
    assert_eq!(sizes.iter().sum::<i64>(), 100);
    assert!(sizes.iter().all(|size| *size > 0), "both shards have keys: {sizes:?}");
    eventually("the stats name the pool", || proxy.stats().contains("\"pool\""));
}

#[test]
fn each_pool_of_a_config_has_its_port() {
    let shards = Shard::several(2);
    let text = pool_yaml("alpha", &[shards[0].server(1, Some("a"))], "hash: md5")
        + &pool_yaml("beta", &[shards[1].server(1, Some("b"))], "timeout: 400\nbacklog: 9");
    let proxy = Nutcracker::with_config(&text);
    proxy.client_of("beta").command(&["SET", "k", "v"]);
    assert_eq!(shards[1].client().command(&["GET", "k"]), Reply::bulk("v"));
    assert_eq!(proxy.client_of("alpha").command(&["GET", "k"]), Reply::Nil);
}

#[test]
fn a_proxy_that_refuses_its_config_is_reported() {
    let refused = Proxy::try_start("nutcracker", "pool:\n  listen: nowhere\n", &[]);
    let refused = refused.expect_err("it cannot serve");
    assert_eq!(refused.status.code(), Some(1));

    let unknown = Proxy::try_start("no-such-proxy", "", &[]).expect_err("there is no such program");
    assert!(unknown.log.contains("no-such-proxy"), "{}", unknown.log);
}

#[test]
fn a_fake_shard_plays_its_script() {
    let fake = FakeShard::start(|mut link| match link.number {
        0 => {
            link.read_command();
            link.send("$100\r\nhalf");
            link.keep_silent();
        }
        1 => link.reset(),
        2 => link.serve(honest),
        _ => {}
    });

    let mut half = Client::connect(&fake.address());
    half.send(b"*1\r\n$4\r\nPING\r\n");
    half.expect("$100\r\nhalf");
    half.expect_silence(Duration::from_millis(50));

    let mut reset = Client::connect(&fake.address());
    assert!(reset.try_read_reply().is_err());

    let mut good = Client::connect(&fake.address());
    assert_eq!(good.command(&["PING"]), Reply::Simple("PONG".into()));
    assert_eq!(good.command(&["GET", "k"]), Reply::Nil);

    Client::connect(&fake.address()).expect_closed();
    assert_eq!(fake.accepted(), 4);
    drop(fake);
    half.expect_closed();
    good.expect_closed();
}

#[test]
fn a_fake_shard_resets_rather_than_closes() {
    let fake = FakeShard::start(|link| link.reset());
    let mut client = Client::connect(&fake.address());
    let error = client.try_read_reply().expect_err("nothing was sent");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn every_kind_of_reply_is_read_to_its_end() {
    let replies: &[&str] = &[
        "+OK\r\n",
        "-ERR no\r\n",
        ":-7\r\n",
        "$0\r\n\r\n",
        "$4\r\n\r\n\r\n\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
        "_\r\n",
        "#t\r\n",
        ",1.5\r\n",
        "(123456789012345678901234567890\r\n",
        "%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n",
        ">2\r\n+message\r\n$1\r\nm\r\n",
        "=7\r\ntxt:abc\r\n",
    ];
    let all: &'static str = replies.concat().leak();
    let fake = FakeShard::start(move |mut link| {
        link.send(all);
    });
    let mut client = Client::connect(&fake.address());
    for reply in replies {
        assert_eq!(client.read_reply_bytes().escape_ascii().to_string(), escaped(reply));
    }
    client.expect_closed();
}

#[test]
fn a_killed_test_program_takes_its_processes_along() {
    // This very program again, running the one test that waits for ever.
    let program = std::env::current_exe().expect("a test program has a path");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut child = std::process::Command::new(program)
        .env("TMPDIR", directory.path())
        .args(["--ignored", "--exact", "harness_works::wait_to_be_killed", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    let pid = loop {
        let mut line = String::new();
        let read = std::io::BufRead::read_line(&mut lines, &mut line).expect("text");
        assert!(read > 0, "the child said nothing of its shard");
        if let Some((_, pid)) = line.split_once("shard ") {
            break pid.trim().parse::<u32>().expect("a pid");
        }
    };
    assert!(process_runs(pid));
    child.kill().expect("it runs");
    child.wait().expect("it is ours");
    eventually("the shard is gone", || !process_runs(pid));
}

#[test]
#[ignore = "it is the child in the test above"]
fn wait_to_be_killed() {
    let shard = Shard::start();
    println!("shard {}", shard.pid());
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn free_ports_differ_and_are_outside_the_ephemeral_range() {
    let ports: std::collections::HashSet<u16> = (0..50).map(|_| free_port()).collect();
    assert_eq!(ports.len(), 50);
    assert!(ports.iter().all(|port| *port < 32_768), "{ports:?}");
}

fn escaped(text: &str) -> String {
    text.as_bytes().escape_ascii().to_string()
}
