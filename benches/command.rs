//! What finding a command and its keys costs: it is paid once for every command.
// `criterion_group!` declares a function without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use circlet::command::{KeyPositions, keys, lookup, resolve};
use circlet::resp::{Request, Span};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// A command's bytes, and where its arguments lie in them.
struct Sample(Vec<u8>, Vec<Span>);

impl Sample {
    fn new(line: &str) -> Self {
        let starts = std::iter::once(0).chain(line.match_indices(' ').map(|(at, _)| at + 1));
        let spans = starts.map(|start| {
            let end = line[start..].find(' ').map_or(line.len(), |length| start + length);
            Span { start: start as u32, end: end as u32 }
        });
        Self(line.as_bytes().to_vec(), spans.collect())
    }

    fn request(&self) -> Request<'_> {
        Request::new(&self.0, &self.1)
    }
}

fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup");
    for name in ["GET", "set", "INCRBY", "zremrangebyscore", "GeoRadiusByMember_RO", "nosuch"] {
        group.bench_with_input(BenchmarkId::from_parameter(name), name, |bencher, name| {
            bencher.iter(|| lookup(black_box(name.as_bytes())));
        });
    }
}

fn commands(criterion: &mut Criterion) {
    let many = format!("mget{}", " key:000000000000".repeat(100));
    let samples = [
        ("get", "GET key:000000000001"),
        ("mget of 10", "MGET a b c d e f g h i j"),
        ("mget of 100", &many),
        ("client setname", "CLIENT SETNAME someone"),
        ("evalsha", "EVALSHA 0123456789012345678901234567890123456789 2 a b c d"),
        ("xreadgroup", "XREADGROUP GROUP g c COUNT 10 STREAMS a b > >"),
    ];
    let mut group = criterion.benchmark_group("resolve");
    for (name, line) in samples {
        let sample = Sample::new(line);
        let request = sample.request();
        group.bench_function(name, |bencher| bencher.iter(|| resolve(black_box(&request)).is_ok()));
    }
    group.finish();
    let mut group = criterion.benchmark_group("resolve and find keys");
    for (name, line) in samples {
        let sample = Sample::new(line);
        let request = sample.request();
        let mut positions = KeyPositions::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                positions.clear();
                let spec = resolve(black_box(&request)).expect("the samples are commands");
                keys::find(spec, &request, &mut positions).is_ok()
            });
        });
    }
}

criterion_group!(benches, lookups, commands);
criterion_main!(benches);
