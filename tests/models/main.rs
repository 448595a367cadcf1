//! Model checks: the core invariants against plain restatements of them, without a network and
//! without waiting. MODEL_CASES multiplies the histories that are tried.
#![allow(clippy::unwrap_used)]

mod health;
mod pairing;
mod player;
mod split;
// The fuzz targets use more of it.
#[allow(dead_code)]
mod stage;
mod subscriptions;
mod wire;

/// How many histories a check of `usual` ones tries: MODEL_CASES times as many.
fn cases(usual: u32) -> proptest::test_runner::Config {
    let times = std::env::var("MODEL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    proptest::test_runner::Config {
        cases: usual * times,
        failure_persistence: None,
        max_shrink_time: 20_000,
        ..Default::default()
    }
}
