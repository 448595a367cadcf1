//! Explanations against the way that keys really go.

use super::*;
use crate::config::Hash;
use crate::route::RingSpec;
use crate::route::hash::hash;

const SERVERS: [(&str, u32); 4] = [("a", 1), ("b", 2), ("c", 1), ("d", 3)];
const ALL: [Distribution; 4] =
    [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous, Distribution::Random];

fn ring(distribution: Distribution, tag: Option<[u8; 2]>) -> Ring {
    let spec = RingSpec::new(&SERVERS);
    RingSpec { hash: Hash::Fnv1a64, distribution, hash_tag: tag, ..spec }.build()
}

#[test]
fn an_explanation_is_the_way_that_the_key_goes() {
    for distribution in ALL {
        for tag in [None, Some(*b"{}"), Some(*b"||")] {
            let ring = ring(distribution, tag);
            for key in ["a", "{user}:1", "x{user}y{z}", "|a|b|", "", "{}x"] {
                let told = ring.explain(key.as_bytes());
                let part = &key.as_bytes()[told.hashed.clone()];
                assert_eq!(told.hash, hash(part, Hash::Fnv1a64, crate::config::KeyBytes::Signed));
                match distribution {
                    Distribution::Random => assert_eq!((told.home, told.shard), (None, None)),
                    _ => assert_eq!(told.shard, ring.shard(key.as_bytes())),
                }
                assert!(!told.is_displaced());
            }
        }
    }
    let tagged = ring(Distribution::Ketama, Some(*b"{}")).explain(b"x{user}y");
    assert_eq!(tagged.hashed, 2..6);
}

#[test]
fn a_stand_in_is_where_the_key_goes_after_an_ejection() {
    for distribution in [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous] {
        let ring = ring(distribution, None);
        for home in 0..SERVERS.len() {
            let without = ring.without(home);
            let live: Vec<bool> = (0..SERVERS.len()).map(|shard| shard != home).collect();
            let ejected = ring.with_live(&live);
            let second = ejected.without((home + 1) % SERVERS.len());
            for key in (0..200).map(|number: u32| number.to_string()) {
                let told = ejected.explain(key.as_bytes());
                assert_eq!(told.home, Some(ring.home(key.as_bytes())));
                assert_eq!(told.shard, without.shard(key.as_bytes()));
                assert_eq!(told.is_displaced(), told.home == Some(home));
                let last = second.shard(key.as_bytes());
                assert!(last != Some(home) && last != Some((home + 1) % SERVERS.len()));
            }
        }
    }
}

#[test]
fn the_spot_is_the_one_that_the_hash_falls_on() {
    let rings = ALL.map(|distribution| ring(distribution, None));
    for key in (0..200).map(|number: u32| number.to_string()) {
        let told = rings[0].explain(key.as_bytes());
        let Spot::Point { value, index, of } = told.spot else { panic!("{:?}", told.spot) };
        assert!(index < of && (value >= told.hash || index == 0));
        let told = rings[1].explain(key.as_bytes());
        assert_eq!(told.spot, Spot::Place { index: u64::from(told.hash) % 7, of: 7 });
        let told = rings[2].explain(key.as_bytes());
        assert!(matches!(told.spot, Spot::Slot { index, of } if index < of));
        let told = rings[3].explain(key.as_bytes());
        assert_eq!(told.spot, Spot::Chance);
    }
    let one = RingSpec::new(&[("a", 1)]).build().explain(b"k");
    assert_eq!((one.spot, one.shard), (Spot::Only, Some(0)));
}
