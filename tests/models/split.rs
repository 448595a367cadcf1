//! Split and merge: a command whose keys live on several shards is answered as by one Redis that
//! has all the keys, whatever the ring and in whatever order the shards reply.

use std::collections::BTreeMap;

use circlet::client::split::{parts, positions};
use circlet::command;
use circlet::config::{Distribution, Hash};
use circlet::reply::Merge;
use circlet::resp::{Request, RequestLimits, RequestScanner, Scan};
use circlet::route::ring::{Ring, RingSpec};
use proptest::prelude::*;

use crate::{cases, wire};

/// A Redis as far as the commands that are split go.
#[derive(Debug, Default, Clone, PartialEq)]
struct Redis(BTreeMap<Vec<u8>, Vec<u8>>);

impl Redis {
    fn reply(&mut self, args: &[Vec<u8>]) -> Vec<u8> {
        let keys = &args[1..];
        match &args[0].to_ascii_uppercase()[..] {
            b"MGET" => {
                let value = |key| match self.0.get(key) {
                    Some(value) => wire::bulk(value),
                    None => b"$-1\r\n".to_vec(),
                };
                wire::array(&keys.iter().map(value).collect::<Vec<_>>())
            }
            b"MSET" => {
                for pair in keys.chunks(2) {
                    self.0.insert(pair[0].clone(), pair[1].clone());
                }
                b"+OK\r\n".to_vec()
            }
            b"DEL" | b"UNLINK" => count(keys.iter().filter(|key| self.0.remove(*key).is_some())),
            b"EXISTS" | b"TOUCH" => count(keys.iter().filter(|key| self.0.contains_key(*key))),
            other => panic!("not split: {}", other.escape_ascii()),
        }
    }
}

fn count<'a>(keys: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    format!(":{}\r\n", keys.count()).into_bytes()
}

/// Shards, and who has which key.
struct Fleet {
    ring: Ring,
    shards: Vec<Redis>,
    /// Which of a command's parts is answered next.
    order: u64,
}

impl Fleet {
    fn reply(&mut self, args: &[Vec<u8>]) -> Vec<u8> {
        let bytes = wire::say(args);
        let mut scanner = RequestScanner::default();
        let scan = scanner.scan(&bytes, &RequestLimits::default());
        assert_eq!(scan, Ok(Scan::Done(bytes.len())));
        let request = Request::new(&bytes, scanner.args());
        let spec = command::resolve(&request).unwrap();
        let keys = positions(spec, &request).unwrap();
        let shard = |&key: &u32| self.ring.shard(request.arg(key as usize)).unwrap() as u16;
        let homes: Vec<u16> = keys.iter().map(shard).collect();
        let (parts, merge) = parts(spec, &request, &keys, homes.clone(), self.shards.len());
        let mut asked: Vec<u16> = parts.iter().map(|&(shard, _)| shard as u16).collect();
        asked.sort_unstable();
        let mut concerned = homes;
        concerned.sort_unstable();
        concerned.dedup();
        assert_eq!(asked, concerned, "each shard that has keys is asked once, and no other");
        self.merge(parts, merge)
    }

    fn merge(&mut self, mut parts: Vec<(usize, Vec<u8>)>, mut merge: Merge) -> Vec<u8> {
        let mut places: Vec<usize> = (0..parts.len()).collect();
        while !places.is_empty() {
            assert!(!merge.is_complete());
            let place = places.remove(self.order as usize % places.len());
            self.order = self.order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> 1;
            let (shard, part) = std::mem::take(&mut parts[place]);
            let (args, length) = wire::command(&part).expect("a part is a whole command");
            assert_eq!(length, part.len());
            merge.fill(place, &self.shards[shard].reply(&args));
        }
        assert!(merge.is_complete());
        let mut reply = Vec::new();
        merge.write(&mut reply);
        reply
    }
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "[a-f]{1,2}".prop_map(String::into_bytes),
        2 => "[a-c]?\\{[a-c]{0,2}\\}[a-c]?".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

fn said() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let name = prop::sample::select(vec!["MGET", "mget", "DEL", "UNLINK", "EXISTS", "Touch"]);
    let keyed = (name, prop::collection::vec(word(), 1..12)).prop_map(|(name, keys)| {
        let mut args = vec![name.as_bytes().to_vec()];
        args.extend(keys);
        args
    });
    let set = prop::collection::vec((word(), word()), 1..12).prop_map(|pairs| {
        let mut args = vec![b"MSET".to_vec()];
        args.extend(pairs.into_iter().flat_map(|(key, value)| [key, value]));
        args
    });
    prop_oneof![3 => keyed, 2 => set]
}

fn ring() -> impl Strategy<Value = Ring> {
    let distribution = prop::sample::select(vec![Distribution::Ketama, Distribution::Modula]);
    let hash = prop::sample::select(vec![Hash::Fnv1a64, Hash::Crc16, Hash::Murmur]);
    let tag = prop::sample::select(vec![None, Some(*b"{}")]);
    (1..7usize, 1..9u32, distribution, hash, tag).prop_map(
        |(servers, weight, distribution, hash, hash_tag)| {
            let names: Vec<String> = (0..servers).map(|server| format!("shard{server}")).collect();
            let servers: Vec<(&str, u32)> = names
                .iter()
                .zip((1..).step_by(weight as usize))
                .map(|(name, weight)| (&name[..], weight % 5))
                .collect();
            RingSpec { distribution, hash, hash_tag, ..RingSpec::new(&servers) }.build()
        },
    )
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn shards_answer_together_as_one_redis(
        ring in ring(),
        said in prop::collection::vec(said(), 1..25),
        order in any::<u64>(),
    ) {
        let mut one = Redis::default();
        let mut fleet = Fleet { shards: vec![Redis::default(); ring.servers()], ring, order };
        for args in said {
            let (reply, expected) = (fleet.reply(&args), one.reply(&args));
            prop_assert!(
                reply == expected,
                "{} is answered {} instead of {}",
                wire::say(&args).escape_ascii(), reply.escape_ascii(), expected.escape_ascii()
            );
        }
        // Each key is where the ring says, and nowhere else.
        let mut all = BTreeMap::new();
        for (shard, redis) in fleet.shards.iter().enumerate() {
            for (key, value) in &redis.0 {
                prop_assert_eq!(fleet.ring.shard(key), Some(shard));
                all.insert(key.clone(), value.clone());
            }
        }
        prop_assert_eq!(Redis(all), one);
    }
}
