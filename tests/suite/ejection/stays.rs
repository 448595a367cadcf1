//! What stays as it is: a live shard's keys, a slow shard that is not too slow, a pool without
//! ejection; and what is said when nobody is left.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::load::{self, Load, Plan, Tally};
use super::placement;
use crate::harness::{
    Circlet, Client, Nutcracker, PATIENCE, Proxy, Relay, Reply, Shard, eventually, pool_yaml,
    within,
};

/// `ejection: skip` against `rebuild` and nutcracker, where weights differ.
#[test]
fn keys_of_live_shards_stay_where_weights_differ() {
    let shards = Shard::several(3);
    let servers: Vec<String> = [(10, "a"), (1, "b"), (1, "c")]
        .iter()
        .zip(&shards)
        .map(|((weight, name), shard)| shard.server(*weight, Some(name)))
        .collect();
    let settings = "hash: md5\nauto_eject_hosts: true\nserver_retry_timeout: 60000";
    let skip = pool_yaml("skip", &servers, settings);
    let rebuild = pool_yaml("rebuild", &servers, &format!("{settings}\nejection: rebuild"));
    let circlet = Circlet::with_config(&(skip + &rebuild));
    let nutcracker = Nutcracker::with_config(&pool_yaml("theirs", &servers, settings));

    let keys: Vec<String> = (0..1_500).map(|number| format!("key{number}")).collect();
    let homes = placement::seed(&circlet, &shards, &keys);
    shards[0].kill9();
    for pool in ["skip", "rebuild"] {
        circlet.expect_log(&format!("of pool {pool} ejected after"));
    }
    let mut moves = Vec::new();
    for (pool, proxy) in [("skip", &circlet), ("rebuild", &circlet), ("theirs", &nutcracker)] {
        for shard in &shards[1..] {
            shard.client().command(&["FLUSHALL"]);
        }
        let mut client = proxy.client_of(pool);
        // nutcracker finds out by failing requests.
        eventually("the dead shard is out", || set_all(&mut client, &keys));
        moves.push(placement::moved(&shards, &homes, 0).len());
    }
    let live = homes.values().filter(|home| **home != 0).count();
    println!(
        "weights 10,1,1, the first ejected: of {live} keys of live shards moved \
         {} with circlet, {} with `ejection: rebuild`, {} with nutcracker",
        moves[0], moves[1], moves[2]
    );
    assert_eq!(moves[0], 0);
    assert!(moves[1] > 0, "otherwise this test sees nothing");
    assert_eq!(moves[1], moves[2], "`rebuild` is nutcracker's way");
}

fn set_all(client: &mut Client, keys: &[String]) -> bool {
    let commands: Vec<Vec<&str>> = keys.iter().map(|key| vec!["SET", key, "v"]).collect();
    client.pipeline(&commands).iter().all(|reply| *reply == Reply::ok())
}

#[test]
fn a_slow_shard_that_is_in_time_costs_no_error() {
    let shards = Shard::several(3);
    let relay = Relay::to(&shards[0]);
    let servers =
        [relay.server(1, "a"), shards[1].server(1, Some("b")), shards[2].server(1, Some("c"))];
    let settings = "hash: md5\nauto_eject_hosts: true\ntimeout: 3000\nheartbeat_timeout: 2000";
    let circlet = Circlet::with_config(&pool_yaml("pool", &servers, settings));
    placement::seed(&circlet, &shards, &load::keys("slow"));
    let load = start(&circlet, "slow", Default::default());
    sleep(Duration::from_millis(300));
    relay.delay(Duration::from_millis(150));
    sleep(Duration::from_millis(2_500));
    let tally = load.finish();
    assert!(tally.requests > 0 && tally.wrong.is_empty(), "{:#?}", tally.wrong);
    assert!(tally.failures.is_empty(), "{:#?}", tally.failures);
    assert!(!circlet.log().contains("ejected"), "{}", circlet.log());
}

#[test]
fn without_ejection_a_dead_shards_requests_fail_fast_and_its_keys_stay() {
    let shards = Shard::several(3);
    let (circlet, tally, killed, down) = without_ejection(&shards, || shards[0].kill9(), "restart");
    let texts: Vec<&str> = tally.failures.iter().map(|failure| failure.text.as_str()).collect();
    // What was in flight when it died was lost on the way, whatever came after was refused.
    let refused = |text: &&&str| text.starts_with("ERR Connection refused (shard 'a' of pool");
    assert!(texts.iter().filter(refused).count() > 0, "{texts:#?}");
    assert!(down - killed < Duration::from_secs(5), "{:?}", down - killed);

    let log = circlet.log();
    shards[0].restart();
    circlet.expect_log("readmitted after");
    let mut client = circlet.client();
    for (key, home) in placement::seed(&circlet, &shards, &load::keys("down")) {
        let value = load::seed(&key);
        assert_eq!(client.command(&["GET", &key]), Reply::bulk(value), "{home}; {log}");
    }
}

