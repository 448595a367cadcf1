//! MGET, MSET, DEL, UNLINK, EXISTS and TOUCH over several shards.

use super::Pair;
use crate::harness::Reply;

#[test]
fn order_duplicates_and_gaps_are_kept() {
    let mut pair = Pair::start();
    for resp3 in [false, true] {
        pair.clear();
        if resp3 {
            pair.speak_resp3();
        }
        pair.all_same(&[
            "MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 j 10",
            "MGET a b c d e f g h i j",
            "MGET j i h g f e d c b a",
            "MGET a a b b a missing a",
            "MGET missing gone",
            "MGET a",
            "MGET missing",
            "MSET a first a second b 1 a last",
            "MGET a b",
            "EXISTS a a a b missing",
            "EXISTS a b c d e f g h i j",
            "TOUCH a a b missing",
            "DEL a a b missing",
            "UNLINK c c d missing gone",
            "DEL missing gone",
            "MSET x 1",
            "DEL x",
            "DBSIZE",
        ]);
        assert_eq!(pair.same_elements("KEYS *").len(), 6);
    }
}

#[test]
fn empty_and_binary_keys_and_values_come_back_as_they_were() {
    let mut pair = Pair::start();
    let odd: Vec<Vec<u8>> = vec![
        vec![],
        vec![0],
        b"\r\n$3\r\nfoo\r\n*1\r\n".to_vec(),
        (0..=255).collect(),
        b"{a}\0{b}".to_vec(),
        b"-ERR no error".to_vec(),
        b"$-1\r\n".to_vec(),
        vec![b'x'; 70_000],
    ];
    let mut mset = vec![b"MSET".to_vec()];
    let mut mget = vec![b"MGET".to_vec()];
    for (key, value) in odd.iter().zip(odd.iter().rev()) {
        mset.extend([key.clone(), value.clone()]);
        mget.push(key.clone());
    }
    pair.same(&mset);
    let values = pair.same(&mget);
    assert!(values.starts_with(b"*8\r\n$70000\r\n"));
    for command in ["TOUCH", "EXISTS", "DEL", "UNLINK"] {
        mget[0] = command.into();
        pair.same(&mget);
    }
}

#[test]
fn a_key_of_another_type_is_no_string_and_counts() {
    let mut pair = Pair::start();
    let [one, two, three] = pair.key_on_each_shard("k");
    pair.same(&["RPUSH", &one, "a", "b"]);
    pair.same(&["MSET", &two, "2", &three, "3"]);
    assert_eq!(pair.same(&["MGET", &one, &two, &three]), b"*3\r\n$-1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    pair.same(&["EXISTS", &one, &two, &three]);
    pair.same(&["TOUCH", &three, &one]);
    pair.same(&["MSET", &one, "now a string", &two, ""]);
    pair.same(&["MGET", &three, &two, &one]);
    pair.same(&["DEL", &three, &two, &one]);
}

#[test]
fn a_value_without_its_key_is_refused_as_redis_does() {
    let mut pair = Pair::start();
    let [one, two, _] = pair.key_on_each_shard("k");
    for command in [
        &["MSET", &one, "1", &two][..],
        &["MSET", &one],
        &["MSET"],
        &["MSETNX", &one, "1", &two],
        &["MGET"],
        &["DEL"],
        &["UNLINK"],
        &["EXISTS"],
        &["TOUCH"],
    ] {
        let error = pair.same(command);
        assert!(error.starts_with(b"-ERR wrong number of arguments for '"), "{command:?}");
    }
    pair.all_same(&["DBSIZE", "PING"]);
}

#[test]
fn commands_typed_as_a_line_are_split_too() {
    let mut pair = Pair::start();
    let lines: [&[u8]; 4] = [
        b"mset 1a x 2b \"\\x00 \\r\\n\" 3c '' 4d z\r\n",
        b"  MGET  4d 3c 2b 1a nosuch\n",
        b"del 1a 2b 3c 4d\r\n",
        b"mset 1a\r\n",
    ];
    for line in lines {
        pair.through.send(line);
        pair.direct.send(line);
        let (ours, theirs) = (pair.through.read_reply_bytes(), pair.direct.read_reply_bytes());
        super::assert_same(&[line], &ours, &theirs);
    }
}

#[test]
fn parts_of_many_pipelined_commands_do_not_mix() {
    let mut pair = Pair::start();
    let commands: Vec<Vec<String>> = (0..600)
        .flat_map(|number: u32| {
            let key = |offset: u32| format!("k{}", (number * 7 + offset * 3) % 40);
            let value = |offset: u32| format!("{number}-{offset}");
            let mset = (0..10).flat_map(move |at| [key(at), value(at)]);
            let mget = (0..10).map(move |at| key(at + 1));
            [
                std::iter::once("MSET".into()).chain(mset).collect::<Vec<_>>(),
                std::iter::once("MGET".into()).chain(mget).collect(),
                vec!["GET".into(), key(2)],
                vec!["DEL".into(), key(3), key(4), key(3)],
            ]
        })
        .collect();
    for batch in commands.chunks(200) {
        for (command, [ours, theirs]) in batch.iter().zip(pair.replies(batch)) {
            super::assert_same(command, &ours, &theirs);
        }
    }
}

#[test]
fn a_hundred_thousand_keys_in_one_request() {
    const KEYS: usize = 100_000;
    let mut pair = Pair::start();
    let named = |command: &str| {
        let keys = (0..KEYS).map(|number| format!("key:{number}"));
        std::iter::once(command.to_owned()).chain(keys).collect::<Vec<_>>()
    };
    let mut mset = vec!["MSET".to_owned()];
    mset.extend((0..KEYS).flat_map(|n| [format!("key:{n}"), format!("value:{n}")]));
    assert_eq!(pair.same(&mset), b"+OK\r\n");
    assert_eq!(pair.same(&["DBSIZE"]), b":100000\r\n");
    for shard in &pair.shards {
        let keys = shard.client().command(&["DBSIZE"]).integer();
        assert!(keys > 20_000, "only {keys} keys live on one of three shards");
    }
    let values = pair.same(&named("MGET"));
    assert!(values.ends_with(b"$11\r\nvalue:99999\r\n"));
    assert_eq!(pair.same(&named("EXISTS")), b":100000\r\n");
    assert_eq!(pair.same(&named("TOUCH")), b":100000\r\n");
    let (mut del, mut unlink) = (named("DEL"), named("UNLINK"));
    del.truncate(60_001);
    assert_eq!(pair.same(&del), b":60000\r\n");
    unlink.push("key:99999".into());
    assert_eq!(pair.same(&unlink), b":40000\r\n");
}

#[test]
fn one_error_among_the_parts_is_the_answer() {
    let mut pair = Pair::start();
    let [one, two, three] = pair.key_on_each_shard("k");
    pair.shards[1].client().command(&["CONFIG", "SET", "maxmemory", "1"]);
    let reply = pair.through.command(&["MSET", &one, "1", &two, "2", &three, "3"]);
    assert!(reply.error().is_some_and(|text| text.starts_with("OOM ")), "{reply}");
    // The other parts were done, as a client reads in the docs of MSET: no rollback.
    let read = pair.through.command(&["MGET", &one, &two, &three]);
    assert_eq!(read, Reply::Array(vec![Reply::bulk("1"), Reply::Nil, Reply::bulk("3")]));
}
