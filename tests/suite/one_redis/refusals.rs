//! What is refused gets a clear error, and the connection lives on.

use circlet::command::{Handling, Keys, table};

use super::{Pair, words};
use crate::harness::{Circlet, Client, Shard};

/// The error that `line` gets; PING is answered after it.
#[track_caller]
fn refusal(client: &mut Client, line: &[String]) -> String {
    let reply = client.command(line);
    let text = reply.error().unwrap_or_else(|| panic!("{line:?}: {reply:?}")).to_owned();
    assert_eq!(client.command(&["PING", "still here"]).bytes(), b"still here", "{line:?}");
    text
}

#[test]
fn keys_of_several_shards_where_a_split_would_be_wrong() {
    let mut pair = Pair::start();
    let [one, two, three] = pair.key_on_each_shard("k");
    for line in TOGETHER {
        let line = line.replace("@1", &one).replace("@2", &two).replace("@3", &three);
        let line = words(&line);
        let text = refusal(&mut pair.through, &line);
        assert!(
            text.starts_with("CROSSSLOT Keys in request don't hash to the same slot"),
            "{text}"
        );
        assert!(text.contains(&format!("'{one}' and '{two}'")), "{text}");
        assert!(text.contains(&line[0]) && text.contains("hash tag, as in {"), "{text}");
    }
    pair.same(&["DBSIZE"]);
}

#[test]
fn the_remedy_names_the_setting_where_the_pool_has_no_hash_tags() {
    let shards = Shard::several(3);
    let proxy = Circlet::over(&shards.iter().collect::<Vec<_>>());
    let mut client = proxy.client();
    let refused = (0..50).filter_map(|number| {
        let reply =
            client.command(&["RENAME".to_owned(), "a".into(), format!("{number}:a long name")]);
        reply.error().filter(|text| text.starts_with("CROSSSLOT")).map(str::to_owned)
    });
    let refused: Vec<String> = refused.collect();
    assert!(refused.len() > 10, "fifty names live on all three shards");
    assert!(refused.iter().all(|text| text.contains("set hash_tag: \"{}\"")), "{}", refused[0]);
}

#[test]
fn what_needs_a_session_with_state_is_refused_clearly() {
    let mut pair = Pair::start();
    for line in ["SHUTDOWN", "DEBUG SLEEP 0", "REPLICAOF NO ONE", "CLIENT TRACKING ON"] {
        let text = refusal(&mut pair.through, &words(line));
        assert!(text.starts_with("ERR "), "{line}: {text}");
        assert!(text.len() > 25 && text.contains(' '), "{line}: {text}");
        assert!(text.to_uppercase().contains(words(line)[0].as_str()), "{line}: {text}");
    }
}

#[test]
fn every_command_of_several_keys_is_among_them() {
    let shown: Vec<String> = TOGETHER.iter().map(|line| words(line)[0].to_lowercase()).collect();
    let takes_several = |keys: &Keys| match *keys {
        Keys::None | Keys::At(_) => false,
        Keys::Range { first, last, .. } => last != first as i32,
        Keys::Search(_) => true,
    };
    let lacking: Vec<&str> = table::all()
        .filter(|spec| takes_several(&spec.keys) && !spec.since.starts_with('9'))
        .filter(|spec| spec.handling != Handling::Split && !ELSEWHERE.contains(&spec.name))
        .map(|spec| spec.name)
        .filter(|name| !shown.iter().any(|shown| shown == name))
        .collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}

/// SORT_RO has one key, whatever its patterns say; what is watched, a story of transactions tells.
const ELSEWHERE: &[&str] = &["sort_ro", "watch"];

/// Commands whose keys must live together.
const TOGETHER: &[&str] = &[
    "MSETNX @1 1 @2 2",
    "RENAME @1 @2",
    "RENAMENX @1 @2",
    "COPY @1 @2",
    "MIGRATE 127.0.0.1 1 \"\" 0 10 KEYS @1 @2",
    "LCS @1 @2",
    "SDIFF @1 @2",
    "SDIFFSTORE @1 @2",
    "SINTER @1 @1 @2 @3",
    "SINTERCARD 2 @1 @2",
    "SINTERSTORE @1 @2",
    "SMOVE @1 @2 member",
    "SUNION @1 @2",
    "SUNIONSTORE @1 @1 @2",
    "ZDIFF 2 @1 @2",
    "ZDIFFSTORE @1 1 @2",
    "ZINTER 2 @1 @2",
    "ZINTERCARD 2 @1 @2",
    "ZINTERSTORE @1 1 @2",
    "ZUNION 2 @1 @2",
    "ZUNIONSTORE @1 1 @2",
    "ZRANGESTORE @1 @2 0 1",
    "ZMPOP 2 @1 @2 MIN",
    "BZMPOP 0 2 @1 @2 MIN",
    "BZPOPMIN @1 @2 0",
    "BZPOPMAX @1 @2 0",
    "LMPOP 2 @1 @2 LEFT",
    "LMOVE @1 @2 LEFT LEFT",
    "RPOPLPUSH @1 @2",
    "BLPOP @1 @2 0",
    "BRPOP @1 @2 0",
    "BLMPOP 0 2 @1 @2 LEFT",
    "BLMOVE @1 @2 LEFT LEFT 0",
    "BRPOPLPUSH @1 @2 0",
    "PFCOUNT @1 @2",
    "PFMERGE @1 @2",
    "BITOP AND @1 @2",
    "SORT @1 STORE @2",
    "GEOSEARCHSTORE @1 @2 FROMMEMBER m BYRADIUS 1 km",
    "GEORADIUS @1 1 1 1 km STORE @2",
    "GEORADIUSBYMEMBER @1 m 1 km STORE @2",
    "XREAD STREAMS @1 @2 0 0",
    "XREADGROUP GROUP g c STREAMS @1 @2 0 0",
    "XREAD BLOCK 0 STREAMS @1 @2 0 0",
    "EVAL script 2 @1 @2",
    "EVAL_RO script 2 @1 @2",
    "EVALSHA ffffffffffffffffffffffffffffffffffffffff 2 @1 @2",
    "EVALSHA_RO ffffffffffffffffffffffffffffffffffffffff 2 @1 @2",
    "FCALL f 2 @1 @2",
    "FCALL_RO f 2 @1 @2",
];
