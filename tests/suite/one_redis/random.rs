//! Random sequences of commands that are split, between others: shrunk when they differ.

use std::sync::Mutex;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::Pair;

#[test]
fn random_sequences_end_as_on_one_redis() {
    let pair = Mutex::new(Pair::start());
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(command(), 1..40), |commands| {
        let pair = &mut *pair.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        pair.clear();
        for (command, [ours, theirs]) in commands.iter().zip(pair.replies(&commands)) {
            let told = command.join(&b' ').escape_ascii().to_string();
            prop_assert!(
                ours == theirs,
                "{told}: Redis \"{}\", circlet \"{}\"",
                theirs.escape_ascii(),
                ours.escape_ascii()
            );
        }
        pair.same(&["DBSIZE"]);
        for key in KEYS {
            pair.same(&[&b"DUMP"[..], key]);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Few enough that commands meet, and on all shards.
const KEYS: [&[u8]; 10] =
    [b"a", b"b", b"c", b"dd", b"e:1", b"e:2", b"", b"\r\n", b"{a}x", b"\xff\0"];

type Words = Vec<Vec<u8>>;

fn command() -> impl Strategy<Value = Words> {
    let many = vec(key(), 1..12);
    let counted = select(vec!["MGET", "DEL", "UNLINK", "EXISTS", "TOUCH"]);
    let named = (counted, many).prop_map(|(name, keys)| [vec![name.into()], keys].concat());
    let mset = vec((key(), value()), 1..8).prop_map(|pairs| {
        let pairs = pairs.into_iter().flat_map(|(key, value)| [key, value]);
        std::iter::once(b"MSET".to_vec()).chain(pairs).collect()
    });
    let odd = (key(), value(), key()).prop_map(|(a, b, c)| vec![b"MSET".to_vec(), a, b, c]);
    let single = (select(vec!["GET", "INCR", "STRLEN", "TYPE", "LLEN", "GETDEL"]), key())
        .prop_map(|(name, key)| vec![name.into(), key]);
    let with_value = (select(vec!["SET", "APPEND", "RPUSH", "LPUSH"]), key(), value())
        .prop_map(|(name, key, value)| vec![name.into(), key, value]);
    prop_oneof![6 => named, 3 => mset, 1 => odd, 3 => single, 3 => with_value]
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    select(KEYS.to_vec()).prop_map(<[u8]>::to_vec)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 0..20),
        "[0-9]{1,3}".prop_map(String::into_bytes),
        (16_000..40_000_usize).prop_map(|length| vec![b'v'; length]),
    ]
}
