//! The continuum against twemproxy's own points.

use super::*;

fn servers(list: &[(&str, u32)]) -> Vec<Placed> {
    list.iter().map(|&(name, weight)| Placed { name: name.into(), weight }).collect()
}

fn continuum(list: &[(&str, u32)]) -> Continuum {
    let members: Vec<u16> = (0..list.len() as u16).collect();
    Continuum::build(&servers(list), &members)
}

/// The MD5 of the sorted (little-endian value, little-endian index) pairs.
fn fingerprint(continuum: &Continuum) -> String {
    use md5::{Digest, Md5};
    let mut digest = Md5::new();
    for (value, &maker) in continuum.values.iter().zip(continuum.makers.iter()) {
        digest.update(value.to_le_bytes());
        digest.update(u32::from(maker).to_le_bytes());
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(list: &[(&str, u32)], points: &[usize], ends: [(u32, u16); 2], expected: &str) {
    let continuum = continuum(list);
    assert_eq!(continuum.points(list.len()), points);
    let last = continuum.makers.len() - 1;
    let found = [0, last].map(|point| (continuum.values[point], continuum.makers[point]));
    assert_eq!(found, ends);
    assert_eq!(fingerprint(&continuum), expected);
}

#[test]
fn the_points_are_slices_of_a_digest() {
    let expected = [2344048390, 135292586, 1821951742, 687840887];
    assert_eq!(md5_points(b"127.0.0.1:6379-0"), expected);
    assert_eq!(md5_points(b"server1-8"), [3853726576, 1491449930, 639619849, 2667054752]);
}

#[test]
fn three_equal_servers() {
    check(
        &[("127.0.0.1:6379", 1), ("127.0.0.1:6380", 1), ("127.0.0.1:6381", 1)],
        &[160; 3],
        [(20075150, 0), (4289099568, 2)],
        "322173a1b3a07b73a603e36045d1e8f4",
    );
}

#[test]
fn weights_share_the_points() {
    check(
        &[("server1", 1), ("server2", 1), ("server3", 2)],
        &[120, 120, 240],
        [(9796559, 2), (4290552061, 1)],
        "4cfa13dbe969d55eb23e2d6c4775fb7a",
    );
    check(
        &[("a", 5), ("b", 3), ("c", 2)],
        &[240, 144, 96],
        [(500562, 2), (4293088312, 0)],
        "1befc2b8ba51a13bee115ce841947266",
    );
}

#[test]
fn five_named_servers() {
    let names = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"];
    check(
        &names.map(|name| (name, 1)),
        &[160; 5],
        [(4635516, 2), (4288155631, 2)],
        "8c8efc9c6b52d2bba77b2262f551a097",
    );
}

#[test]
fn a_light_server_gets_no_point() {
    check(
        &[("a", 100_000), ("b", 1)],
        &[316, 0],
        [(3747649, 0), (4293088312, 0)],
        "65fd4afb08700a343c1a8daa31a8101a",
    );
    assert_eq!(continuum(&[("a", 1000), ("b", 1000), ("c", 1)]).points(3), [236, 236, 0]);
    assert_eq!(continuum(&[("a", 10), ("b", 1), ("c", 1)]).points(3), [400, 40, 40]);
}

#[test]
fn twenty_five_equal_servers_lose_four_points_each() {
    let names: Vec<String> = (0..25).map(|server| format!("s{server:02}")).collect();
    let list: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    check(&list, &[156; 25], [(832863, 1), (4294869070, 19)], "61ff3460775a6c9279f3d943f456aabf");
}

#[test]
fn rounding_in_32_bits_shows_at_these_sizes_only() {
    let short: Vec<usize> = (1..=122).filter(|&n| point_count(1, n as u64, n) != 160).collect();
    assert_eq!(short, [25, 47, 50, 55, 61, 71, 94, 100, 107, 109, 110, 115, 122]);
    assert!(short.iter().all(|&n| point_count(1, n as u64, n) == 156));
}

#[test]
fn the_look_up_finds_what_a_search_through_all_points_finds() {
    for list in
        [&[("a", 1), ("b", 1)][..], &[("a", 5), ("b", 3), ("c", 2)], &[("a", 100_000), ("b", 1)]]
    {
        let continuum = continuum(list);
        let points = &continuum.values[..continuum.makers.len()];
        let edges =
            points.iter().flat_map(|&value| [value.wrapping_sub(1), value, value.wrapping_add(1)]);
        for hash in
            edges.chain([0, u32::MAX]).chain((0..10_000).map(|i: u32| i.wrapping_mul(2654435761)))
        {
            let point = points.iter().position(|&value| value >= hash).unwrap_or(0);
            assert_eq!(continuum.owner(hash), continuum.makers[point], "hash {hash}");
        }
    }
}

#[test]
fn a_dead_point_belongs_to_the_next_live_one() {
    let continuum = continuum(&[("a", 5), ("b", 3), ("c", 2)]);
    let points: Vec<(u32, u16)> =
        continuum.values.iter().copied().zip(continuum.makers.iter().copied()).collect();
    let live = [true, false, true];
    let skipping = continuum.with_live(&live).unwrap();
    for hash in (0..100_000).map(|i: u32| i.wrapping_mul(2654435761)).chain([0, u32::MAX]) {
        let next = points.iter().filter(|&&(_, maker)| live[usize::from(maker)]);
        let expected =
            next.clone().find(|&&(value, _)| value >= hash).or(next.clone().next()).unwrap();
        assert_eq!(skipping.owner(hash), expected.1, "hash {hash}");
    }
}

#[test]
fn without_a_live_point_there_is_no_ring() {
    assert!(continuum(&[("a", 100_000), ("b", 1)]).with_live(&[false, true]).is_none());
}

#[test]
fn the_arcs_are_counted_to_the_last_hash() {
    let continuum = continuum(&[("a", 5), ("b", 3), ("c", 2)]);
    for range in [1 << 32, 1 << 15] {
        assert_eq!(continuum.owned(range, 3).iter().sum::<u64>(), range);
    }
    let counted = (0..1 << 15).fold([0; 3], |mut counted, hash| {
        counted[usize::from(continuum.owner(hash))] += 1;
        counted
    });
    assert_eq!(continuum.owned(1 << 15, 3), counted);
}
