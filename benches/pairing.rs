//! The places kept for replies: a pipeline of 16 answered in order, and by three shards in turn.

// criterion's macros make public functions without docs.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use circlet::outbox::{Outbox, SpareBuffers};
use circlet::reply::slots::{Frame, Replies};
use criterion::{Criterion, criterion_group, criterion_main};

const PIPELINE: u32 = 16;
const REPLY: &[u8] = b"$5\r\nhello\r\n";

/// One pipeline's replies, arriving in this order.
fn pair(replies: &mut Replies, out: &mut Outbox, spare: &mut SpareBuffers, order: &[u32]) {
    let first = replies.reserve();
    for _ in 1..PIPELINE {
        replies.reserve();
    }
    for &place in order {
        replies.fill(first.wrapping_add(place), Frame::Small(black_box(REPLY)), out, spare);
    }
    out.clear(spare);
}

fn pairing(criterion: &mut Criterion) {
    let in_order: Vec<u32> = (0..PIPELINE).collect();
    let by_shard: Vec<u32> = (0..3).rev().flat_map(|shard| (shard..PIPELINE).step_by(3)).collect();
    let mut group = criterion.benchmark_group("16 replies");
    for (name, order) in [("in order", in_order), ("shard after shard", by_shard)] {
        let (mut replies, mut out, mut spare) = Default::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| pair(&mut replies, &mut out, &mut spare, &order));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = pairing
}
criterion_main!(benches);
