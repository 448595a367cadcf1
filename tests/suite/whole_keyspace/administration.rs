//! SLOWLOG, LATENCY, MEMORY, OBJECT, persistence, ROLE, and what stays refused.

use super::{over, set_all};
use crate::harness::{Client, Proxy, Reply, Shard, eventually};
use crate::one_redis::{Pair, words};

fn fleet() -> (Vec<Shard>, Proxy, Client) {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let client = proxy.client();
    (shards, proxy, client)
}

fn on_each(shards: &[Shard], line: &str) -> Vec<Reply> {
    shards.iter().map(|shard| shard.client().command(&words(line))).collect()
}

#[test]
fn the_slow_log_is_that_of_all_shards_the_newest_first() {
    let (shards, _proxy, mut client) = fleet();
    client.command(&words("CONFIG SET slowlog-log-slower-than 0"));
    assert_eq!(client.command(&words("SLOWLOG RESET")), Reply::ok());
    let keys: Vec<String> = (0..30).map(|number| format!("k{number}")).collect();
    set_all(&mut client, &keys);
    client.command(&words("CONFIG SET slowlog-log-slower-than -1"));
    let kept: i64 = on_each(&shards, "SLOWLOG LEN").iter().map(Reply::integer).sum();
    assert_eq!(client.command(&words("SLOWLOG LEN")), Reply::Integer(kept));
    let entries =
        |client: &mut Client, line: &str| client.command(&words(line)).elements().to_vec();
    let all = entries(&mut client, "SLOWLOG GET -1");
    assert_eq!(all.len() as i64, kept);
    let sets = all.iter().filter(|entry| entry.elements()[3].elements()[0] == Reply::bulk("SET"));
    assert_eq!(sets.count(), 30);
    let times: Vec<i64> = all.iter().map(|entry| entry.elements()[1].integer()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert_eq!(entries(&mut client, "SLOWLOG GET"), all[..10]);
    assert_eq!(entries(&mut client, "SLOWLOG GET 4"), all[..4]);
    assert!(entries(&mut client, "SLOWLOG GET 0").is_empty());
    client.command(&words("SLOWLOG RESET"));
    assert!(on_each(&shards, "SLOWLOG LEN").iter().all(|len| *len == Reply::Integer(0)));
}

#[test]
fn bad_input_gets_redis_own_words() {
    let mut pair = Pair::start();
    for resp3 in [false, true] {
        for line in [
            "SLOWLOG GET -2",
            "SLOWLOG GET x",
            "SLOWLOG GET 1 2",
            "SLOWLOG NOSUCH",
            "LATENCY GRAPH nosuch",
            "LATENCY HISTORY",
            "LATENCY NOSUCH",
            "MEMORY NOSUCH",
            "MEMORY USAGE",
            "MEMORY USAGE nosuch",
            "MEMORY USAGE k SAMPLES -1",
            "MEMORY USAGE k SAMPLES x",
            "MEMORY USAGE k NOSUCH",
            "OBJECT NOSUCH k",
            "OBJECT ENCODING",
            "OBJECT FREQ k",
            "BGSAVE NOW",
            "LASTSAVE x",
            "ROLE x",
            "MODULE NOSUCH",
            "SWAPDB 0 99999",
            "SWAPDB x 1",
            "SWAPDB 0",
            "FLUSHDB SOON",
            "LOLWUT VERSION x",
            "LATENCY HISTOGRAM nosuch",
            "LATENCY HISTORY nosuch",
            "LATENCY LATEST",
            "LATENCY RESET nosuch",
            "MODULE LIST",
            "MEMORY HELP",
            "LATENCY HELP",
            "SLOWLOG HELP",
            "MODULE HELP",
            "MEMORY PURGE",
        ] {
            pair.same(&words(line));
        }
        if !resp3 {
            pair.speak_resp3();
        }
    }
}

#[test]
fn keys_are_looked_into_where_they_live() {
    let mut pair = Pair::start();
    pair.all_same(&["SET n 12", "SET s text", "RPUSH l a b", "SADD i 1 2", "HSET h f v"]);
    for key in ["n", "s", "l", "i", "h", "nosuch"] {
        pair.same(&["OBJECT", "ENCODING", key]);
        pair.same(&["OBJECT", "REFCOUNT", key]);
        pair.same(&["MEMORY", "USAGE", key]);
        pair.same(&["MEMORY", "USAGE", key, "SAMPLES", "0"]);
        // A second may pass between the two.
        let idle = pair.through.command(&["OBJECT", "IDLETIME", key]);
        let expected = if key == "nosuch" { idle == Reply::Nil } else { idle.integer() < 60 };
        assert!(expected, "{key}: {idle}");
    }
    pair.same(&words("CONFIG SET maxmemory-policy allkeys-lfu"));
    pair.all_same(&["SET lfu v", "OBJECT FREQ lfu", "OBJECT FREQ nosuch", "OBJECT IDLETIME lfu"]);
}

#[test]
fn spikes_of_all_shards_are_told_together() {
    let (shards, _proxy, mut client) = fleet();
    client.command(&words("CONFIG SET latency-monitor-threshold 1"));
    let no_spike = client.command(&words("LATENCY LATEST"));
    assert_eq!(no_spike, Reply::Array(Vec::new()));
    for (shard, seconds) in shards.iter().zip(["0.005", "0.060", "0.020"]) {
        shard.client().command(&["DEBUG", "SLEEP", seconds]);
    }
    let latest = client.command(&words("LATENCY LATEST"));
    let [event] = latest.elements() else { panic!("one event: {latest}") };
    assert_eq!(event.elements()[0], Reply::bulk("command"));
    assert!((60..5_000).contains(&event.elements()[3].integer()), "{event}");
    let history = client.command(&words("LATENCY HISTORY command"));
    assert!(!history.elements().is_empty() && history.elements().len() <= 3, "{history}");
    for line in ["LATENCY DOCTOR", "LATENCY GRAPH command", "MEMORY DOCTOR", "MEMORY MALLOC-STATS"]
    {
        let reply = client.command(&words(line));
        let text = String::from_utf8_lossy(reply.bytes()).into_owned();
        for name in ["# shard a\n", "# shard b\n", "# shard c\n"] {
            assert!(text.contains(name), "{line}: {text}");
        }
    }
    assert_eq!(client.command(&words("LATENCY RESET")), Reply::Integer(3));
    assert_eq!(client.command(&words("LATENCY LATEST")), no_spike);
}

#[test]
fn calls_are_counted_over_all_shards() {
    let (_shards, _proxy, mut client) = fleet();
    let keys: Vec<String> = (0..300).map(|number| format!("k{number}")).collect();
    set_all(&mut client, &keys);
    let reply = client.command(&words("LATENCY HISTOGRAM set"));
    let set = reply.elements()[1].elements();
    assert_eq!(set[1], Reply::Integer(300));
    let counts: Vec<i64> =
        set[3].elements().iter().skip(1).step_by(2).map(Reply::integer).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(counts.last(), Some(&300), "{counts:?}");
    client.command(&words("HELLO 3"));
    let Reply::Map(commands) = client.command(&words("LATENCY HISTOGRAM set")) else { panic!() };
    assert_eq!(commands.len(), 1);
}

#[test]
fn memory_is_that_of_all_shards() {
    let (shards, _proxy, mut client) = fleet();
    let keys: Vec<String> = (0..300).map(|number| format!("k{number}")).collect();
    set_all(&mut client, &keys);
    let of = |reply: &Reply, name: &str| -> i64 {
        let place = reply.elements().iter().position(|element| *element == Reply::bulk(name));
        reply.elements()[place.expect(name) + 1].integer()
    };
    let each = on_each(&shards, "MEMORY STATS");
    let ours = client.command(&words("MEMORY STATS"));
    assert_eq!(of(&ours, "keys.count"), 300);
    for name in ["startup.allocated", "keys.count", "replication.backlog"] {
        assert_eq!(
            of(&ours, name),
            each.iter().map(|reply| of(reply, name)).sum::<i64>(),
            "{name}"
        );
    }
    let Reply::Array(names) = &ours else { panic!("{ours}") };
    let first = each[0].elements();
    assert_eq!(names.iter().step_by(2).count(), first.iter().step_by(2).count());
}

#[test]
fn saving_saves_every_shard() {
    let (shards, _proxy, mut client) = fleet();
    let sum = |field: &str| -> i64 {
        let value = |reply: &Reply| -> i64 {
            let text = String::from_utf8_lossy(reply.bytes()).into_owned();
            let line = text.lines().find_map(|line| line.strip_prefix(field).map(str::to_owned));
            line.expect("a field").parse().expect("a number")
        };
        on_each(&shards, "INFO persistence").iter().map(value).sum()
    };
    assert_eq!(client.command(&["SAVE"]), Reply::ok());
    assert_eq!(sum("rdb_saves:"), 3);
    assert_eq!(client.command(&["BGSAVE"]), Reply::Simple("Background saving started".into()));
    eventually("all have saved", || sum("rdb_bgsave_in_progress:") == 0);
    assert_eq!(sum("rdb_saves:"), 6);
    let last = on_each(&shards, "LASTSAVE").iter().map(Reply::integer).min();
    assert_eq!(Some(client.command(&["LASTSAVE"]).integer()), last);
    let started = client.command(&["BGREWRITEAOF"]);
    assert_eq!(started.bytes(), b"Background append only file rewriting started");
    eventually("all have rewritten", || sum("aof_rewrites:") == 3);
}

#[test]
fn databases_are_swapped_on_every_shard() {
    let (shards, _proxy, mut client) = fleet();
    let keys: Vec<String> = (0..100).map(|number| format!("k{number}")).collect();
    set_all(&mut client, &keys);
    assert_eq!(client.command(&words("SWAPDB 0 5")), Reply::ok());
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(0));
    assert!(on_each(&shards, "DBSIZE").iter().all(|size| *size == Reply::Integer(0)));
    client.command(&words("SELECT 5"));
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(100));
}

