//! SORT reads keys that only its patterns name: it runs where these are sure to live.

use super::Pair;
use crate::harness::{Circlet, Reply, Shard};

#[test]
fn patterns_pinned_by_the_keys_tag_are_sorted_by() {
    let mut pair = Pair::start();
    for tag in pair.key_on_each_shard("t") {
        let key = |name: &str| format!("{{{tag}}}{name}");
        pair.same(&["RPUSH", &key("list"), "1", "2", "3"]);
        pair.same(&["MSET", &key("w_1"), "30", &key("w_2"), "20", &key("w_3"), "10"]);
        pair.same(&["HSET", &key("h_1"), "f", "one"]);
        let sorted = pair.same(&["SORT", &key("list"), "BY", &key("w_*"), "GET", "#"]);
        assert_eq!(sorted, b"*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n");
        pair.same(&["SORT", &key("list"), "GET", &key("h_*->f"), "GET", &key("w_*")]);
        pair.same(&["SORT_RO", &key("list"), "BY", "nosort", "GET", "literal", "LIMIT", "0", "2"]);
        pair.same(&["SORT", &key("list"), "BY", &key("w_*"), "STORE", &key("sorted")]);
        // The pattern lives elsewhere only after its star.
        pair.same(&["SORT", &key("list"), "GET", &key("*{elsewhere}")]);
    }
}

#[test]
fn patterns_that_may_lead_to_other_shards_are_refused() {
    let mut pair = Pair::start();
    let [tag, other, _] = pair.key_on_each_shard("t");
    let list = format!("{{{tag}}}list");
    pair.same(&["RPUSH", &list, "1", "2"]);
    for pattern in [
        "w_*".to_owned(),
        format!("{{{other}}}w_*"),
        // The star may stand for a tag of its own.
        format!("*{{{tag}}}"),
        format!("{{{tag}*}}"),
        format!("{{}}{{{tag}}}*"),
    ] {
        for option in ["BY", "GET", "by"] {
            let reply = pair.through.command(&["SORT", &list, option, &pattern]);
            let text = reply.error().unwrap_or_else(|| panic!("{pattern}: {reply}"));
            assert!(text.starts_with("CROSSSLOT "), "{text}");
            assert!(text.contains(&pattern) && text.contains(&list), "{text}");
            assert!(text.contains("hash tag"), "{text}");
        }
    }
    let stored = pair.through.command(&["SORT", &list, "STORE", &format!("{{{other}}}sorted")]);
    assert!(stored.error().is_some_and(|text| text.starts_with("CROSSSLOT ")), "{stored}");
    pair.same(&["SORT", &list]);
}

#[test]
fn a_pool_of_one_shard_takes_every_pattern() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let mut client = proxy.client();
    client.command(&["RPUSH", "list", "1", "2"]);
    client.command(&["MSET", "w_1", "20", "w_2", "10"]);
    let sorted = client.command(&["SORT", "list", "BY", "w_*"]);
    assert_eq!(sorted, Reply::Array(vec![Reply::bulk("2"), Reply::bulk("1")]));
}
