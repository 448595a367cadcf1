//! Moves against counted hashes.

use super::*;
use crate::config::{Distribution, Hash};
use crate::route::RingSpec;

const OLD: [(&str, u32); 3] = [("a", 1), ("b", 2), ("c", 1)];
const NEW: [(&str, u32); 4] = [("a", 1), ("b", 1), ("d", 3), ("c", 1)];

fn ring(servers: &[(&str, u32)], hash: Hash, distribution: Distribution) -> Ring {
    RingSpec { hash, distribution, ..RingSpec::new(servers) }.build()
}

/// The parts that move among keys that are looked up in both.
fn counted(old: &Ring, new: &Ring) -> (f64, BTreeMap<(usize, usize), f64>) {
    let (mut moved, mut each, keys) = (0.0, BTreeMap::new(), 20_000);
    let same = by_name(old, new);
    for number in 0..keys {
        let key = format!("key:{number}");
        let (from, to) = (old.shard(key.as_bytes()).unwrap(), new.shard(key.as_bytes()).unwrap());
        if same[from] != Some(to) {
            moved += 1.0;
            *each.entry((from, to)).or_default() += 1.0 / f64::from(keys);
        }
    }
    (moved / f64::from(keys), each)
}

fn agree(old: &Ring, new: &Ring, basis: Basis) {
    let moves = between(old, new, &by_name(old, new)).unwrap();
    assert_eq!(moves.basis, basis);
    let (share, each) = counted(old, new);
    assert!((moves.share() - share).abs() < 0.02, "{} and {share}", moves.share());
    for moved in &moves.each {
        let found = each.get(&(moved.from, moved.to)).copied().unwrap_or(0.0);
        assert!((moved.share - found).abs() < 0.02, "{moved:?} and {found}");
    }
    assert!(moves.each.is_sorted_by(|a, b| a.share >= b.share));
}

#[test]
fn every_distribution_moves_the_keys_that_are_counted() {
    for distribution in [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous] {
        for hash in [Hash::Fnv1a32, Hash::Crc32] {
            agree(&ring(&OLD, hash, distribution), &ring(&NEW, hash, distribution), Basis::Exact);
        }
    }
}

#[test]
fn two_manners_of_distribution_are_compared_by_a_sample() {
    let old = ring(&OLD, Hash::Fnv1a32, Distribution::Ketama);
    agree(&old, &ring(&NEW, Hash::Fnv1a32, Distribution::Modula), Basis::Sampled(SAMPLES));
    agree(&old, &ring(&NEW, Hash::Fnv1a32, Distribution::Rendezvous), Basis::Sampled(SAMPLES));
    agree(&old.without(1), &old, Basis::Exact);
    let list = ring(&OLD, Hash::Fnv1a32, Distribution::Modula);
    agree(&list, &list.without(1), Basis::Sampled(SAMPLES));
    agree(&old, &ring(&[("a", 1)], Hash::Fnv1a32, Distribution::Ketama), Basis::Exact);
}

#[test]
fn another_hash_leaves_keys_at_home_by_chance_alone() {
    let old = ring(&OLD, Hash::Fnv1a32, Distribution::Ketama);
    agree(&old, &ring(&OLD, Hash::Murmur, Distribution::Ketama), Basis::Unrelated);
}

#[test]
fn nothing_moves_to_the_same_ring_nor_from_a_heavy_list() {
    for distribution in [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous] {
        let old = ring(&OLD, Hash::Fnv1a64, distribution);
        let moves = between(&old, &old, &by_name(&old, &old)).unwrap();
        assert_eq!((moves.share(), moves.each.len()), (0.0, 0));
    }
    let heavy = [("a", 3_000_000), ("b", 1_000_000)];
    let heavier = [("a", 3_000_000), ("b", 1_000_001)];
    let (old, new) = (
        ring(&heavy, Hash::Fnv1a32, Distribution::Modula),
        ring(&heavier, Hash::Fnv1a32, Distribution::Modula),
    );
    agree(&old, &new, Basis::Exact);
}

#[test]
fn chance_and_nobody_move_nothing_that_can_be_told() {
    let old = ring(&OLD, Hash::Fnv1a32, Distribution::Ketama);
    let random = ring(&OLD, Hash::Fnv1a32, Distribution::Random);
    let nobody = old.with_live(&[false; 3]);
    for other in [random, nobody] {
        assert_eq!(between(&old, &other, &by_name(&old, &other)), None);
        assert_eq!(between(&other, &old, &by_name(&other, &old)), None);
    }
}
