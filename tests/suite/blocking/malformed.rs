//! Bad timeouts, wrong types, keys that do not add up: Redis's answers, at once.

use super::{Stage, error, key_on_each};
use crate::harness::{Reply, Shard};
use crate::one_redis::words;

#[test]
fn malformed_ones_are_refused_as_redis_does() {
    let stage = Stage::start("");
    stage.same(|play| {
        play.other("SET {t}string x");
        play.other("RPUSH {t}list x");
        for line in [
            "BLPOP k -1",
            "BLPOP k x",
            "BLPOP k nan",
            "BLPOP k inf",
            "BLPOP k 1e300",
            "BLPOP k 9223372036854775807",
            "BLPOP k 0x",
            "BLPOP {t}string 0",
            "BLPOP k",
            "BLPOP",
            "BRPOP {t}string {t}list 0",
            "BLMOVE {t}string {t}list LEFT LEFT 0",
            "BLMOVE {t}list {t}string LEFT LEFT 0",
            "BLMOVE {t}list {t}list UP LEFT 0",
            "BLMOVE {t}a {t}b LEFT LEFT -0.5",
            "BRPOPLPUSH {t}list {t}string 0",
            "BRPOPLPUSH {t}a {t}b minus",
            "BLMPOP x 1 k LEFT",
            "BLMPOP x y k LEFT",
            "BLMPOP -1 y k LEFT",
            "BLMPOP -1 0 k LEFT",
            "BLMPOP nan 0 k LEFT",
            "BLMPOP inf 0 k LEFT",
            "BLMPOP 1e300 0 k LEFT",
            "BLMPOP 0 x k LEFT",
            "BLMPOP 0 0 k LEFT",
            "BLMPOP 0 -1 k LEFT",
            "BLMPOP 0 2 k LEFT",
            "BLMPOP 0 1000000 k LEFT",
            "BLMPOP 0 9223372036854775807 k LEFT",
            "BLMPOP 0 99999999999999999999 k LEFT",
            "BLMPOP 0 1 k UP",
            "BLMPOP 0 1 k LEFT COUNT 0",
            "BLMPOP 0 1 k LEFT COUNT -1",
            "BLMPOP 0 1 k LEFT COUNT x",
            "BLMPOP 0 1 {t}string LEFT",
            "BZPOPMIN {t}list 0",
            "BZPOPMIN k -1",
            "BZPOPMAX {t}list x",
            "BZMPOP 0 0 k MIN",
            "BZMPOP x 0 k MIN",
            "BZMPOP -1 0 k MIN",
            "BZMPOP 0 2 k MIN",
            "BZMPOP 0 1 {t}list MIN",
            "BZMPOP 0 1 k LEAST",
            "XREAD BLOCK -1 STREAMS k 0",
            "XREAD BLOCK x STREAMS k 0",
            "XREAD BLOCK 0 STREAMS k",
            "XREAD BLOCK 0 STREAMS {t}a {t}b 0",
            "XREAD BLOCK 0 STREAMS",
            "XREAD BLOCK 0 k 0",
            "XREAD BLOCK STREAMS k 0",
            "XREAD BLOCK 0 STREAMS {t}string 0",
            "XREAD BLOCK 0 STREAMS k nonsense",
            "XREAD BLOCK 0 STREAMS k >",
            "XREADGROUP GROUP g c BLOCK 0 STREAMS k >",
            "XREADGROUP GROUP g c BLOCK 0 STREAMS k",
            "WAIT x 0",
            "WAIT 0 x",
            "WAIT 0 -1",
            "WAIT 1 -1",
            "WAIT 0",
            "WAIT -1 0",
            "WAIT 0 0",
            "WAIT 0 0.5",
            "WAITAOF 0 0 0",
            "CLIENT UNBLOCK",
            "CLIENT UNBLOCK x",
            "CLIENT UNBLOCK 1 NOW",
            "CLIENT UNBLOCK x NOW",
            "CLIENT UNBLOCK 1 ERROR MORE",
            "CLIENT UNBLOCK -1",
            "CLIENT UNBLOCK 0",
            "CLIENT UNBLOCK 99999999999",
            "CLIENT UNBLOCK 999999999999999999999999",
            "PING",
        ] {
            play.at_once(line);
        }
    });
}

#[test]
fn keys_of_several_shards_are_refused_with_the_remedy() {
    let stage = Stage::start("");
    let keys = key_on_each(&stage.proxy, &stage.shards);
    let mut client = stage.proxy.client();
    for line in [
        "BLPOP @1 @2 0",
        "BRPOP @1 @1 @2 0",
        "BLMOVE @1 @2 LEFT LEFT 0",
        "BRPOPLPUSH @1 @2 0",
        "BLMPOP 0 2 @1 @2 LEFT",
        "BZPOPMIN @1 @2 0",
        "BZPOPMAX @1 @2 0",
        "BZMPOP 0 2 @1 @2 MIN",
        "XREAD BLOCK 0 STREAMS @1 @2 0 0",
        "XREADGROUP GROUP g c BLOCK 0 STREAMS @1 @2 > >",
    ] {
        let line = line.replace("@1", &keys[0]).replace("@2", &keys[1]);
        let text = error(client.command(&words(&line)));
        assert!(text.starts_with("CROSSSLOT Keys in request don't hash"), "{line}: {text}");
        assert!(text.contains(&format!("'{}' and '{}'", keys[0], keys[1])), "{text}");
        assert!(text.contains("hash tag, as in {"), "{text}");
        assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
    }
}

#[test]
fn past_the_limit_of_private_links_waiting_is_an_error() {
    let shards = Shard::several(1);
    let proxy = super::circlet(&shards, "private_links: 2");
    let mut clients: Vec<_> = (0..40).map(|_| proxy.client()).collect();
    clients.iter_mut().for_each(|client| client.send(b"BLPOP l 0\r\n"));
    let refused = clients.iter_mut().filter_map(|client| {
        client.set_patience(std::time::Duration::from_millis(150));
        client.try_read_reply().ok()
    });
    let refused: Vec<String> = refused.map(error).collect();
    assert!(!refused.is_empty() && refused.len() < 40);
    for text in refused {
        assert!(text.starts_with("ERR max number of private links reached"), "{text}");
        assert!(text.contains("raise private_links"), "{text}");
    }
}
