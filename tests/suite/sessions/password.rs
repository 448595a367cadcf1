//! AUTH and HELLO AUTH: what `redis_auth` asks of a session.

use super::{over, same, split};
use crate::harness::{Reply, Shard};

#[test]
fn a_password_is_wanted_before_anything_else() {
    let password = ["--requirepass", "s3cret"];
    let shards: Vec<Shard> = (0..3).map(|_| Shard::with(&password)).collect();
    let proxy = over(&shards, "redis_auth: s3cret");
    let session = || (proxy.client(), shards[0].client());
    let (mut ours, mut theirs) = session();
    let before = [
        "GET k",
        "MGET a b",
        "PING",
        "DBSIZE",
        "SELECT 1",
        "CLIENT ID",
        "NOSUCH",
        "GET",
        "HELLO",
        "HELLO 3",
        "AUTH wrong",
        "AUTH default wrong",
        "AUTH nobody s3cret",
        "AUTH s3cret0",
        "AUTH ",
        "AUTH a b c",
        "AUTH",
        "HELLO 3 AUTH default wrong",
        "PING",
    ];
    same(&mut ours, &mut theirs, &before);
    let after =
        ["AUTH s3cret", "SET k v", "GET k", "AUTH wrong", "GET k", "RESET", "GET k", "QUIT"];
    same(&mut ours, &mut theirs, &after);
    let (mut ours, mut theirs) = session();
    same(&mut ours, &mut theirs, &["AUTH default s3cret", "PING", "RESET", "PING"]);
    let (mut ours, _) = session();
    let hello = ours.command(&split("HELLO 3 AUTH default s3cret SETNAME me"));
    assert!(matches!(hello, Reply::Map(_)), "{hello:?}");
    assert_eq!(ours.command(&["MGET", "a", "b", "k"]).elements().len(), 3);
    assert_eq!(ours.command(&["CLIENT", "GETNAME"]), Reply::bulk("me"));
    assert_eq!(proxy.client().command(&["QUIT"]), Reply::ok());
}

#[test]
fn a_password_that_nobody_wants_is_answered_as_redis_does() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut ours, mut theirs) = (proxy.client(), shards[0].client());
    let lines = ["AUTH x", "AUTH default x", "AUTH nobody x", "AUTH", "AUTH a b c", "PING"];
    same(&mut ours, &mut theirs, &lines);
}
