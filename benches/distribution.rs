//! Which distribution for new pools: rendezvous, maglev, multi-probe or jump.
//!
//! All get the same 64-bit mixed hashes of the same keys, so that only the distributions differ;
//! circlet's own slots also get the key's 32-bit hash, as in a pool. Prints one table.

use std::hint::black_box;
use std::time::Instant;

use circlet::config::Distribution;
use circlet::route::RingSpec;

const KEYS: u64 = 1_000_000;

/// A hash in, a server's index out.
type Lookup = Box<dyn Fn(u64) -> usize>;
/// Builds a look-up from names and weights.
type Build = fn(&[(String, u32)]) -> Lookup;

fn main() {
    let candidates: [(&str, Build); 6] = [
        ("ketama (160 points)", |servers| ring(servers, Distribution::Ketama)),
        ("rendezvous, 2^18 slots", |servers| ring(servers, Distribution::Rendezvous)),
        ("rendezvous, each key", rendezvous),
        ("maglev, 65537 entries", maglev),
        ("multi-probe, 21 probes", multi_probe),
        ("jump", jump),
    ];
    println!(
        "| | peak-to-mean, 10 shards | worst weight error, 1:2:3:94 | moved needlessly, 10+1 | moved needlessly, 10-1 | build, 100 | look-up, 100 shards |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, build) in candidates {
        println!(
            "| {name} | {:.3} | {:.1} % | {:.2} % | {:.2} % | {:.1} ms | {:.1} ns |",
            peak(build),
            weight_error(build) * 100.0,
            needless(build, None) * 100.0,
            needless(build, Some(4)) * 100.0,
            build_time(build),
            lookup_time(build),
        );
    }
}

fn servers(count: usize) -> Vec<(String, u32)> {
    (0..count).map(|n| (format!("10.0.0.{n}:6379"), 1)).collect()
}

fn counts(build: Build, servers: &[(String, u32)]) -> Vec<f64> {
    let lookup = build(servers);
    let mut counts = vec![0.0; servers.len()];
    (0..KEYS).for_each(|key| counts[lookup(mix(key))] += 1.0);
    counts
}

fn peak(build: Build) -> f64 {
    counts(build, &servers(10)).into_iter().fold(0.0, f64::max) * 10.0 / KEYS as f64
}

/// How far off the server is that is furthest from what its weight asks for.
fn weight_error(build: Build) -> f64 {
    let weights = [1, 2, 3, 94];
    let servers: Vec<_> = weights.iter().map(|weight| (format!("s{weight}"), *weight)).collect();
    let shares = counts(build, &servers).into_iter().map(|count| count * 100.0 / KEYS as f64);
    let errors = shares.zip(weights).map(|(share, weight)| (share / f64::from(weight) - 1.0).abs());
    errors.fold(0.0, f64::max)
}

/// The part of all keys that change places though both their places exist before and after:
/// ten servers and an eleventh, or ten and one of them less.
fn needless(build: Build, removed: Option<usize>) -> f64 {
    let before = servers(10);
    let mut after = servers(if removed.is_some() { 10 } else { 11 });
    if let Some(server) = removed {
        after.remove(server);
    }
    let (old, new) = (build(&before), build(&after));
    let moved = |key: &u64| {
        let (was, is) = (&before[old(mix(*key))].0, &after[new(mix(*key))].0);
        let both_stay =
            after.iter().any(|(name, _)| name == was) && before.iter().any(|(name, _)| name == is);
        was != is && both_stay
    };
    (0..KEYS).filter(moved).count() as f64 / KEYS as f64
}

fn build_time(build: Build) -> f64 {
    let servers = servers(100);
    let time = |_| {
        let start = Instant::now();
        drop(black_box(build(&servers)));
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..7).map(time).fold(f64::INFINITY, f64::min)
}

fn lookup_time(build: Build) -> f64 {
    let lookup = build(&servers(100));
    let time = |_| {
        let start = Instant::now();
        (0..1 << 16).for_each(|key| {
            black_box(lookup(mix(black_box(key))));
        });
        start.elapsed().as_secs_f64() * 1e9 / f64::from(1 << 16)
    };
    (0..30).map(time).fold(f64::INFINITY, f64::min)
}

