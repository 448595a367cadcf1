//! What a transaction on one shard cannot do, it says at once, and then does none of the rest.

use super::{key_on_each, over, words};
use crate::harness::{Reply, Shard};

const ABORT: &str = "EXECABORT Transaction discarded because of previous errors.";

#[test]
fn a_key_of_another_shard_dooms_the_transaction() {
    let shards = Shard::several(2);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    let [here, there] = key_on_each(&mut client, &shards).try_into().expect("two shards");
    let commands = [
        vec!["MULTI".to_owned()],
        vec!["SET".to_owned(), here.clone(), "1".to_owned()],
        vec!["SET".to_owned(), there.clone(), "1".to_owned()],
        vec!["MGET".to_owned(), here.clone(), there.clone()],
        vec!["SET".to_owned(), here.clone(), "2".to_owned()],
        vec!["EXEC".to_owned()],
    ];
    let check = |replies: Vec<Reply>| {
        assert_eq!(replies[..2], [Reply::ok(), Reply::Simple("QUEUED".into())]);
        for (name, reply) in [("SET", &replies[2]), ("MGET", &replies[3])] {
            let expected = format!(
                "CROSSSLOT Keys in request don't hash to the same slot: {name} cannot use '{here}' \
                 and '{there}' together because they live on different shards; give them a common \
                 hash tag, as in {{tag}}:name"
            );
            assert_eq!(reply.error(), Some(expected.as_str()));
        }
        assert_eq!(replies[4], Reply::Simple("QUEUED".into()));
        assert_eq!(replies[5].error(), Some(ABORT));
    };
    check(client.pipeline(&commands));
    check(commands.iter().map(|command| client.command(command)).collect());
    client.command(&["WATCH", &here]);
    check(commands.iter().map(|command| client.command(command)).collect());
    for key in [&here, &there] {
        assert_eq!(client.command(&["EXISTS", key]).integer(), 0, "{key}");
    }
    // The session is out of it.
    assert_eq!(client.command(&["SET", &there, "3"]), Reply::ok());
}

#[test]
fn what_reaches_more_than_one_shard_is_refused() {
    let shards = Shard::several(2);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    for line in [
        "FLUSHALL",
        "KEYS *",
        "DBSIZE",
        "SCRIPT FLUSH",
        "RANDOMKEY",
        "SCAN 0",
        "SUBSCRIBE c",
        "PSUBSCRIBE c*",
        "PUBSUB CHANNELS",
        "HELLO 3",
        "AUTH x",
        "DEBUG SLEEP 0",
        "SORT {t}k BY w_*",
    ] {
        for slow in [false, true] {
            let commands = ["MULTI", "SET {t}k v", line, "EXEC"].map(words);
            let replies = match slow {
                true => commands.iter().map(|command| client.command(command)).collect(),
                false => client.pipeline(&commands),
            };
            assert!(replies[2].error().is_some(), "{line}: {}", replies[2]);
            assert_eq!(replies[3].error(), Some(ABORT), "{line}");
            assert_eq!(client.command(&["EXISTS", "{t}k"]).integer(), 0, "{line}");
        }
    }
}

#[test]
fn over_a_single_shard_it_passes() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    for key in ["a", "b"] {
        client.command(&["SET", key, "v"]);
    }
    let replies =
        client.pipeline(&["MULTI", "DBSIZE", "GET a", "GET b", "FLUSHALL", "EXEC"].map(words));
    let values = vec![Reply::Integer(2), Reply::bulk("v"), Reply::bulk("v"), Reply::ok()];
    assert_eq!(replies[5], Reply::Array(values));
}

#[test]
fn a_stranger_has_no_transactions() {
    let shards = [Shard::with(&["--requirepass", "secret"])];
    let proxy = over(&shards, "redis_auth: secret");
    let mut client = proxy.client();
    for line in ["MULTI", "WATCH a"] {
        let reply = client.command(&words(line));
        assert_eq!(reply.error(), Some("NOAUTH Authentication required."), "{line}");
    }
    let discarded = "EXECABORT Transaction discarded because of: NOAUTH Authentication required.";
    assert_eq!(client.command(&["EXEC"]).error(), Some(discarded));
    client.command(&["AUTH", "secret"]);
    for line in ["WATCH {t}a", "MULTI", "SET {t}a 1"] {
        assert!(client.command(&words(line)).error().is_none(), "{line}");
    }
    assert_eq!(client.command(&["EXEC"]), Reply::Array(vec![Reply::ok()]));
}
