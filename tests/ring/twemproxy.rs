//! Every key lives where the real nutcracker puts it: twelve hashes, three distributions, and
//! seven lists of servers, over real shards, with keys of any bytes.

use std::collections::{HashMap, HashSet};

use circlet::config::{Distribution, Ejection, Hash};
use circlet::route::{Ring, RingSpec};

use crate::fleet::{Fleet, Shard};
use crate::nutcracker::{Nutcracker, PoolText};

const HASHES: [(&str, Hash); 12] = [
    ("one_at_a_time", Hash::OneAtATime),
    ("md5", Hash::Md5),
    ("crc16", Hash::Crc16),
    ("crc32", Hash::Crc32),
    ("crc32a", Hash::Crc32a),
    ("fnv1_64", Hash::Fnv1_64),
    ("fnv1a_64", Hash::Fnv1a64),
    ("fnv1_32", Hash::Fnv1_32),
    ("fnv1a_32", Hash::Fnv1a32),
    ("hsieh", Hash::Hsieh),
    ("murmur", Hash::Murmur),
    ("jenkins", Hash::Jenkins),
];

const DISTRIBUTIONS: [(&str, Distribution); 3] = [
    ("ketama", Distribution::Ketama),
    ("modula", Distribution::Modula),
    ("random", Distribution::Random),
];

/// Keys for each pool: with 25 shards the chance that `random` leaves one out is 3 in 10⁸.
const KEYS: usize = 500;

/// One server as the oracle's file has it, its name by twemproxy's rules, and its shard.
#[derive(Clone)]
struct Entry {
    text: String,
    name: String,
    weight: u32,
    shard: usize,
}

/// A list of servers and the hash tag of the pools that have it.
struct List {
    name: &'static str,
    tag: Option<[u8; 2]>,
    entries: Vec<Entry>,
}

impl List {
    /// The servers in the order in which twemproxy numbers them.
    fn new(name: &'static str, tag: Option<&[u8; 2]>, mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
        Self { name, tag: tag.copied(), entries }
    }

    fn ring(&self, hash: Hash, distribution: Distribution, ejection: Ejection) -> Ring {
        let servers: Vec<(&str, u32)> =
            self.entries.iter().map(|entry| (entry.name.as_str(), entry.weight)).collect();
        let hash_tag = self.tag;
        RingSpec { hash, hash_tag, distribution, ejection, ..RingSpec::new(&servers) }.build()
    }

    /// The fleet's shards that the list names, with their numbers in the fleet.
    fn shards<'a>(&self, fleet: &'a Fleet) -> Vec<(usize, &'a Shard)> {
        self.entries.iter().map(|entry| (entry.shard, &fleet.shards[entry.shard])).collect()
    }

    /// The pool's text, with the servers in an order that is not the sorted one.
    fn pool(&self, name: String, hash: &str, distribution: &str) -> PoolText {
        let mut settings = vec![("hash", hash.into()), ("distribution", distribution.into())];
        if let Some([open, close]) = self.tag {
            settings.push(("hash_tag", format!("\"{}{}\"", char::from(open), char::from(close))));
        }
        let servers = self.entries.iter().rev().map(|entry| entry.text.clone()).collect();
        PoolText { name, settings, servers }
    }
}

fn tcp(fleet: &Fleet, shard: usize, weight: u32) -> Entry {
    let Shard { host, port, .. } = &fleet.shards[shard];
    let name = if *port == 11211 { host.clone() } else { format!("{host}:{port}") };
    Entry { text: format!("{host}:{port}:{weight}"), name, weight, shard }
}

fn unix(fleet: &Fleet, shard: usize, weight: u32) -> Entry {
    let path = fleet.shards[shard].socket.display();
    Entry { text: format!("{path}:{weight}"), name: format!("{path}:"), weight, shard }
}

fn named(entry: Entry, name: &str) -> Entry {
    Entry { text: format!("{} {name}", entry.text), name: name.into(), ..entry }
}

fn lists(fleet: &Fleet) -> Vec<List> {
    let alias = |(shard, name): (usize, &str)| named(tcp(fleet, shard, 1), name);
    let names = ["zz", "beta", "alpha", "a-much-longer-name", "b2"];
    let weights = [5, 3, 2, 40, 1];
    let weighted = weights.iter().zip(1..).map(|(&weight, shard)| tcp(fleet, shard, weight));
    let sockets = vec![
        unix(fleet, 3, 1),
        unix(fleet, 10, 2),
        unix(fleet, 7, 1),
        named(unix(fleet, 5, 3), "socket"),
    ];
    vec![
        List::new("equal", None, (1..4).map(|shard| tcp(fleet, shard, 1)).collect()),
        List::new("weighted", None, weighted.collect()),
        List::new("named", Some(b"{}"), (1..).zip(names).map(alias).collect()),
        List::new("unnamed", Some(b"||"), (0..7).map(|shard| tcp(fleet, shard, 1)).collect()),
        List::new("many", None, (0..25).map(|shard| tcp(fleet, shard, 1)).collect()),
        List::new("sockets", None, sockets),
        List::new("single", None, vec![tcp(fleet, 9, 1)]),
    ]
}