/// circlet's own, from the upper half of the hash.
fn ring(servers: &[(String, u32)], distribution: Distribution) -> Lookup {
    let servers: Vec<(&str, u32)> =
        servers.iter().map(|(name, weight)| (&**name, *weight)).collect();
    let ring = RingSpec { distribution, ..RingSpec::new(&servers) }.build();
    Box::new(move |hash| ring.shard_of_hash((hash >> 32) as u32).expect("all are in"))
}

/// Highest random weight, decided anew for every key: exact, and a hash for each server.
fn rendezvous(servers: &[(String, u32)]) -> Lookup {
    let servers = seeds(servers);
    Box::new(move |hash| {
        let time = |&(seed, weight): &(u64, f64)| -unit(mix(hash ^ seed)).ln() / weight;
        let times = servers.iter().map(time).enumerate();
        times.min_by(|(_, a), (_, b)| a.total_cmp(b)).expect("there are servers").0
    })
}

/// Eisenbud and others, 2016: servers take turns, as often as their weights say, to claim the
/// next free entry of their own permutation.
fn maglev(servers: &[(String, u32)]) -> Lookup {
    const ENTRIES: u64 = 65_537;
    let most = servers.iter().map(|&(_, weight)| weight).max().expect("there are servers");
    let seeds = seeds(servers);
    let mut table = vec![u16::MAX; ENTRIES as usize];
    let mut next = vec![0_u64; servers.len()];
    let mut credit = vec![0_u32; servers.len()];
    let mut free = table.len();
    while free > 0 {
        for (index, &(seed, _)) in seeds.iter().enumerate() {
            credit[index] += servers[index].1;
            if credit[index] < most || free == 0 {
                continue;
            }
            credit[index] -= most;
            let (offset, skip) = (seed % ENTRIES, mix(seed) % (ENTRIES - 1) + 1);
            loop {
                let entry = ((offset + next[index] * skip) % ENTRIES) as usize;
                next[index] += 1;
                if table[entry] == u16::MAX {
                    table[entry] = index as u16;
                    free -= 1;
                    break;
                }
            }
        }
    }
    Box::new(move |hash| usize::from(table[(hash % ENTRIES) as usize]))
}

/// Appleton and O'Reilly, 2015: one point a server, and the nearest over 21 probes of the key.
/// It has no weights but by more points.
fn multi_probe(servers: &[(String, u32)]) -> Lookup {
    let mut points: Vec<(u64, usize)> = Vec::new();
    for (index, (seed, weight)) in seeds(servers).into_iter().enumerate() {
        points.extend((0..weight as u64).map(|point| (mix(seed.wrapping_add(point)), index)));
    }
    points.sort_unstable();
    Box::new(move |hash| {
        let distance = |probe: u64| {
            let place = mix(hash.wrapping_add(probe.wrapping_mul(GOLDEN)));
            let next = points.partition_point(|&(point, _)| point < place) % points.len();
            (points[next].0.wrapping_sub(place), points[next].1)
        };
        (0..21).map(distance).min().expect("there are probes").1
    })
}

/// Lamping and Veach, 2014. It has no weights and no names: only the last can leave.
fn jump(servers: &[(String, u32)]) -> Lookup {
    let count = servers.len() as i64;
    Box::new(move |mut hash| {
        let (mut bucket, mut next) = (-1, 0);
        while next < count {
            bucket = next;
            hash = hash.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
            let scale = (1_u64 << 31) as f64 / ((hash >> 33) + 1) as f64;
            next = ((bucket + 1) as f64 * scale) as i64;
        }
        bucket as usize
    })
}

fn seeds(servers: &[(String, u32)]) -> Vec<(u64, f64)> {
    let seed = |name: &str| name.bytes().fold(GOLDEN, |seed, byte| mix(seed ^ u64::from(byte)));
    servers.iter().map(|(name, weight)| (seed(name), f64::from(*weight))).collect()
}

/// A number over 0 and under 1 from the upper 53 bits.
fn unit(hash: u64) -> f64 {
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// splitmix64's finaliser.
fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(GOLDEN);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
