//! Each kind of error, provoked.

use super::{Metrics, named, over_fakes, over_servers, scrape};
use crate::harness::{Client, FakeShard, Relay, Shard, eventually, free_port, honest, say};

fn failed(metrics: &Metrics, kind: &str) -> f64 {
    let series = "circlet_shard_failed_requests_total{pool=\"pool\",shard=\"fake\",kind=\"";
    metrics.of(&format!("{series}{kind}\"}}"))
}

fn told(metrics: &Metrics, code: &str) -> f64 {
    let series = format!("circlet_error_replies_total{{pool=\"pool\",code=\"{code}\"}}");
    metrics.known(&series).unwrap_or(0.0)
}

#[track_caller]
fn refused(client: &mut Client, line: &str, beginning: &str) {
    let reply = say(client, line);
    assert!(reply.error().is_some_and(|error| error.starts_with(beginning)), "{reply:?}");
}

#[test]
fn a_shard_that_does_not_listen() {
    let servers = [format!("127.0.0.1:{}:1 fake", free_port())];
    let (circlet, port) = over_servers(&servers, "heartbeat_interval: 600000");
    let mut client = circlet.client();
    refused(&mut client, "GET k", "ERR Connection refused");
    let metrics = scrape(port);
    // What a heartbeat found out meanwhile fails requests as well.
    assert_eq!(failed(&metrics, "refused") + failed(&metrics, "out"), 1.0);
    assert_eq!(metrics.of("circlet_forward_errors_total{pool=\"pool\"}"), 1.0);
    eventually("the shard is known to be down", || {
        say(&mut client, "GET k").error().is_some_and(|error| error.contains("down for"))
    });
    assert!(failed(&scrape(port), "out") > 0.0);
    let metrics = scrape(port);
    let state = |state: &str| {
        let series = "circlet_shard_state{pool=\"pool\",shard=\"fake\",state=\"";
        metrics.of(&format!("{series}{state}\"}}"))
    };
    assert_eq!([state("live"), state("down"), state("ejected")], [0.0, 1.0, 0.0]);
    assert_eq!(metrics.of("circlet_shard_up{pool=\"pool\",shard=\"fake\"}"), 0.0);
    assert_eq!(metrics.of("circlet_pool_live_shards{pool=\"pool\"}"), 0.0);
}

/// A shard that does something else than answer when it is asked for `k`.
fn that_answers_get(answer: &'static [u8]) -> FakeShard {
    FakeShard::start(move |mut connection| {
        while let Some(command) = connection.read_command() {
            let is_asked = command[0].eq_ignore_ascii_case(b"get");
            match (is_asked, answer) {
                (true, b"close") => return,
                (true, b"reset") => return connection.reset(),
                (true, b"silence") => return connection.keep_silent(),
                (true, answer) => connection.send(answer),
                (false, _) => connection.send(honest(&command)),
            };
        }
    })
}

#[test]
fn a_shard_that_closes_resets_or_speaks_nonsense() {
    for (answer, kind) in
        [(&b"close"[..], "closed"), (b"reset", "reset"), (b"?what\r\n", "protocol")]
    {
        let (circlet, port, _fakes) = over_fakes(vec![that_answers_get(answer)], "");
        let mut client = circlet.client();
        assert!(say(&mut client, "GET k").error().is_some());
        let metrics = scrape(port);
        assert_eq!(failed(&metrics, kind), 1.0, "{kind}");
        assert_eq!(metrics.sum("circlet_shard_failed_requests_total"), 1.0);
        assert_eq!(metrics.sum("circlet_shard_link_failures_total"), 1.0);
        let series = "circlet_shard_link_failures_total{pool=\"pool\",shard=\"fake\",kind=\"";
        assert_eq!(metrics.of(&format!("{series}{kind}\"}}")), 1.0);
    }
}

#[test]
fn a_shard_that_says_nothing_in_time() {
    let (circlet, port, _fakes) = over_fakes(vec![that_answers_get(b"silence")], "timeout: 80");
    let mut client = circlet.client();
    refused(&mut client, "GET k", "ERR Connection timed out");
    assert_eq!(failed(&scrape(port), "timeout"), 1.0);
}

