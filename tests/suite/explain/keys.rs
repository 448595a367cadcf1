//! What is said of keys is where they really are.

use super::told::{Told, explain};
use crate::harness::{Circlet, Client, Proxy, Reply, Shard, eventually, pool_yaml, raw, say};

const HASHES: [&str; 12] = [
    "one_at_a_time",
    "md5",
    "crc16",
    "crc32",
    "crc32a",
    "fnv1_64",
    "fnv1a_64",
    "fnv1_32",
    "fnv1a_32",
    "hsieh",
    "murmur",
    "jenkins",
];
const TAGS: [&str; 3] = ["", "hash_tag: \"{}\"", "hash_tag: \"||\""];
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

fn servers(shards: &[Shard]) -> Vec<String> {
    let named = shards.iter().zip(NAMES).zip([1, 3, 2]);
    named.map(|((shard, name), weight)| shard.server(weight, Some(name))).collect()
}

/// The one shard that has the key.
#[track_caller]
fn holder(direct: &mut [Client], key: &str) -> &'static str {
    let has = |shard: &mut Client| shard.command(&["EXISTS", key]) == Reply::Integer(1);
    let found: Vec<usize> =
        direct.iter_mut().enumerate().filter_map(|(at, shard)| has(shard).then_some(at)).collect();
    assert_eq!(found.len(), 1, "{key} is on {found:?}");
    NAMES[found[0]]
}

#[test]
fn every_key_is_where_it_is_said_to_be() {
    let shards = Shard::several(3);
    let mut direct: Vec<Client> = shards.iter().map(Shard::client).collect();
    let few = &HASHES[5..8];
    for (distribution, hashes) in
        [("ketama", &HASHES[..]), ("modula", &HASHES), ("rendezvous", few)]
    {
        let mut text = String::new();
        for (hash, tag) in hashes.iter().zip(TAGS.iter().cycle()) {
            let settings = format!("hash: {hash}\ndistribution: {distribution}\n{tag}");
            text += &pool_yaml(hash, &servers(&shards), &settings);
        }
        let proxy = Circlet::with_config(&text);
        for &hash in hashes {
            let mut client = proxy.client_of(hash);
            let keys = ["a", "user:{7}:name", "{7}", "x|7|y", "|7|", "caf\u{e9}", "{}z"];
            keys.iter().for_each(|key| assert_eq!(client.command(&["SET", key, "1"]), Reply::ok()));
            for (key, told) in keys.iter().zip(explain_all(&mut client, &keys)) {
                assert_eq!(told.text("shard"), holder(&mut direct, key), "{told:?}");
                assert_eq!(told.text("home"), told.text("shard"));
                assert_eq!((&*told.text("hash"), &*told.text("place")), (hash, "at home"));
            }
            client.command(&[&["DEL"][..], &keys].concat());
        }
    }
}

/// What is told of each key, at once: in a build for tests it takes a while to share out the slots
/// of rendezvous without one shard.
fn explain_all(client: &mut Client, keys: &[&str]) -> Vec<Told> {
    explain(client, &[&["MGET"][..], keys].concat()).maps("keys")
}

#[test]
fn a_hash_tag_is_named_and_its_keys_have_one_point() {
    let shards = Shard::several(3);
    let proxy = Circlet::with_config(&pool_yaml("pool", &servers(&shards), "hash_tag: \"{}\""));
    let mut client = proxy.client();
    let (one, other) = (explain(&mut client, &["a{7}b"]), explain(&mut client, &["{7}"]));
    assert_eq!((one.text("hash_tag"), other.text("hash_tag")), ("7".into(), "7".into()));
    assert_eq!(one.text("point"), other.text("point"));
    let bare = explain(&mut client, &["7"]);
    assert_eq!(*bare.field("hash_tag"), Reply::Nil);
    assert_eq!(bare.text("point"), one.text("point"));
    // As redis-cli shows it: names and values, or a map of RESP3.
    let reply = raw(&mut client, "PROXY EXPLAIN 7");
    assert!(reply.starts_with("*22\r\n$3\r\nkey\r\n$1\r\n7\r\n"), "{reply}");
    say(&mut client, "HELLO 3");
    let reply = raw(&mut client, "PROXY EXPLAIN 7");
    assert!(reply.starts_with("%11\r\n$3\r\nkey\r\n$1\r\n7\r\n"), "{reply}");
}

#[test]
fn keys_by_chance_have_no_home() {
    let shards = Shard::several(3);
    let yaml = pool_yaml("pool", &servers(&shards), "distribution: random");
    let told = explain(&mut Circlet::with_config(&yaml).client(), &["7"]);
    assert_eq!((told.field("home"), told.field("shard")), (&Reply::Nil, &Reply::Nil));
    assert!(told.text("place").contains("by chance"), "{told:?}");
}

fn ejecting(shards: &[Shard], settings: &str) -> Proxy {
    let settings = format!(
        "auto_eject_hosts: true\nserver_failure_limit: 1\nserver_retry_timeout: 30000\n\
         heartbeat_interval: 100\nheartbeat_timeout: 500\n{settings}"
    );
    Circlet::with_config(&pool_yaml("pool", &servers(shards), &settings))
}