#[test]
fn a_random_key_is_as_likely_whichever_shard_it_lives_on() {
    let (shards, _proxy, mut client) = fleet();
    for (shard, keys) in shards.iter().zip([5, 95, 0]) {
        let keys: Vec<String> =
            (0..keys).map(|number| format!("{}:{number}", shard.pid())).collect();
        set_all(&mut shard.client(), &keys);
    }
    let rare = shards[0].pid().to_string();
    let mut seen = 0;
    for _ in 0..1_000 {
        let key = client.command(&["RANDOMKEY"]);
        seen += i32::from(key.bytes().starts_with(rare.as_bytes()));
    }
    // 50 are expected; by shard instead of by key it would be 500.
    assert!((15..120).contains(&seen), "{seen} of 1000");
}

#[test]
fn the_role_is_a_masters_whatever_the_shards_are() {
    let (shards, _proxy, mut client) = fleet();
    let expected =
        Reply::Array(vec![Reply::bulk("master"), Reply::Integer(0), Reply::Array(Vec::new())]);
    assert_eq!(client.command(&["ROLE"]), expected);
    let port = shards[0].address().to_string().replace("127.0.0.1:", "");
    shards[1].client().command(&["REPLICAOF", "127.0.0.1", &port]);
    let role = client.command(&["ROLE"]);
    assert_eq!(
        (&role.elements()[0], &role.elements()[2]),
        (&expected.elements()[0], &expected.elements()[2])
    );
}

#[test]
fn what_would_harm_a_shard_is_refused_with_a_reason() {
    let (shards, _proxy, mut client) = fleet();
    for line in [
        "DEBUG SLEEP 0",
        "DEBUG JMAP",
        "DEBUG SEGFAULT",
        "DEBUG SET-ACTIVE-EXPIRE 0",
        "SHUTDOWN",
        "SHUTDOWN NOSAVE",
        "REPLICAOF NO ONE",
        "SLAVEOF NO ONE",
        "FAILOVER",
        "MODULE LOAD /x",
        "MODULE UNLOAD x",
        "PSYNC ? -1",
        "SYNC",
        "REPLCONF ACK 1",
    ] {
        let reply = client.command(&words(line));
        let text = reply.error().unwrap_or_else(|| panic!("{line}: {reply}"));
        let told = text.contains(" is not served: ") && text.contains("shard")
            || text.contains("between servers");
        assert!(told, "{line}: {text}");
    }
    assert!(on_each(&shards, "PING").iter().all(|pong| pong.bytes() == b"PONG"));
    let art = client.command(&["LOLWUT"]);
    assert!(String::from_utf8_lossy(art.bytes()).contains("Redis ver. 7"), "{art}");
}
