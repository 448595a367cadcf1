//! What the documentation promises of every ring, whatever the servers, weights and keys.

use circlet::config::{Distribution, Ejection, Hash, KeyBytes};
use circlet::route::ring::{ALL, Displaced, NOTHING};
use circlet::route::{Ring, RingSpec};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

type Servers = Vec<(String, u32)>;

fn ring(servers: &Servers, distribution: Distribution, ejection: Ejection) -> Ring {
    let servers: Vec<(&str, u32)> =
        servers.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
    RingSpec { distribution, ejection, ..RingSpec::new(&servers) }.build()
}

fn some_servers() -> impl Strategy<Value = Servers> {
    let weight = prop_oneof![4 => 1_u32..5, 1 => 1_u32..2_000];
    btree_map("[a-z0-9.:]{1,16}", weight, 2..12).prop_map(|servers| servers.into_iter().collect())
}

fn placing() -> impl Strategy<Value = Distribution> {
    prop_oneof![
        Just(Distribution::Ketama),
        Just(Distribution::Modula),
        Just(Distribution::Rendezvous)
    ]
}

fn any_distribution() -> impl Strategy<Value = Distribution> {
    prop_oneof![3 => placing(), 1 => Just(Distribution::Random)]
}

fn keys() -> Vec<Vec<u8>> {
    (0..2_000).map(|n| format!("user:{n}").into_bytes()).collect()
}

