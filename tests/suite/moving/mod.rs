//! Moving in: what docs/from-one-redis.md tells people to do.

use std::process::Command;

use crate::harness::{Address, Circlet, Proxy, Reply, Shard, pool_yaml};

fn fill(redis: &Shard) {
    let mut client = redis.client();
    for number in 0..300 {
        client.command(&["SET", &format!("text:{number}"), &format!("value {number}")]);
        client.command(&["RPUSH", &format!("list:{number}"), "a", "b", "c"]);
        client.command(&["SET", &format!("brief:{number}"), "x", "EX", "1000"]);
    }
}

/// The line of the page, as it stands there.
fn move_in(from: &Shard, to: &Proxy, password: &str) -> String {
    let (Address::Tcp(to), Address::Tcp(from)) = (to.address(), from.address().clone()) else {
        panic!("both listen on ports");
    };
    let line = format!(
        "redis-cli -p {from} --scan | xargs -n 100 redis-cli -p {from} MIGRATE 127.0.0.1 {to} \
         '' 0 5000 COPY REPLACE {password} KEYS 2>&1"
    );
    let output = Command::new("bash").args(["-c", &line]).output().expect("bash is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn migrate_carries_one_redis_over_with_times_to_live() {
    let (old, shards) = (Shard::start(), Shard::several(3));
    fill(&old);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let settings = "hash: fnv1a_32\ndistribution: rendezvous\nredis_auth: secret";
    for shard in &shards {
        shard.client().command(&["CONFIG", "SET", "requirepass", "secret"]);
    }
    let circlet = Circlet::with_config(&pool_yaml("pool", &servers, settings));
    let told = move_in(&old, &circlet, "AUTH secret");
    assert_eq!(told.lines().filter(|line| *line == "OK").count(), 9, "{told}");
    let mut client = circlet.client();
    assert_eq!(client.command(&["AUTH", "secret"]), Reply::ok());
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(900));
    for number in [0, 7, 299] {
        let text = client.command(&["GET", &format!("text:{number}")]);
        assert_eq!(text, Reply::bulk(format!("value {number}")));
        let length = client.command(&["LLEN", &format!("list:{number}")]);
        assert_eq!(length, Reply::Integer(3));
        let Reply::Integer(left) = client.command(&["TTL", &format!("brief:{number}")]) else {
            panic!("TTL")
        };
        assert!((900..=1000).contains(&left), "{left}");
    }
    assert_eq!(old.client().command(&["DBSIZE"]), Reply::Integer(900), "COPY keeps them");
}
