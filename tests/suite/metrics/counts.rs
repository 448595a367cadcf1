//! Counts are those of what was said, to the last byte.

use super::{named, over_servers, scrape};
use crate::harness::{Reply, Shard, encode, eventually, say};

#[test]
fn commands_bytes_and_replies_are_counted_to_the_last() {
    let shard = Shard::start();
    let (circlet, port) = over_servers(&[named(&shard, "one")], "");
    let mut client = circlet.client();
    let said: Vec<Vec<u8>> = [
        vec!["SET", "key", "value"],
        vec!["GET", "key"],
        vec!["GET", "nothing"],
        vec!["HSET", "h", "f", "v"],
        vec!["LPUSH", "l", "a", "b"],
        vec!["SADD", "s", "m"],
        vec!["ZADD", "z", "1", "m"],
        vec!["XADD", "x", "1-1", "f", "v"],
        vec!["PFADD", "hll", "a"],
        vec!["SETBIT", "b", "1", "1"],
        vec!["GEOADD", "g", "1", "1", "m"],
        vec!["EXISTS", "key"],
        vec!["PING"],
        vec!["ECHO", "hello"],
        vec!["PUBLISH", "c", "m"],
    ]
    .iter()
    .map(|command| encode(command))
    .collect();
    let bytes: Vec<u8> = said.concat();
    client.send(&bytes);
    let answers: Vec<Vec<u8>> = said.iter().map(|_| client.read_reply_bytes()).collect();
    let metrics = scrape(port);
    let family = |name: &str| {
        metrics.of(&format!("circlet_commands_total{{pool=\"pool\",family=\"{name}\"}}"))
    };
    let counted: Vec<(&str, f64)> =
        FAMILIES.iter().map(|&(name, _)| (name, family(name))).collect();
    assert_eq!(counted, FAMILIES);
    assert_eq!(metrics.sum("circlet_commands_total"), said.len() as f64);
    assert_eq!(
        metrics.of("circlet_client_received_bytes_total{pool=\"pool\"}"),
        bytes.len() as f64
    );
    let sent = metrics.of("circlet_client_sent_bytes_total{pool=\"pool\"}");
    assert_eq!(sent, answers.concat().len() as f64);
    // PING and ECHO are answered by circlet itself.
    let of_shard = |name: &str| metrics.of(&format!("{name}{{pool=\"pool\",shard=\"one\"}}"));
    let forwarded = said.len() as f64 - 2.0;
    assert_eq!(of_shard("circlet_shard_requests_total"), forwarded);
    assert_eq!(of_shard("circlet_shard_replies_total"), forwarded);
    assert_eq!(of_shard("circlet_shard_queue_seconds_count"), forwarded);
    assert_eq!(of_shard("circlet_shard_reply_seconds_count"), forwarded);
    assert_eq!(metrics.sum("circlet_command_shard_seconds_count"), forwarded);
    let own: usize = [12, 13].iter().map(|&at| said[at].len()).sum();
    assert_eq!(of_shard("circlet_shard_sent_bytes_total"), (bytes.len() - own) as f64);
    assert_eq!(of_shard("circlet_shard_in_flight_requests"), 0.0);
    assert_eq!(of_shard("circlet_shard_ring_share_ratio"), 1.0);
    assert_eq!(of_shard("circlet_shard_up"), 1.0);
}

const FAMILIES: [(&str, f64); 12] = [
    ("string", 3.0),
    ("hash", 1.0),
    ("list", 1.0),
    ("set", 1.0),
    ("sorted_set", 1.0),
    ("stream", 1.0),
    ("hyperloglog", 1.0),
    ("bitmap", 1.0),
    ("geo", 1.0),
    ("keyspace", 1.0),
    ("connection", 2.0),
    ("pubsub", 1.0),
];

#[test]
fn a_command_that_waits_for_those_before_it_is_counted_once() {
    let shard = Shard::start();
    let (circlet, port) = over_servers(&[named(&shard, "one")], "");
    let mut client = circlet.client();
    // SELECT is handled when all before it is answered, and thus looked at twice.
    let round = [encode(&["SET", "k", "v"]), encode(&["SELECT", "1"]), encode(&["SELECT", "0"])];
    client.send(&round.concat().repeat(20));
    for _ in 0..60 {
        assert_eq!(client.read_reply(), Reply::ok());
    }
    let metrics = scrape(port);
    assert_eq!(metrics.of("circlet_commands_total{pool=\"pool\",family=\"string\"}"), 20.0);
    assert_eq!(metrics.of("circlet_commands_total{pool=\"pool\",family=\"connection\"}"), 40.0);
}

#[test]
fn a_large_value_counts_as_any_other() {
    let shard = Shard::start();
    let (circlet, port) = over_servers(&[named(&shard, "one")], "");
    let mut client = circlet.client();
    let set = encode(&[&b"SET"[..], b"k", &vec![b'x'; 3_000_000]]);
    client.send(&set);
    assert_eq!(client.read_reply(), Reply::ok());
    client.send(&encode(&["GET", "k"]));
    let got = client.read_reply_bytes().len();
    let (said, heard) = (set.len() + encode(&["GET", "k"]).len(), got + "+OK\r\n".len());
    eventually("all bytes are counted", || {
        let metrics = scrape(port);
        let pool = |name: &str| metrics.of(&format!("circlet_client_{name}{{pool=\"pool\"}}"));
        pool("received_bytes_total") == said as f64 && pool("sent_bytes_total") == heard as f64
    });
    let metrics = scrape(port);
    let of_shard = |name: &str| metrics.of(&format!("{name}{{pool=\"pool\",shard=\"one\"}}"));
    assert_eq!(of_shard("circlet_shard_sent_bytes_total"), said as f64);
    assert_eq!(of_shard("circlet_shard_received_bytes_total"), heard as f64);
    assert_eq!(of_shard("circlet_shard_reply_seconds_count"), 2.0);
}

#[test]
fn clients_that_come_and_go_are_counted() {
    let shard = Shard::start();
    let (circlet, port) = over_servers(&[named(&shard, "one")], "");
    let before = scrape(port).of("circlet_client_connections_accepted_total{pool=\"pool\"}");
    let mut clients: Vec<_> = (0..5).map(|_| circlet.client()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(say(client, "PING").bytes(), b"PONG"));
    let metrics = scrape(port);
    assert_eq!(metrics.of("circlet_client_connections{pool=\"pool\"}"), 5.0);
    let after = metrics.of("circlet_client_connections_accepted_total{pool=\"pool\"}");
    assert_eq!(after - before, 5.0);
    let left = "circlet_client_disconnects_total{pool=\"pool\",reason=\"eof\"}";
    let left_before = metrics.of(left);
    drop(clients);
    eventually("all are gone", || {
        let metrics = scrape(port);
        metrics.of("circlet_client_connections{pool=\"pool\"}") == 0.0
            && metrics.of(left) - left_before == 5.0
    });
}
