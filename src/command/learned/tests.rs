//! What becomes of the entries of COMMAND; where they are malformed, see the fakes of the suite.

use bytes::Bytes;

use super::*;
use crate::command::Handling;
use crate::command::spec::{Keys, ResponsePolicy, Search};

/// An entry of COMMAND in Redis 7's form.
fn entry(name: &str, flags: &str, category: &str, tips: &str, keys: &str, more: &str) -> String {
    let list = |words: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        let each: String = words.iter().map(|word| format!("+{word}\r\n")).collect();
        format!("*{}\r\n{each}", words.len())
    };
    format!(
        "*10\r\n+{name}\r\n:-2\r\n{}:0\r\n:0\r\n:0\r\n{}{}{keys}{more}",
        list(flags),
        list(category),
        list(tips)
    )
}

const NONE: &str = "*0\r\n";

/// One key spec: from argument 1 on to `last`.
fn range(flag: &str, last: i32) -> String {
    format!(
        "*1\r\n*6\r\n+flags\r\n*1\r\n+{flag}\r\n+begin_search\r\n*4\r\n+type\r\n+index\r\n+spec\r\n*2\r\n\
         +index\r\n:1\r\n+find_keys\r\n*4\r\n+type\r\n+range\r\n+spec\r\n*6\r\n+lastkey\r\n:{last}\r\n\
         +keystep\r\n:1\r\n+limit\r\n:0\r\n"
    )
}

fn read_one(entry: &str, alone: bool) -> &'static Spec {
    let lesson = read(&Bytes::from(format!("*1\r\n{entry}")), alone).expect("a list");
    assert_eq!(lesson.passed_over, 0);
    lesson.specs[0]
}

#[track_caller]
fn refused(spec: &Spec, why: &str) {
    assert!(matches!(spec.handling, Handling::Refused(text) if text.contains(why)), "{spec:?}");
}

#[test]
fn only_a_read_of_independent_keys_is_split() {
    let many = range("RO", -1);
    for (flags, tips, keys, handling) in [
        ("readonly", "request_policy:multi_shard", &many, Handling::Split),
        ("write", "request_policy:multi_shard", &many, Handling::Keyed),
        ("readonly", "", &many, Handling::Keyed),
        ("readonly", "request_policy:multi_shard", &range("RO", -2), Handling::Keyed),
        ("readonly", "request_policy:multi_shard response_policy:agg_min", &many, Handling::Keyed),
    ] {
        let spec = read_one(&entry("t.split", flags, "", tips, keys, NONE), false);
        assert_eq!((spec.handling, &spec.keys), (handling, &Keys::Search(Search::Specs)));
    }
}

#[test]
fn keys_that_are_not_told_are_refused_unless_there_is_one_shard() {
    for (flags, keys) in [
        ("readonly movablekeys", NONE.to_owned()),
        ("readonly movablekeys", range("RO", -1)),
        ("readonly", range("incomplete", 0)),
        ("readonly", range("RO", 0).replace("index", "unknown")),
    ] {
        let told = entry("t.hidden", flags, "", "", &keys, NONE);
        refused(read_one(&told, false), "only its shard can tell");
        assert_eq!(read_one(&told, true).handling, Handling::AnyShard);
    }
}

#[test]
fn without_keys_what_leaves_a_trace_is_refused() {
    for (flags, category, tips, why) in [
        ("fast", "@connection", "", "which many clients share"),
        ("fast", "@transaction", "", "which many clients share"),
        ("admin", "@admin", "request_policy:all_shards", "administers one server"),
        ("pubsub", "@pubsub", "", "publishes or subscribes"),
        ("write", "@write", "", "writes without naming a key"),
        ("blocking", "", "", "it may wait"),
    ] {
        refused(read_one(&entry("t.trace", flags, category, tips, NONE, NONE), false), why);
    }
    let tips = "request_policy:all_nodes response_policy:agg_logical_and";
    let spec = read_one(&entry("t.all", "write", "", tips, NONE, NONE), false);
    assert_eq!(spec.handling, Handling::FanOut);
    assert_eq!(spec.response_policy, ResponsePolicy::AggLogicalAnd);
    let spec = read_one(&entry("t.wait", "blocking", "", "", &range("RW", 0), NONE), false);
    assert_eq!((spec.handling, &spec.keys), (Handling::Blocking, &Keys::At(1)));
}

#[test]
fn a_new_subcommand_is_learned_and_a_known_command_left_alone() {
    let new = entry("client|shine", "fast", "", "", NONE, NONE);
    let known = entry("client|id", "fast", "", "", NONE, NONE);
    let client = entry("client", "fast", "", "", NONE, &format!("*2\r\n{known}{new}"));
    let get = entry(
        "get",
        "fast",
        "",
        "",
        NONE,
        &format!("*1\r\n{}", entry("get|x", "", "", "", NONE, NONE)),
    );
    let lesson = read(&Bytes::from(format!("*2\r\n{client}{get}")), false).expect("a list");
    let names: Vec<_> = lesson.specs.iter().map(|spec| spec.name).collect();
    assert_eq!(names, ["client|shine"]);
    let learned = Learned::union([&lesson.specs[..]]);
    assert!(learned.lookup_full(b"CLIENT|Shine").is_some());
    assert_eq!(learned.commands().len(), 0);
}

#[test]
fn what_is_told_again_is_kept_once() {
    let told = entry("t.again", "fast", "@fast", "", NONE, NONE);
    assert!(std::ptr::eq(read_one(&told, false), read_one(&told, false)));
    let changed = entry("t.again", "readonly", "@fast", "", NONE, NONE);
    assert!(!std::ptr::eq(read_one(&told, false), read_one(&changed, false)));
}

#[test]
fn the_first_shard_is_believed() {
    let [one, two] = ["fast", "readonly"]
        .map(|flags| read_one(&entry("t.first", flags, "", "", NONE, NONE), false));
    let learned = Learned::union([&[][..], &[one], &[two]]);
    assert_eq!(learned.lookup_full(b"T.FIRST"), Some(one));
}
