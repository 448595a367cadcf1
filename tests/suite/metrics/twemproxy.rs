//! The stats port under traffic, field by field, beside the real nutcracker.

use serde_json::Value;

use crate::harness::{
    Circlet, Nutcracker, Proxy, Relay, Shard, encode, eventually, pool_yaml, say,
};

/// Both over shards of their own, which are told the same.
fn both(settings: &str) -> [(Shard, Proxy); 2] {
    let shards = [Shard::start(), Shard::start()];
    let text = |shard: &Shard| pool_yaml("pool", &[shard.server(1, Some("one"))], settings);
    let proxies =
        [Nutcracker::with_config(&text(&shards[0])), Circlet::with_config(&text(&shards[1]))];
    let mut pairs = shards.into_iter().zip(proxies);
    [pairs.next().expect("two"), pairs.next().expect("two")]
}

/// The numbers of the pool and of its shard by name, but for those in `but`.
fn numbers(proxy: &Proxy, but: &[&str]) -> Vec<(String, u64)> {
    let tree = proxy.stats_tree();
    let of = |node: &Value| {
        let node = node.as_object().expect("an object").clone();
        node.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_u64()?)))
            .collect::<Vec<_>>()
    };
    let mut all = of(&tree["pool"]);
    all.extend(of(&tree["pool"]["one"]));
    all.retain(|(name, _)| !but.contains(&&name[..]) && !OUR_OWN.contains(&&name[..]));
    all
}

fn traffic(proxy: &Proxy) {
    let mut client = proxy.client();
    let commands: Vec<Vec<u8>> = (0..200)
        .flat_map(|n| [encode(&["SET", &format!("key:{n}"), "value"]), encode(&["GET", "key:7"])])
        .collect();
    client.send(&commands.concat());
    for _ in 0..400 {
        client.read_reply();
    }
    say(&mut client, "LPUSH list a b c");
    say(&mut client, "HSET hash f v");
    say(&mut client, "LPUSH hash x");
}

#[test]
fn after_the_same_traffic_both_say_the_same() {
    let pairs = both("");
    for (_, proxy) in &pairs {
        traffic(proxy);
    }
    eventually("both have seen the client leave, and say the same", || {
        // nutcracker's are up to an interval old.
        let [theirs, ours] = [0, 1].map(|at| numbers(&pairs[at].1, &["client_eof"]));
        theirs == ours && theirs.iter().any(|(name, count)| name == "requests" && *count == 403)
    });
}

#[test]
fn values_are_those_of_this_moment() {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, Some("one"))], "");
    // nutcracker's would be half a minute old.
    let proxy = Circlet::with_arguments(&text, &["-i", "30000"]);
    let mut client = proxy.client();
    for count in 1..=5 {
        say(&mut client, "SET k v");
        assert_eq!(proxy.shard_stat("pool", "one", "requests"), count);
        assert_eq!(proxy.shard_stat("pool", "one", "responses"), count);
        assert_eq!(proxy.pool_stat("pool", "client_connections"), 1);
    }
}

#[test]
fn what_is_in_flight_is_in_the_queues_and_leaves_them() {
    let mut seen = Vec::new();
    for start in [Nutcracker::with_config, Circlet::with_config] {
        let shard = Shard::start();
        let relay = Relay::to(&shard);
        let proxy = start(&pool_yaml("pool", &[relay.server(1, "one")], ""));
        let mut client = proxy.client();
        say(&mut client, "SET warm up");
        shard.stop();
        let gets = encode(&["GET", "key"]).repeat(30);
        client.send(&gets);
        let queued = |name: &str| proxy.shard_stat("pool", "one", name);
        eventually("all are out", || queued("out_queue") == 30);
        seen.push([queued("in_queue"), queued("in_queue_bytes"), queued("out_queue_bytes")]);
        assert_eq!(queued("out_queue_bytes"), gets.len() as u64);
        shard.cont();
        (0..30).for_each(|_| drop(client.read_reply()));
        eventually("none is left", || queued("out_queue") == 0 && queued("out_queue_bytes") == 0);
    }
    assert_eq!(seen[0], seen[1], "nutcracker and circlet");
}

#[test]
fn a_shard_that_goes_is_counted_the_same_way() {
    let pairs = both("");
    for (shard, proxy) in &pairs {
        let mut client = proxy.client();
        say(&mut client, "SET k v");
        shard.stop();
        client.send(&encode(&["GET", "k"]));
        eventually("the request is out", || proxy.shard_stat("pool", "one", "out_queue") == 1);
        shard.kill9();
        assert!(client.read_reply().error().is_some());
    }
    let died = |proxy: &Proxy| {
        let of = |name| proxy.shard_stat("pool", "one", name);
        [of("server_eof") + of("server_err"), of("server_timedout"), of("server_connections")]
    };
    eventually("both have counted it", || died(&pairs[0].1) == [1, 0, 0]);
    assert_eq!(died(&pairs[1].1), died(&pairs[0].1));
    let failed = |proxy: &Proxy| proxy.pool_stat("pool", "forward_error");
    assert_eq!(failed(&pairs[1].1), failed(&pairs[0].1));
}

/// Statistics that only circlet has.
const OUR_OWN: [&str; 3] = ["shed_clients", "displaced_requests", "displaced_refused"];