#[test]
fn after_an_ejection_a_key_is_where_it_was_foretold() {
    for distribution in ["ketama", "modula", "rendezvous"] {
        let shards = Shard::several(3);
        let proxy = ejecting(&shards, &format!("hash: md5\ndistribution: {distribution}"));
        let mut client = proxy.client();
        let keys: Vec<String> = (0..40).map(|number| format!("key:{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let foretold = explain_all(&mut client, &keys);
        shards[1].kill9();
        eventually("the shard is ejected", || {
            let told = client.command(&["PROXY", "SHARDS"]);
            Told::shard(told, "beta").text("state") == "ejected"
        });
        let mut direct = [shards[0].client(), shards[2].client()];
        let mut displaced = 0;
        let now = explain_all(&mut client, &keys);
        for ((key, foretold), told) in keys.iter().zip(foretold).zip(now) {
            assert_eq!(client.command(&["SET", key, "1"]), Reply::ok());
            let is_on = |at: &mut Client| at.command(&["EXISTS", key]) == Reply::Integer(1);
            let found = match (is_on(&mut direct[0]), is_on(&mut direct[1])) {
                (true, false) => "alpha",
                (false, true) => "gamma",
                both => panic!("{key}: {both:?}"),
            };
            assert_eq!(told.text("shard"), found);
            let was_on_dead = foretold.text("shard") == "beta";
            let expected = if was_on_dead { "if_ejected" } else { "shard" };
            assert_eq!(foretold.text(expected), found, "{foretold:?}");
            let place = told.text("place");
            assert_eq!(told.text("home"), foretold.text("home"));
            match was_on_dead {
                true => {
                    displaced += 1;
                    assert!(place.starts_with("displaced: beta is ejected for "), "{place}");
                    assert!(place.contains("failure"), "the cause is told: {place}");
                }
                false => assert_eq!(place, "at home"),
            }
        }
        assert!(displaced > 5, "{displaced} of 40 for half of the weight");
        let reply = client.command(&["PROXY", "SHARDS"]);
        let told = Told::shard(reply.clone(), "beta");
        let heirs = told.maps("displaced_to");
        assert_eq!(heirs.len(), 2, "{heirs:?}");
        let part = |share: String| share.trim_end_matches(" %").parse::<f64>().unwrap();
        let heired: f64 = heirs.iter().map(|heir| part(heir.text("share"))).sum();
        let lost = part(told.text("share"));
        assert!((heired - lost).abs() < 0.5, "{heired} of {lost}: {told:?}");
        assert_eq!(told.text("share_now"), "0.00 %");
        assert!(Told::shard(reply, "alpha").maps("displaced_to").is_empty());
    }
}

#[test]
fn a_shard_that_keeps_its_keys_while_down_is_said_to_fail() {
    let shards = Shard::several(3);
    let settings = "heartbeat_interval: 100\nserver_failure_limit: 1\nheartbeat_timeout: 500";
    let proxy = Circlet::with_config(&pool_yaml("pool", &servers(&shards), settings));
    let mut client = proxy.client();
    let key = (0..)
        .map(|n| n.to_string())
        .find(|key| explain(&mut client, &[key]).text("shard") == "gamma");
    let key = key.expect("gamma has some keys");
    shards[2].kill9();
    eventually("the shard is down", || {
        explain(&mut client, &[&key]).text("place").starts_with("at home; its requests fail")
    });
    let told = explain(&mut client, &[&key]);
    assert!(told.text("place").contains("gamma is down for "), "{told:?}");
    assert!(told.text("if_ejected").contains("auto_eject_hosts is off"), "{told:?}");
    let command = explain(&mut client, &["GET", &key]);
    assert!(command.texts("fails")[0].starts_with("gamma: "), "{command:?}");
}

#[test]
fn counts_of_shards_are_those_of_all_workers() {
    let shards = Shard::several(3);
    let yaml = pool_yaml("pool", &servers(&shards), "hash: md5");
    let proxy = Circlet::with_arguments(&yaml, &["--threads", "3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| proxy.client()).collect();
    for client in &mut clients {
        for key in 0..30 {
            client.command(&["SET", &key.to_string(), "1"]);
        }
        client.send(&crate::harness::encode(&["BLPOP", "list", "0"]));
    }
    let mut asker = proxy.client();
    let sum = |asker: &mut Client, name: &str| -> u64 {
        let told = Told::list(asker.command(&["PROXY", "SHARDS"]));
        let count = |told: &Told| match told.field(name) {
            Reply::Integer(count) => *count as u64,
            other => panic!("{name}: {other}"),
        };
        told.iter().map(count).sum()
    };
    eventually("each worker has a link to each shard, each waiter one of its own", || {
        sum(&mut asker, "links") == 12 && sum(&mut asker, "in_flight") == 3
    });
    let ring = Told::of(asker.command(&["PROXY", "RING"]));
    let told = ring.maps("shards");
    assert_eq!(told.len(), 3);
    let share =
        |told: &Told| -> f64 { told.text("share").trim_end_matches(" %").parse().expect("a part") };
    assert!((told.iter().map(share).sum::<f64>() - 100.0).abs() < 0.05, "{ring:?}");
    assert_eq!(ring.text("distribution"), "ketama");
}
