//! What health makes of it: a slow command is no dead shard, a hanging shard is.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use super::{busy, one_worker};
use crate::harness::{Reply, Shard, eventually};

/// The strictest limit there is: one failure would do.
const STRICT: &str = "timeout: 200\nauto_eject_hosts: true\nserver_failure_limit: 1\nhash: md5\n\
     server_retry_timeout: 600\nheartbeat_interval: 200";

#[test]
fn a_slow_command_does_not_eject_a_shard_that_answers_its_heartbeats() {
    let shards = Shard::several(2);
    let proxy = one_worker(&shards, &format!("{STRICT}\nheartbeat_timeout: 6000"));
    let mut client = proxy.client();
    for round in 0..4 {
        let reply = client.command(&busy(0.8));
        assert!(reply.error().is_some_and(|text| text.contains("timed out")), "{round}: {reply}");
        let any = ["a", "b", "c", "d", "e", "f", "g", "h"];
        scope(|scope| {
            for key in any {
                let proxy = &proxy;
                scope.spawn(move || proxy.client().command(&["SET", key, key]));
            }
        });
        eventually("all are served", || {
            any.iter().all(|key| client.command(&["SET", key, key]) == Reply::ok())
        });
    }
    assert!(proxy.shard_stat("pool", "a", "server_timedout") > 0, "{}", proxy.stats());
    assert!(!proxy.log().contains("ejected"), "{}", proxy.log());
}

#[test]
fn a_hanging_shard_is_ejected_as_soon_as_a_heartbeat_confirms_it() {
    let shards = Shard::several(2);
    let proxy = one_worker(&shards, &format!("{STRICT}\nheartbeat_timeout: 500"));
    let mut client = proxy.client();
    let keys: Vec<String> = (0..20).map(|number| format!("key{number}")).collect();
    keys.iter().for_each(|key| drop(client.command(&["SET", key, "v"])));
    let struck = Instant::now();
    shards[0].stop();
    while !proxy.log().contains("ejected after") {
        keys.iter().for_each(|key| drop(client.command(&["GET", key])));
        assert!(struck.elapsed() < Duration::from_secs(8), "{}", proxy.log());
    }
    sleep(Duration::from_millis(100));
    for key in &keys {
        assert_eq!(client.command(&["SET", key, "w"]), Reply::ok());
    }
    shards[0].cont();
    proxy.expect_log("readmitted after");
}
