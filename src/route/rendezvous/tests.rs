//! The slots against the definition: whoever comes first.

use super::*;

fn servers(list: &[(&str, u32)]) -> Vec<Placed> {
    list.iter().map(|&(name, weight)| Placed { name: name.into(), weight }).collect()
}

fn equal(count: usize) -> Vec<Placed> {
    (0..count).map(|n| Placed { name: format!("10.0.0.{n}:6379").into(), weight: 1 }).collect()
}

fn everyone(servers: &[Placed]) -> Vec<u16> {
    (0..servers.len() as u16).collect()
}

fn build(servers: &[Placed]) -> Slots {
    Slots::build(servers, &everyone(servers))
}

/// Each slot's earliest visitor by the definition, with the logarithm of the standard library.
fn by_definition(servers: &[Placed], slot: u32) -> u16 {
    let time = |server: &Placed| {
        let rank = Permutation::of(&server.name).rank(slot);
        let visited = (f64::from(rank) + 0.5) / f64::from(SLOTS);
        -(1.0 - visited).ln() / f64::from(server.weight)
    };
    let times = servers.iter().map(time).enumerate();
    let first = times.min_by(|(_, one), (_, other)| one.total_cmp(other));
    first.map(|(server, _)| server as u16).unwrap()
}

#[test]
fn walking_and_searching_find_the_same_owner() {
    for servers in [equal(2), equal(10), servers(&[("a", 1), ("b", 5), ("c", 100)])] {
        let slots = build(&servers);
        for slot in (0..SLOTS).step_by(61) {
            let expected = by_definition(&servers, slot);
            assert_eq!(slots.owners[slot as usize], expected, "slot {slot}");
        }
    }
}

#[test]
fn the_logarithm_is_a_logarithm() {
    for rank in (0..SLOTS).step_by(17).chain([0, SLOTS - 1]) {
        let x = unvisited(rank);
        let error = decay(x) / -x.ln() - 1.0;
        assert!(error.abs() < 1e-12, "decay({x}) is off by {error}");
    }
}

#[test]
fn weights_are_taken_exactly() {
    let slots = build(&servers(&[("a", 1), ("b", 2), ("c", 3), ("d", 94)]));
    let owned = slots.owned(1 << 32, 4);
    for (owned, percent) in owned.into_iter().zip([1.0, 2.0, 3.0, 94.0]) {
        let share = owned as f64 / 2_f64.powi(32);
        assert!((share * 100.0 - percent).abs() < 0.1, "{share} for {percent} %");
    }
}

#[test]
fn a_server_that_joins_takes_slots_only_for_itself() {
    let (before, after) = (build(&equal(10)), build(&equal(11)));
    let moved =
        before.owners.iter().zip(after.owners.iter()).filter(|(before, after)| before != after);
    let takers: Vec<u16> = moved.map(|(_, &taker)| taker).collect();
    assert!(takers.iter().all(|&taker| taker == 10));
    let share = takers.len() as f64 / f64::from(SLOTS);
    assert!((share - 1.0 / 11.0).abs() < 0.002, "{share}");
}

#[test]
fn a_heavier_weight_takes_slots_only_for_itself() {
    let before = build(&servers(&[("a", 1), ("b", 1), ("c", 1)]));
    let after = build(&servers(&[("a", 1), ("b", 2), ("c", 1)]));
    for (before, after) in before.owners.iter().zip(after.owners.iter()) {
        assert!(before == after || *after == 1);
    }
}

#[test]
fn ejection_is_the_same_as_never_having_been() {
    let servers = equal(10);
    let all = build(&servers);
    for dead in [vec![3], vec![0, 9], vec![1, 2, 3, 4, 5, 6, 7]] {
        let live: Vec<bool> = (0..10).map(|server| !dead.contains(&server)).collect();
        let members: Vec<u16> = (0..10).filter(|&server| live[usize::from(server)]).collect();
        let anew = Slots::build(&servers, &members);
        assert_eq!(all.with_live(&servers, &members, &live).owners, anew.owners, "dead: {dead:?}");
    }
}

#[test]
fn more_orphans_than_are_worth_searching_for_are_shared_out_anew() {
    let servers = equal(40);
    let live: Vec<bool> = (0..40).map(|server| server % 2 == 0).collect();
    let members: Vec<u16> = (0..40).filter(|server| server % 2 == 0).collect();
    let halved = build(&servers).with_live(&servers, &members, &live);
    assert_eq!(halved.owners, Slots::build(&servers, &members).owners);
}

#[test]
fn every_slot_stands_for_equally_many_hashes() {
    let mut hashes = vec![0_u32; SLOTS as usize];
    for hash in 0..1 << 24 {
        hashes[(mix(hash << 8) >> (32 - SLOT_BITS)) as usize] += 1;
    }
    let most = hashes.iter().max().unwrap();
    assert!(*most < 64 + 8 * 8, "{most} of 2²⁴ hashes on one slot, 64 on average");
}

#[test]
fn few_hashes_are_counted_one_by_one() {
    let slots = build(&equal(3));
    let counted = (0..1 << 15).fold([0; 3], |mut counted, hash| {
        counted[usize::from(slots.owner(hash))] += 1;
        counted
    });
    assert_eq!(slots.owned(1 << 15, 3), counted);
}

/// A change here moves the keys of every pool in use.
#[test]
fn the_owners_of_the_slots_are_for_ever() {
    use md5::{Digest, Md5};
    let slots = build(&servers(&[("10.0.0.1:6379", 1), ("10.0.0.2:6379", 3), ("cache", 10)]));
    let bytes: Vec<u8> = slots.owners.iter().flat_map(|owner| owner.to_le_bytes()).collect();
    let digest: Vec<String> = Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest.concat(), "20baca36827c41a4b3b18510eb226e4d");
    assert_eq!([0, 1, u32::MAX].map(|hash| slots.owner(hash)), [2, 1, 2]);
}
