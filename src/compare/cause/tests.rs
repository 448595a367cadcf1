use super::*;
use crate::compare::keys::{Key, made_up};
use crate::compare::places::Place;
use crate::config::{self, Format};
use crate::route::Ring;

const THREE: &str = "10.0.0.1:6379:1 s1\n10.0.0.2:6379:1 s2\n10.0.0.3:6379:2 s3";

fn pool(settings: &str, servers: &str) -> Pool {
    let mut text = "p:\n  listen: 127.0.0.1:1\n  redis: true\n".to_owned();
    for line in settings.lines() {
        text += &format!("  {line}\n");
    }
    text += "  servers:\n";
    for line in servers.lines() {
        text += &format!("    - {line}\n");
    }
    config::parse(&text, Format::Yaml, "test").unwrap().pools.remove(0)
}

/// The cause that is found when the file has the first and the proxy the second pool.
fn found(file: &Pool, proxy: &Pool) -> String {
    let key = |bytes| Key { bytes, found_on: None };
    let keys: Vec<Key> = made_up(file, "user", 1000).into_iter().map(key).collect();
    let (ours, theirs) = (Ring::new(file), Ring::new(proxy));
    let shard_at = |index: usize| {
        let address = &proxy.servers[index].address;
        file.servers.iter().position(|server| server.address == *address)
    };
    let place = |key: &Key| match theirs.shard(&key.bytes).and_then(shard_at) {
        Some(shard) => Place::At(shard),
        None => Place::Stranger("id".into()),
    };
    let places: Vec<Place> = keys.iter().map(place).collect();
    let expected: Vec<Option<usize>> = keys.iter().map(|key| ours.shard(&key.bytes)).collect();
    let tally = Tally::new(&keys, &places, &expected);
    assert!(tally.disagreeing() > 0, "they agree");
    let keys = keys.iter().map(|key| &key.bytes[..]);
    let seen: Vec<Evidence<'_>> =
        keys.zip(&places).filter(|(_, place)| place.is_evidence()).collect();
    cause(file, &seen, &tally)
}

#[track_caller]
fn names(file: &Pool, proxy: &Pool, parts: &[&str]) {
    let found = found(file, proxy);
    for part in parts {
        assert!(found.contains(part), "no {part} in: {found}");
    }
}

#[test]
fn a_changed_key_of_the_pool_is_named_with_both_values() {
    let file = pool("hash: md5\nhash_tag: \"{}\"", THREE);
    let with = |settings| pool(settings, THREE);
    let parts = ["`hash: murmur`", "the file has md5", "then 500 of 500"];
    names(&file, &with("hash: murmur\nhash_tag: \"{}\""), &parts);
    names(&file, &with("hash: md5"), &["no `hash_tag`", "the file has `hash_tag: \"{}\"`"]);
    names(&with("hash: md5"), &file, &["`hash_tag: \"{}\"`", "the file has no `hash_tag`"]);
    names(&file, &with("hash: md5\nhash_tag: \"{}\"\ndistribution: modula"), &["modula"]);
    let arm = "hash: fnv1a_32\nkey_bytes: unsigned";
    names(&with("hash: fnv1a_32"), &with(arm), &["`key_bytes: unsigned`"]);
}

#[test]
fn several_changed_keys_are_named_together() {
    let file = pool("hash: md5\nhash_tag: \"{}\"", THREE);
    let proxy = pool("hash: jenkins\ndistribution: modula", THREE);
    names(&file, &proxy, &["`hash: jenkins`", "no `hash_tag`", "`distribution: modula`"]);
}

#[test]
fn changed_lines_of_servers_are_named() {
    let file = pool("hash: md5", THREE);
    let with = |servers: &str| pool("hash: md5", servers);
    let weight = "10.0.0.1:6379:4 s1\n10.0.0.2:6379:1 s2\n10.0.0.3:6379:2 s3";
    names(&file, &with(weight), &["weight 4 for s1 (the file has 1)"]);
    let equal = "10.0.0.1:6379:7 s1\n10.0.0.2:6379:7 s2\n10.0.0.3:6379:7 s3";
    names(&file, &with(equal), &["weight"]);
    let plain = "10.0.0.1:6379:1\n10.0.0.2:6379:1\n10.0.0.3:6379:2";
    names(&file, &with(plain), &["all names left out"]);
    let one = "10.0.0.1:6379:1 s1\n10.0.0.2:6379:1\n10.0.0.3:6379:2 s3";
    names(&file, &with(one), &["the name s2 left out"]);
    let two = "10.0.0.1:6379:1 s1\n10.0.0.3:6379:2 s3";
    names(&file, &with(two), &["without the server s2"]);
    let swapped = "10.0.0.2:6379:1 s1\n10.0.0.1:6379:1 s2\n10.0.0.3:6379:2 s3";
    names(&file, &with(swapped), &["each other's places", "s1 at s2, s2 at s1"]);
    let other = "10.0.0.1:6379:1 s1\n10.0.0.2:6379:1 other\n10.0.0.3:6379:2 s3";
    names(&file, &with(other), &["to or from s2"]);
    let more = "10.0.0.1:6379:1 s1\n10.0.0.2:6379:1 s2\n10.0.0.3:6379:2 s3\n10.0.0.4:6379:1 s4";
    names(&file, &with(more), &["server that the file does not name"]);
}

#[test]
fn what_no_change_explains_is_said_to_be_unexplained() {
    let file = pool("hash: md5", THREE);
    let names_and_hash = "10.0.0.1:6379:1 x\n10.0.0.2:6379:1 y\n10.0.0.3:6379:2 z";
    names(&file, &pool("hash: murmur", names_and_hash), &["no single change"]);
}
