use super::*;
use crate::config::Hash;
use crate::route::RingSpec;

const ALL: [Distribution; 3] =
    [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous];

fn ring(servers: &[(&str, u32)], distribution: Distribution) -> Ring {
    RingSpec { distribution, hash: Hash::Md5, ..RingSpec::new(servers) }.build()
}

fn same_index(from: usize, to: usize) -> bool {
    from == to
}

/// The part of many keys that changes its shard.
fn counted(old: &Ring, new: &Ring) -> f64 {
    let keys = 200_000;
    let moves = (0..keys)
        .filter(|number| {
            let key = format!("key:{number}");
            old.shard(key.as_bytes()) != new.shard(key.as_bytes())
        })
        .count();
    moves as f64 / f64::from(keys)
}

#[test]
fn what_is_told_is_what_keys_do() {
    let old = [("a", 1), ("b", 1), ("c", 2)];
    let changes: [&[(&str, u32)]; 4] = [
        &[("a", 1), ("b", 1), ("c", 2), ("d", 1)],
        &[("a", 1), ("b", 3), ("c", 2)],
        &[("a", 1), ("b", 1)],
        &[("a", 1)],
    ];
    for distribution in ALL {
        let before = ring(&old, distribution);
        for new in changes {
            let after = ring(new, distribution);
            let flows = flows(&before, &after);
            let (told, real) = (moved(&flows, same_index), counted(&before, &after));
            assert!((told - real).abs() < 0.005, "{distribution:?} {new:?}: {told} {real}");
            let all: f64 = flows.iter().map(|flow| flow.share).sum();
            assert!((all - 1.0).abs() < 1e-9, "{distribution:?} {new:?}: {all}");
        }
    }
}

#[test]
fn nothing_moves_between_equal_rings_and_only_to_the_new_where_one_joins() {
    let servers = [("a", 1), ("b", 1)];
    for distribution in ALL {
        let old = ring(&servers, distribution);
        assert_eq!(moved(&flows(&old, &old.clone()), same_index), 0.0, "{distribution:?}");
    }
    let old = ring(&servers, Distribution::Rendezvous);
    let new = ring(&[("a", 1), ("b", 1), ("c", 1)], Distribution::Rendezvous);
    let flows = flows(&old, &new);
    assert!(flows.iter().all(|flow| flow.from == flow.to || flow.to == 2), "{flows:?}");
    let share = moved(&flows, same_index);
    assert!((share - 1.0 / 3.0).abs() < 0.01, "{share}");
}

#[test]
fn another_hash_moves_by_chance() {
    let servers = [("a", 1), ("b", 1)];
    let old = ring(&servers, Distribution::Ketama);
    let specs = [
        RingSpec { hash: Hash::Murmur, ..RingSpec::new(&servers) },
        RingSpec { distribution: Distribution::Random, ..RingSpec::new(&servers) },
    ];
    for spec in specs {
        let share = moved(&flows(&old, &spec.build()), same_index);
        assert!((share - 0.5).abs() < 0.1, "{spec:?}: {share}");
    }
}

#[test]
fn the_last_hash_of_all_is_counted() {
    // With one server of two gone, each hash has one owner before and the only one afterwards.
    let old = ring(&[("a", 1), ("b", 1)], Distribution::Ketama);
    let new = ring(&[("a", 1)], Distribution::Ketama);
    let told = moved(&flows(&old, &new), same_index);
    assert!((told - old.shares()[1]).abs() < 1e-12, "{told} {:?}", old.shares());
}
