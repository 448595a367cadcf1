//! The checker complains, and of the right thing: one lie of each kind, and none.

use std::collections::HashSet;
use std::time::Duration;

use super::liar::Lie;
use super::run::{Plan, Run};
use super::verdict::Figures;

/// Where the liar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    BeforeTheShards,
    BeforeTheProxy,
}

/// A short run without faults in which only the liar does wrong.
fn lied_to(lie: Lie, place: Place) -> Figures {
    let mut run = Run::start(Plan {
        seed: lie as u64,
        clients: 10,
        think: Duration::from_millis(4),
        is_circlet: true,
        ejects: false,
        shards: 1,
        liar: Some((lie, place)),
        patience: Duration::from_secs(3),
    });
    for seed in 0..MOST_ROUNDS {
        run.clear();
        run.round(Duration::from_millis(700), seed, false);
        let figures = run.book.figures().clone();
        if !figures.wrong.is_empty() || (lie == Lie::None && figures.checked > 500) {
            return figures;
        }
    }
    run.book.figures().clone()
}

/// Something is wrong, the first of these for one, and nothing of another kind than these.
#[track_caller]
fn expect_complaint(figures: &Figures, kinds: &[&str]) {
    let found = figures.wrong_kinds();
    let expected: HashSet<&str> = kinds.iter().copied().collect();
    assert!(!found.is_empty(), "nobody complains\n{figures}");
    assert!(found.is_subset(&expected), "{found:?}: {}", figures.told.join("\n"));
    let of_another_kind = found.contains(ANOTHER_KIND) && kinds.contains(&ANOTHER_KIND);
    if kinds != OUT_OF_STEP && !of_another_kind {
        assert!(found.contains(kinds[0]), "{found:?}: {}", figures.told.join("\n"));
    }
}

#[test]
fn nobody_complains_of_the_truth() {
    for place in [Place::BeforeTheShards, Place::BeforeTheProxy] {
        let figures = lied_to(Lie::None, place);
        assert!(figures.wrong.is_empty() && figures.errors.is_empty(), "{figures}");
        assert!(figures.checked > 500, "{figures}");
    }
}

/// What else may tell of a write that was not done, or done twice.
const ANOTHER_KIND: &str = "reply of another kind";

/// Chance decides when there is an occasion to lie, and a busy machine how many there are.
const MOST_ROUNDS: u64 = 25;

/// Once replies and requests are out of step, anything may come to anybody.
const OUT_OF_STEP: [&str; 10] = [
    "another's reply",
    "reply of another kind",
    "acknowledged write lost",
    "done twice",
    "half done",
    "reply missing",
    "reply too many",
    "unknown error",
    "disconnected",
    "damaged",
];

/// This one, and what may follow of it for commands that are already on their way.
fn and_out_of_step(first: &'static str) -> Vec<&'static str> {
    [&[first], &OUT_OF_STEP[..]].concat()
}

#[test]
fn a_reply_swapped_with_anothers() {
    let figures = lied_to(Lie::Swap, Place::BeforeTheShards);
    expect_complaint(&figures, &["another's reply"]);
}

#[test]
fn a_reply_lost_on_the_way_to_its_client() {
    let figures = lied_to(Lie::LoseLast, Place::BeforeTheProxy);
    expect_complaint(&figures, &and_out_of_step("reply missing"));
}

#[test]
fn a_reply_lost_among_others() {
    expect_complaint(&lied_to(Lie::Lose, Place::BeforeTheShards), &OUT_OF_STEP);
}

#[test]
fn a_reply_sent_twice_to_its_client() {
    let figures = lied_to(Lie::RepeatLast, Place::BeforeTheProxy);
    expect_complaint(&figures, &and_out_of_step("reply too many"));
}

#[test]
fn a_reply_sent_twice_among_others() {
    expect_complaint(&lied_to(Lie::Repeat, Place::BeforeTheShards), &OUT_OF_STEP);
}

#[test]
fn a_write_retried() {
    let figures = lied_to(Lie::Retry, Place::BeforeTheShards);
    // A counter that is read, DEL that counts, or EXEC behind WATCH may tell of it first.
    expect_complaint(&figures, &["done twice", "acknowledged write lost", ANOTHER_KIND]);
}

#[test]
fn a_value_of_another_key() {
    let figures = lied_to(Lie::OtherKey, Place::BeforeTheShards);
    expect_complaint(
        &figures,
        &["another's reply", "reply of another kind", "acknowledged write lost"],
    );
}

#[test]
fn a_write_acknowledged_and_forgotten() {
    let figures = lied_to(Lie::Forget, Place::BeforeTheShards);
    // EXEC that should have been put off, and DEL that counts, tell of it too.
    expect_complaint(&figures, &["acknowledged write lost", ANOTHER_KIND]);
}

#[test]
fn a_message_delivered_twice() {
    let figures = lied_to(Lie::RepeatMessage, Place::BeforeTheProxy);
    expect_complaint(&figures, &["done twice"]);
}