fn alive(servers: &Servers, out: &[bool]) -> Vec<bool> {
    (0..servers.len()).map(|server| !out.get(server).copied().unwrap_or(false)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// From any set of live shards to any smaller one, keys that were on a shard that stays
    /// stay: those that had been displaced onto it before included.
    #[test]
    fn skipping_moves_no_live_shards_key(
        servers in some_servers(),
        distribution in placing(),
        first in vec(proptest::bool::weighted(0.3), 12),
        then in vec(proptest::bool::weighted(0.3), 12),
    ) {
        let home = ring(&servers, distribution, Ejection::Skip);
        let before = alive(&servers, &first);
        let out: Vec<bool> = first.iter().zip(&then).map(|(&first, &then)| first || then).collect();
        let after = alive(&servers, &out);
        let (one, two) = (home.with_live(&before), home.with_live(&before).with_live(&after));
        for key in keys() {
            let (was, is) = (one.shard(&key), two.shard(&key));
            if was.is_some_and(|shard| after[shard]) {
                prop_assert_eq!(was, is, "{:?}", String::from_utf8_lossy(&key));
            }
            if before[home.home(&key)] {
                prop_assert_eq!(was, Some(home.home(&key)));
            }
        }
    }

    /// A shard on its way back gets a growing part of its keys, each of them once; the others'
    /// keys stay.
    #[test]
    fn a_returning_shard_gets_its_keys_one_after_the_other(
        servers in some_servers(),
        distribution in placing(),
        back in 0_usize..12,
        small in 1_u8..=254,
        more in 0_u8..=255,
    ) {
        let home = ring(&servers, distribution, Ejection::Skip);
        let back = back % servers.len();
        let with = |share: u8| {
            let mut shares = vec![ALL; servers.len()];
            shares[back] = share;
            home.with_shares(&shares)
        };
        let large = small.saturating_add(more);
        let (out, some, grown) = (with(NOTHING), with(small), with(large));
        for key in keys() {
            let own = home.home(&key);
            let (first, then) = (some.shard(&key), grown.shard(&key));
            if own != back {
                prop_assert_eq!((first, then), (Some(own), Some(own)));
                prop_assert_eq!(some.displaced(&key), None);
                continue;
            }
            prop_assert!(first == Some(back) || first == out.shard(&key));
            prop_assert!(first != Some(back) || then == Some(back), "it went and left again");
            let elsewhere = first.filter(|&shard| shard != back);
            let displaced = elsewhere.map(|stand_in| Displaced { home: back, stand_in });
            prop_assert_eq!(some.displaced(&key), displaced);
        }
        prop_assert!((some.shares().iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn no_key_goes_to_a_dead_shard(
        servers in some_servers(),
        distribution in any_distribution(),
        rebuild in any::<bool>(),
        out in vec(any::<bool>(), 12),
    ) {
        let ejection = if rebuild { Ejection::Rebuild } else { Ejection::Skip };
        let live = alive(&servers, &out);
        let ring = ring(&servers, distribution, ejection).with_live(&live);
        for key in keys() {
            match ring.shard(&key) {
                Some(shard) => prop_assert!(live[shard]),
                None => prop_assert!(!live.contains(&true)),
            }
        }
    }

    #[test]
    fn a_ring_rebuilt_is_the_ring_of_those_who_are_left(
        servers in some_servers(),
        distribution in placing(),
        out in vec(proptest::bool::weighted(0.3), 12),
    ) {
        let live = alive(&servers, &out);
        let left: Vec<usize> = (0..servers.len()).filter(|&server| live[server]).collect();
        let alone: Servers = left.iter().map(|&server| servers[server].clone()).collect();
        let alone = ring(&alone, distribution, Ejection::Rebuild);
        let rebuilt = ring(&servers, distribution, Ejection::Rebuild).with_live(&live);
        for key in keys() {
            prop_assert_eq!(rebuilt.shard(&key), alone.shard(&key).map(|shard| left[shard]));
        }
    }

    #[test]
    fn whoever_returns_finds_every_key_where_it_was(
        servers in some_servers(),
        distribution in placing(),
        rebuild in any::<bool>(),
        out in vec(any::<bool>(), 12),
    ) {
        let ejection = if rebuild { Ejection::Rebuild } else { Ejection::Skip };
        let home = ring(&servers, distribution, ejection);
        let back = home.with_live(&alive(&servers, &out)).with_live(&alive(&servers, &[]));
        for key in keys() {
            prop_assert_eq!(back.shard(&key), Some(home.home(&key)));
        }
    }

    /// The shares are the truth: keys hashed well are found in these proportions.
    #[test]
    fn shares_say_where_keys_are(
        servers in some_servers(),
        distribution in any_distribution(),
        out in vec(proptest::bool::weighted(0.2), 12),
    ) {
        let ring = ring(&servers, distribution, Ejection::Skip).with_live(&alive(&servers, &out));
        let shares = ring.shares();
        let mut found = vec![0.0; servers.len()];
        for key in 0..20_000_u32 {
            if let Some(shard) = ring.shard(format!("key:{key:x}").as_bytes()) {
                found[shard] += 1.0 / 20_000.0;
            }
        }
        for (share, found) in shares.iter().zip(&found) {
            prop_assert!((share - found).abs() < 0.025, "{shares:?} {found:?}");
        }
    }

    #[test]
    fn a_server_that_joins_by_rendezvous_takes_keys_only_for_itself(
        servers in some_servers(),
        place in 0_usize..12,
        weight in 1_u32..10,
    ) {
        let place = place.min(servers.len());
        let mut more = servers.clone();
        more.insert(place, ("THE NEW ONE".into(), weight));
        let before = ring(&servers, Distribution::Rendezvous, Ejection::Skip);
        let after = ring(&more, Distribution::Rendezvous, Ejection::Skip);
        for key in keys() {
            let (was, is) = (before.home(&key), after.home(&key));
            prop_assert!(is == place || is == was + usize::from(was >= place));
        }
    }
}

/// What a dead shard leaves goes to all who remain, by their weights where those are exact.
#[test]
fn a_dead_shards_keys_spread_over_the_others() {
    let servers: Servers = (0..5).map(|n| (format!("10.0.0.{n}:6379"), 1 + n / 4)).collect();
    for distribution in [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous] {
        let ring = ring(&servers, distribution, Ejection::Skip);
        let without = ring.with_live(&[true, false, true, true, true]);
        let orphans: Vec<_> = (0..20_000)
            .map(|n| format!("user:{n}").into_bytes())
            .filter(|key| ring.home(key) == 1)
            .collect();
        let heirs = |shard| orphans.iter().filter(|key| without.shard(key) == Some(shard)).count();
        for (shard, part) in [(0, 0.2), (2, 0.2), (3, 0.2), (4, 0.4)] {
            let share = heirs(shard) as f64 / orphans.len() as f64;
            let error = if distribution == Distribution::Ketama { 0.15 } else { 0.04 };
            assert!((share - part).abs() < error, "{distribution:?}: {share} to shard {shard}");
        }
    }
}

/// A share is a part of the keys, and what the ring says of it is so.
#[test]
fn a_share_is_a_part_of_a_shards_keys() {
    let servers: Servers = (0..4).map(|n| (format!("10.0.0.{n}:6379"), 1)).collect();
    for distribution in [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous] {
        let home = ring(&servers, distribution, Ejection::Skip);
        for share in [16, 128, 240] {
            let ramping = home.with_shares(&[ALL, share, ALL, ALL]);
            let own: Vec<_> = (0..40_000)
                .map(|n| format!("user:{n}").into_bytes())
                .filter(|key| home.home(key) == 1)
                .collect();
            let had = own.iter().filter(|key| ramping.shard(key) == Some(1)).count();
            let (part, wanted) = (had as f64 / own.len() as f64, f64::from(share) / 255.0);
            assert!((part - wanted).abs() < 0.03, "{distribution:?}: {part} of {wanted}");
            let told = ramping.shares()[1] / home.shares()[1];
            assert!((told - wanted).abs() < 0.01, "{distribution:?}: told {told} of {wanted}");
        }
    }
}

#[test]
fn a_lone_server_has_every_key() {
    let servers = vec![("only".to_owned(), 1)];
    for distribution in [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous] {
        let ring = ring(&servers, distribution, Ejection::Skip);
        assert_eq!(ring.shard(b"key"), Some(0));
        assert_eq!(ring.with_live(&[false]).shard(b"key"), None);
        assert_eq!(ring.shares(), [1.0]);
    }
}

#[test]
fn a_ring_without_servers_has_no_shard() {
    let ring = ring(&Vec::new(), Distribution::Ketama, Ejection::Skip);
    assert_eq!(ring.shard(b"key"), None);
}

/// A server too light for a point inherits when all others are out, as any other would.
#[test]
fn pointless_servers_inherit_in_the_end() {
    let servers = vec![("a".to_owned(), 100_000), ("b".to_owned(), 1), ("c".to_owned(), 1)];
    let ring = ring(&servers, Distribution::Ketama, Ejection::Skip);
    assert_eq!(ring.points_of(1), 0);
    let orphaned = ring.with_live(&[false, true, true]);
    let owners: Vec<_> = keys().iter().map(|key| orphaned.shard(key)).collect();
    assert!(owners.contains(&Some(1)) && owners.contains(&Some(2)));
    assert_eq!(ring.with_live(&[false, false, true]).shard(b"key"), Some(2));
}

#[test]
fn modula_counts_points_by_weight_and_ignores_nobody() {
    let servers = vec![("a".to_owned(), 7), ("b".to_owned(), 1)];
    let ring = ring(&servers, Distribution::Modula, Ejection::Skip);
    assert_eq!([ring.points_of(0), ring.points_of(1), ring.points_of(2)], [7, 1, 0]);
}

/// crc32 has only 2¹⁵ values, all before the first point: the shares tell.
#[test]
fn shares_know_how_few_values_crc32_has() {
    let servers = [("a", 1), ("b", 1), ("c", 1)];
    let spec = RingSpec { hash: Hash::Crc32, ..RingSpec::new(&servers) };
    let ketama = RingSpec { distribution: Distribution::Ketama, ..spec.clone() }.build();
    assert!(ketama.shares().contains(&1.0), "{:?}", ketama.shares());
    let rendezvous = spec.build().shares();
    assert!(rendezvous.iter().all(|share| (share - 1.0 / 3.0).abs() < 0.02), "{rendezvous:?}");
}

#[test]
fn the_sign_of_bytes_is_the_pools_choice() {
    let servers = [("a", 1), ("b", 1), ("c", 1)];
    let signed = RingSpec { hash: Hash::Fnv1a64, ..RingSpec::new(&servers) };
    let unsigned = RingSpec { key_bytes: KeyBytes::Unsigned, ..signed.clone() };
    let (signed, unsigned) = (signed.build(), unsigned.build());
    let moves = |key: &[u8]| signed.shard(key) != unsigned.shard(key);
    assert!((0..100).any(|n| moves(format!("été{n}").as_bytes())));
    assert!(!(0..100).any(|n| moves(format!("ete{n}").as_bytes())));
}

/// Ten equal shards and a million keys: nobody has more than 2 % over the mean, whatever the
/// names, and whatever the hash, also one that leaves neighbours together.
#[test]
fn rendezvous_balances_ten_shards_within_two_percent() {
    let styles: [fn(u32) -> String; 3] =
        [|n| format!("10.0.0.{n}:6379"), |n| format!("shard{n}"), |n| format!("/tmp/r{n}.sock:")];
    for (style, hash) in styles.into_iter().zip([Hash::Fnv1a64, Hash::Fnv1a32, Hash::Murmur]) {
        let servers: Servers = (0..10).map(|n| (style(n), 1)).collect();
        let servers: Vec<(&str, u32)> =
            servers.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
        let ring = RingSpec { hash, ..RingSpec::new(&servers) }.build();
        let mut keys = [0_u32; 10];
        for key in 0..1_000_000_u32 {
            keys[ring.shard(format!("user:{key}").as_bytes()).unwrap()] += 1;
        }
        let peak = f64::from(*keys.iter().max().unwrap()) / 100_000.0;
        assert!(peak <= 1.02, "{hash:?}: {peak} times the mean: {keys:?}");
    }
}
