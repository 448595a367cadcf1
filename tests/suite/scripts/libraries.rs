//! Libraries of functions are on every shard, also on one that comes back without them.

use super::Fleet;
use crate::harness::{Client, Reply};

const LIBRARY: &str = "#!lua name=mine\nredis.register_function('put', function(keys, args) \
     return redis.call('SET', keys[1], args[1]) end)";
const OTHER: &str = "#!lua name=other\nredis.register_function{function_name='get', \
     callback=function(keys, args) return redis.call('GET', keys[1]) end, flags={'no-writes'}}";

#[track_caller]
fn works_everywhere(fleet: &Fleet) {
    let mut clients: Vec<Client> = (0..8).map(|_| fleet.proxy.client()).collect();
    for client in &mut clients {
        for key in &fleet.keys {
            assert_eq!(client.command(&["FCALL", "put", "1", key, "v"]), Reply::ok(), "{key}");
            assert_eq!(client.command(&["FCALL_RO", "get", "1", key]), Reply::bulk("v"), "{key}");
        }
    }
}

#[test]
fn a_shard_that_comes_back_empty_is_given_them() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    for library in [LIBRARY, OTHER] {
        client.command(&["FUNCTION", "LOAD", library]);
    }
    works_everywhere(&fleet);
    for index in 0..3 {
        fleet.restart(index);
        works_everywhere(&fleet);
    }
}

#[test]
fn those_that_were_restored_as_well() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    client.command(&["FUNCTION", "LOAD", LIBRARY]);
    client.command(&["FUNCTION", "LOAD", OTHER]);
    let dump = client.command(&["FUNCTION", "DUMP"]).bytes().to_vec();
    for resp3 in [false, true] {
        if resp3 {
            client.command(&["HELLO", "3"]);
        }
        assert_eq!(client.command(&["FUNCTION", "FLUSH"]), Reply::ok());
        let restored = client.command(&[&b"FUNCTION"[..], b"RESTORE", &dump]);
        assert_eq!(restored, Reply::ok());
        fleet.restart(0);
        works_everywhere(&fleet);
    }
}

#[test]
fn what_was_deleted_does_not_come_back() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    for delete in [&["FUNCTION", "DELETE", "mine"][..], &["FUNCTION", "FLUSH", "SYNC"]] {
        for library in [LIBRARY, OTHER] {
            client.command(&["FUNCTION", "LOAD", "REPLACE", library]);
        }
        works_everywhere(&fleet);
        assert_eq!(client.command(delete), Reply::ok());
        fleet.restart(1);
        for client in &mut [fleet.proxy.client(), fleet.proxy.client(), fleet.proxy.client()] {
            for key in &fleet.keys {
                let reply = client.command(&["FCALL", "put", "1", key, "v"]);
                let text = reply.error().unwrap_or_default();
                assert!(text.contains("Function not found"), "{delete:?}: {reply}");
            }
        }
    }
}

#[test]
fn a_shard_keeps_its_own_version() {
    let fleet = Fleet::start("");
    let mut client = fleet.proxy.client();
    client.command(&["FUNCTION", "LOAD", LIBRARY]);
    let newer = LIBRARY.replace("args[1])", "args[1] .. '!')");
    let replaced = fleet.shards[0].client().command(&["FUNCTION", "LOAD", "REPLACE", &newer]);
    assert_eq!(replaced, Reply::bulk("mine"));
    client.command(&["FCALL", "put", "1", &fleet.keys[0], "v"]);
    assert_eq!(client.command(&["GET", &fleet.keys[0]]), Reply::bulk("v!"));
}
