//! What is refused gets a clear error, and the connection lives on.

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
    for line in [
        "MSETNX @1 1 @2 2",
        "RENAME @1 @2",
        "RENAMENX @1 @2",
        "COPY @1 @2",
        "LCS @1 @2",
        "SINTER @1 @2",
        "SINTER @1 @1 @2 @3",
        "SUNIONSTORE @1 @1 @2",
        "SINTERCARD 2 @1 @2",
        "SMOVE @1 @2 member",
        "ZUNION 2 @1 @2",
        "ZUNIONSTORE @1 1 @2",
        "ZMPOP 2 @1 @2 MIN",
        "LMPOP 2 @1 @2 LEFT",
        "LMOVE @1 @2 LEFT LEFT",
        "RPOPLPUSH @1 @2",
        "PFCOUNT @1 @2",
        "PFMERGE @1 @2",
        "BITOP AND @1 @2",
        "GEOSEARCHSTORE @1 @2 FROMMEMBER m BYRADIUS 1 km",
        "GEORADIUS @1 1 1 1 km STORE @2",
        "XREAD STREAMS @1 @2 0 0",
        "EVAL script 2 @1 @2",
    ] {
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