#[test]
fn without_ejection_a_hanging_shards_requests_fail_fast_and_its_keys_stay() {
    let shards = Shard::several(3);
    let (circlet, tally, ..) = without_ejection(&shards, || shards[0].stop(), "continue");
    assert!(
        tally.failures.iter().all(|failure| {
            let text = &failure.text;
            text.starts_with("ERR Connection refused (") && text.contains("Connection timed out")
        }),
        "{:#?}",
        tally.failures.iter().take(5).collect::<Vec<_>>()
    );
    shards[0].cont();
    circlet.expect_log("readmitted after");
    let mut client = circlet.client();
    for key in placement::on(&shards[0]) {
        let value = client.command(&["GET", &key]);
        assert!(value.bytes().starts_with(key.as_bytes()), "{key} is {value}");
    }
}

/// Runs a load over a fault; gives what became of it, and when the shard was struck and down.
fn without_ejection(
    shards: &[Shard],
    strike: impl FnOnce(),
    name: &str,
) -> (Proxy, Tally, Instant, Instant) {
    let servers: Vec<String> = ["a", "b", "c"]
        .iter()
        .zip(shards)
        .map(|(name, shard)| shard.server(1, Some(name)))
        .collect();
    let settings = "hash: md5\nauto_eject_hosts: false\ntimeout: 10000";
    let circlet = Circlet::with_config(&pool_yaml("pool", &servers, settings));
    let homes = placement::seed(&circlet, shards, &load::keys("down"));
    let its_own = homes.iter().filter(|(_, home)| **home == 0).map(|(key, _)| key.clone());
    let load = start(&circlet, "down", its_own.collect());
    sleep(Duration::from_millis(400));
    let struck = Instant::now();
    strike();
    circlet.expect_log("down after");
    let down = Instant::now();
    sleep(Duration::from_millis(1_500));
    let ended = Instant::now();
    let tally = load.finish();

    assert!(tally.wrong.is_empty(), "{name}: {:#?}", tally.wrong);
    assert_eq!(tally.broken, 0);
    for failure in &tally.failures {
        assert_eq!(homes[&failure.key], 0, "{name}: {}", failure.text);
        assert!(failure.text.contains("shard 'a' of pool 'pool'"), "{}", failure.text);
    }
    let settled = down + Duration::from_millis(250);
    assert!(tally.failures_between(settled, ended) > 0, "{name}: its keys are nobody else's");
    let waited = tally.longest_wait(settled, ended);
    println!("{name}: longest wait for a dead shard's error {waited:?}, the timeout is 10 s");
    assert!(waited < Duration::from_secs(2), "{name}: {waited:?}");
    for shard in &shards[1..] {
        assert!(placement::on(shard).iter().all(|key| homes[key] != 0), "{name}: no key moved");
    }
    (circlet, tally, struck, down)
}

#[test]
fn all_shards_out_is_said_at_once_and_the_first_that_returns_serves() {
    let shards = Shard::several(2);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let settings = "hash: md5\nauto_eject_hosts: true\nserver_retry_timeout: 60000\ntimeout: 10000";
    let circlet = Circlet::with_config(&pool_yaml("pool", &servers, settings));
    let mut client = circlet.client();
    client.command(&["MSET", "a", "1", "b", "2", "c", "3", "d", "4"]);
    for shard in &shards {
        shard.kill9();
    }
    circlet.expect_log("none of its shards is in");
    sleep(Duration::from_millis(250));
    for command in [&["GET", "a"][..], &["MGET", "a", "b", "c", "d"], &["DBSIZE"], &["KEYS", "*"]] {
        let asked = Instant::now();
        let reply = client.command(command);
        let text = reply.error().unwrap_or_else(|| panic!("{command:?}: {reply}"));
        assert!(text.starts_with("ERR Connection refused"), "{command:?}: {text}");
        assert!(asked.elapsed() < Duration::from_secs(2), "{command:?}: {:?}", asked.elapsed());
    }
    assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));

    shards[1].restart();
    eventually("the one that is back has all keys", || {
        client.command(&["SET", "a", "1"]) == Reply::ok()
    });
    assert_eq!(client.command(&["GET", "a"]), Reply::bulk("1"));
    assert_eq!(shards[1].client().command(&["GET", "a"]), Reply::bulk("1"));
}

/// Faster than any failure limit: what was in flight is lost, nothing else.
#[test]
fn a_shard_that_restarts_at_once_is_used_again_at_once() {
    let shards = Shard::several(2);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let settings = "hash: md5\nauto_eject_hosts: true\nserver_failure_limit: 100";
    let circlet = Circlet::with_config(&pool_yaml("pool", &servers, settings));
    let mut client = circlet.client();
    for round in 0..5 {
        shards[0].restart();
        let served = within(PATIENCE, || {
            let keys = ["a", "b", "c", "d", "e", "f"].iter();
            let commands: Vec<Vec<&str>> = keys.map(|key| vec!["SET", key, "v"]).collect();
            client.pipeline(&commands).iter().all(|reply| *reply == Reply::ok())
        });
        assert!(served, "round {round}");
    }
    assert!(!circlet.log().contains("ejected"), "{}", circlet.log());
}

fn start(circlet: &Proxy, name: &'static str, doubtful: std::collections::HashSet<String>) -> Load {
    Load::start(&Plan { name, address: circlet.address(), echo: true, doubtful })
}
