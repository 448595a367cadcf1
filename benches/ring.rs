//! What a look-up costs: the key's hash, the ring's index against a plain binary search, and the
//! whole way, with all shards in and after an ejection.

// criterion's macro makes a public function.
#![allow(missing_docs)]

use std::hint::black_box;

use circlet::config::{Distribution, Ejection, Hash, KeyBytes};
use circlet::route::hash::hash;
use circlet::route::{Ring, RingSpec};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use md5::{Digest, Md5};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("10.0.{}.{}:6379", n / 250, n % 250)).collect()
}

fn ring(count: usize, distribution: Distribution, ejection: Ejection) -> Ring {
    let names = names(count);
    let servers: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let hash = Hash::Fnv1a64;
    RingSpec { hash, distribution, ejection, ..RingSpec::new(&servers) }.build()
}

/// Keys of 16 bytes, enough of them that no branch predictor learns them by heart.
fn keys() -> Vec<[u8; 16]> {
    let key = |n: u64| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes();
    (0..1 << 16).map(|n| key(n).try_into().expect("sixteen digits")).collect()
}

/// The classic: sorted pairs and a binary search.
fn binary_search(points: &[(u32, u32)], hash: u32) -> u32 {
    let point = points.partition_point(|&(value, _)| value < hash);
    points[if point == points.len() { 0 } else { point }].1
}

fn sorted_points(count: usize) -> Vec<(u32, u32)> {
    let mut points = Vec::new();
    for (index, name) in names(count).iter().enumerate() {
        for number in 0..40 {
            let digest = Md5::digest(format!("{name}-{number}"));
            let value = |part: &[u8]| u32::from_le_bytes([part[0], part[1], part[2], part[3]]);
            points.extend(digest.chunks(4).map(|part| (value(part), index as u32)));
        }
    }
    points.sort_unstable();
    points
}

fn hashes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hash of 16 bytes");
    let keys = keys();
    for function in Hash::ALL {
        let mut keys = keys.iter().cycle();
        group.bench_function(format!("{function:?}"), |bench| {
            bench
                .iter(|| hash(black_box(keys.next().expect("endless")), function, KeyBytes::Signed))
        });
    }
}

fn searches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ketama, hash known");
    let spread = (0..1_u32 << 16).map(|n| n.wrapping_mul(0x9e37_79b9) ^ (n << 7));
    for count in [3, 10, 100] {
        let (points, ring) =
            (sorted_points(count), ring(count, Distribution::Ketama, Ejection::Skip));
        let mut hashes = spread.clone().cycle();
        group.bench_function(BenchmarkId::new("binary search", count), |bench| {
            bench.iter(|| binary_search(&points, hashes.next().expect("endless")))
        });
        let mut hashes = spread.clone().cycle();
        group.bench_function(BenchmarkId::new("index", count), |bench| {
            bench.iter(|| ring.shard_of_hash(hashes.next().expect("endless")))
        });
    }
}

fn whole_way(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key to shard");
    let keys = keys();
    for distribution in [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous] {
        for count in [3, 10, 100] {
            let ring = ring(count, distribution, Ejection::Skip);
            let mut live = vec![true; count];
            live[1] = false;
            for (state, ring) in [("all in", &ring), ("one out", &ring.with_live(&live))] {
                let mut keys = keys.iter().cycle();
                let name = format!("{distribution:?}, {state}");
                group.bench_function(BenchmarkId::new(name, count), |bench| {
                    bench.iter(|| ring.shard(black_box(keys.next().expect("endless"))))
                });
            }
        }
    }
}

fn ejections(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ejection");
    group.sample_size(10);
    let mut live = vec![true; 100];
    live[1] = false;
    for distribution in [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous] {
        for ejection in [Ejection::Skip, Ejection::Rebuild] {
            let ring = ring(100, distribution, ejection);
            let name = format!("{distribution:?}, {ejection:?}, 100 shards");
            group.bench_function(name, |bench| bench.iter(|| ring.with_live(&live)));
        }
    }
}

criterion_group!(benches, hashes, searches, whole_way, ejections);
criterion_main!(benches);
