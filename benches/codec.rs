//! What it costs to find the end of one command and of one reply.
// criterion_group! makes a public function without a doc comment.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use circlet::resp::reply::elements;
use circlet::resp::{
    Protocol, ReplyLimits, ReplyScanner, RequestLimits, RequestScanner, Scan, Writer, inline, write,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn requests(c: &mut Criterion) {
    let keys: Vec<String> = (0..10).map(|key| format!("key:{key:012}")).collect();
    let mget: Vec<&str> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    let value = "x".repeat(64);
    let cases = [
        ("GET", command(&["GET", &keys[0]])),
        ("SET 64 B", command(&["SET", &keys[0], &value])),
        ("MGET of 10", command(&mget)),
    ];
    let mut group = c.benchmark_group("request");
    for (name, bytes) in cases {
        let mut scanner = RequestScanner::default();
        let limits = RequestLimits::default();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |b, bytes| {
            b.iter(|| {
                scanner.reset();
                let scan = scanner.scan(black_box(bytes), &limits);
                assert_eq!(scan, Ok(Scan::Done(bytes.len())));
                scanner.args().len()
            });
        });
    }
    group.bench_function("inline GET", |b| {
        let mut out = Vec::new();
        b.iter(|| {
            out.clear();
            inline::encode(black_box(b"GET key:000000000001\r\n"), &mut out)
        });
    });
    group.finish();
}

fn replies(c: &mut Criterion) {
    let cases = [
        ("+OK", b"+OK\r\n".to_vec()),
        (":1", b":1\r\n".to_vec()),
        ("bulk 64 B", reply(|writer| writer.bulk(&[b'x'; 64]))),
        ("bulk 4 KiB", reply(|writer| writer.bulk(&[b'x'; 4096]))),
        ("null", b"$-1\r\n".to_vec()),
        ("array of 10", array(10)),
        ("array of 100", array(100)),
    ];
    let mut group = c.benchmark_group("reply");
    for (name, bytes) in &cases {
        let mut scanner = ReplyScanner::default();
        let limits = ReplyLimits::default();
        group.bench_with_input(BenchmarkId::from_parameter(name), bytes, |b, bytes| {
            b.iter(|| {
                scanner.reset();
                let scan = scanner.scan(black_box(bytes), &limits);
                assert_eq!(scan, Ok(Scan::Done(bytes.len())));
            });
        });
    }
    let hundred = array(100);
    group.bench_function("elements of 100", |b| {
        b.iter(|| {
            elements(black_box(&hundred)).map(|elements| elements.map(<[u8]>::len).sum::<usize>())
        });
    });
    group.finish();
}

fn command(args: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    write::command(&mut out, args);
    out
}

fn array(count: usize) -> Vec<u8> {
    reply(|writer| {
        writer.array(count);
        (0..count).for_each(|_| writer.bulk(&[b'x'; 64]));
    })
}

fn reply(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out, Protocol::Resp3));
    out
}

criterion_group! {
    name = codec;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = requests, replies
}
criterion_main!(codec);