#[test]
fn errors_that_circlet_says_and_errors_of_shards_are_told_apart() {
    let shards = Shard::several(2);
    let servers: Vec<String> =
        shards.iter().zip(["a", "b"]).map(|(shard, name)| named(shard, name)).collect();
    let (circlet, port) = over_servers(&servers, "redis_auth: secret");
    for shard in &shards {
        say(&mut shard.client(), "CONFIG SET requirepass secret");
    }
    let mut client = circlet.client();
    refused(&mut client, "GET k", "NOAUTH");
    refused(&mut client, "AUTH wrong", "WRONGPASS");
    say(&mut client, "AUTH secret");
    let keys: String = (0..40).map(|n| format!(" {n}:key:{n}")).collect();
    refused(&mut client, &format!("EVAL return 40{keys}"), "CROSSSLOT");
    refused(&mut client, "NOSUCH command", "ERR unknown command");
    assert_eq!(say(&mut client, "SET s v").bytes(), b"OK");
    refused(&mut client, "LPUSH s v", "WRONGTYPE");
    refused(&mut client, "INCR s", "ERR value is not an integer");
    let metrics = scrape(port);
    let codes = ["NOAUTH", "WRONGPASS", "CROSSSLOT", "ERR"];
    assert_eq!(codes.map(|code| told(&metrics, code)), [1.0; 4]);
    let of_shards: f64 = metrics.sum("circlet_shard_error_replies_total");
    assert_eq!(of_shards, 2.0);
    let family = |name: &str| {
        metrics.of(&format!("circlet_command_errors_total{{pool=\"pool\",family=\"{name}\"}}"))
    };
    assert_eq!([family("list"), family("string")], [1.0, 1.0]);
    assert_eq!(metrics.sum("circlet_shard_failed_requests_total"), 0.0);
}

#[test]
fn a_client_that_speaks_nonsense() {
    let shard = Shard::start();
    let (circlet, port) = over_servers(&[named(&shard, "one")], "");
    let mut client = circlet.client();
    client.send(b"*1\r\n$what\r\n");
    assert!(client.read_reply().error().is_some_and(|error| error.contains("Protocol error")));
    client.expect_closed();
    let metrics = scrape(port);
    assert_eq!(metrics.of("circlet_protocol_errors_total{pool=\"pool\"}"), 1.0);
    let cut = "circlet_client_disconnects_total{pool=\"pool\",reason=\"error\"}";
    assert_eq!(metrics.of(cut), 1.0);
}

#[test]
fn ejections_and_readmissions_are_counted_by_shard() {
    let shards = Shard::several(2);
    let relay = Relay::to(&shards[0]);
    let servers = [relay.server(1, "weak"), named(&shards[1], "strong")];
    let settings = "auto_eject_hosts: true\nserver_failure_limit: 1\nserver_retry_timeout: 100\n\
                    heartbeat_interval: 50\nheartbeat_successes: 1";
    let (_circlet, port) = over_servers(&servers, settings);
    let of = |name: &str, shard: &str| {
        scrape(port).of(&format!("circlet_{name}{{pool=\"pool\",shard=\"{shard}\"}}"))
    };
    relay.reset();
    eventually("the shard is ejected", || of("shard_ring_share_ratio", "strong") == 1.0);
    assert_eq!(of("shard_ejections_total", "weak"), 1.0);
    assert!(of("shard_ejected_timestamp_seconds", "weak") > 1.7e9);
    assert_eq!(of("shard_ejections_total", "strong"), 0.0);
    assert_eq!(of("shard_ring_share_ratio", "weak"), 0.0);
    relay.pass();
    eventually("the shard is back", || of("shard_readmissions_total", "weak") == 1.0);
    eventually("it has its keys", || of("shard_ring_share_ratio", "weak") > 0.4);
    assert_eq!(of("shard_readmissions_total", "strong"), 0.0);
    assert!(scrape(port).of("circlet_ring_changes_total{pool=\"pool\"}") >= 2.0);
}