/// Different keys of any bytes and any length to 40, the empty one, and ones with hash tags.
fn keys() -> Vec<Vec<u8>> {
    let tagged = |n: usize| format!("{}{{user{}}}|{}|", n % 7, n % 90, n % 50).into_bytes();
    let mut keys: HashSet<Vec<u8>> = (0..100).map(tagged).collect();
    keys.extend(["", "{}", "{}x", "a{", "}a{b}", "||", "|a", "{{b}}"].map(|key| key.into()));
    while keys.len() < KEYS {
        let length = fastrand::usize(1..=40);
        keys.insert((0..length).map(|_| fastrand::u8(..)).collect());
    }
    keys.into_iter().collect()
}

/// Sets keys through the oracle's pool and looks on which of these shards each of them is now.
fn found(
    shards: &[(usize, &Shard)],
    oracle: &Nutcracker,
    pool: &str,
    keys: &[Vec<u8>],
) -> HashMap<Vec<u8>, usize> {
    shards.iter().for_each(|(_, shard)| shard.clear());
    assert!(oracle.set(pool, keys).iter().all(|&ok| ok), "{pool}: nutcracker refused a key");
    let mut found = HashMap::new();
    for &(number, shard) in shards {
        found.extend(shard.keys().into_iter().map(|key| (key, number)));
    }
    assert_eq!(found.len(), keys.len(), "{pool}: keys were lost");
    found
}

fn check_random(list: &List, ring: &Ring, found: &HashMap<Vec<u8>, usize>, pool: &str) {
    let ours: HashSet<usize> =
        found.keys().map(|key| list.entries[ring.shard(key).unwrap()].shard).collect();
    let theirs: HashSet<usize> = found.values().copied().collect();
    let every: HashSet<usize> = list.entries.iter().map(|entry| entry.shard).collect();
    assert_eq!(theirs, every, "{pool}: nutcracker");
    assert_eq!(ours, every, "{pool}: circlet");
}

fn check_placement(list: &List, ring: &Ring, found: &HashMap<Vec<u8>, usize>, pool: &str) {
    for (key, &theirs) in found {
        let ours = list.entries[ring.shard(key).unwrap()].shard;
        assert_eq!(ours, theirs, "{pool}: {}", key.escape_ascii());
    }
}

#[test]
fn every_key_lives_where_nutcracker_puts_it() {
    let fleet = Fleet::start(25);
    let lists = lists(&fleet);
    for (hash_name, hash) in HASHES {
        let combinations = || lists.iter().flat_map(|list| DISTRIBUTIONS.map(|by| (list, by)));
        let pool = |list: &List, by: &str| format!("{}-{by}", list.name);
        let texts: Vec<PoolText> = combinations()
            .map(|(list, (by, _))| list.pool(pool(list, by), hash_name, by))
            .collect();
        let oracle = Nutcracker::start(&fleet, &texts);
        for (list, (by, distribution)) in combinations() {
            let found = found(&list.shards(&fleet), &oracle, &pool(list, by), &keys());
            let ring = list.ring(hash, distribution, Ejection::Skip);
            let context = format!("{hash_name} {}", pool(list, by));
            match distribution {
                Distribution::Random => check_random(list, &ring, &found, &context),
                _ => check_placement(list, &ring, &found, &context),
            }
        }
    }
}

/// `ejection: rebuild` against nutcracker's own ejection: after a shard has died, all keys,
/// those of live shards that twemproxy moves included, are where nutcracker has them.
#[test]
fn rebuilding_moves_the_keys_that_nutcracker_moves() {
    let mut fleet = Fleet::start(6);
    let weights = [10, 3, 1, 2, 1];
    let entries = weights.iter().zip(1..).map(|(&weight, shard)| tcp(&fleet, shard, weight));
    let list = List::new("ejecting", None, entries.collect());
    let ejecting = |by: &str| {
        let mut pool = list.pool(by.into(), "fnv1a_32", by);
        let settings = [
            ("auto_eject_hosts", "true"),
            ("server_failure_limit", "1"),
            ("server_retry_timeout", "3600000"),
        ];
        pool.settings.extend(settings.map(|(key, value)| (key, value.to_owned())));
        pool
    };
    let oracle = Nutcracker::start(&fleet, &[ejecting("ketama"), ejecting("modula")]);
    fleet.shards[1].kill();
    let dead = list.entries.iter().position(|entry| entry.shard == 1).unwrap();
    let mut shards = list.shards(&fleet);
    shards.remove(dead);
    let live: Vec<bool> = (0..weights.len()).map(|server| server != dead).collect();

    for (by, distribution) in &DISTRIBUTIONS[..2] {
        // Requests are how nutcracker learns that the shard is dead.
        let ejected = || oracle.set(by, &keys()).iter().all(|&ok| ok);
        assert!((0..100).any(|_| ejected()), "{by}: nutcracker ejected nobody");
        let found = found(&shards, &oracle, by, &keys());
        let ring = list.ring(Hash::Fnv1a32, *distribution, Ejection::Rebuild).with_live(&live);
        check_placement(&list, &ring, &found, by);
        let moved =
            |key: &Vec<u8>| ring.home(key) != dead && ring.shard(key) != Some(ring.home(key));
        assert!(found.keys().any(moved), "{by}: the weights were to make live keys move");
    }
}
