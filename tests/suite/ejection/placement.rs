//! Where keys are, by asking each shard itself.

use std::collections::{HashMap, HashSet};

use super::load;
use crate::harness::{Proxy, Shard};

/// Sets every key once through the proxy; tells the index of the shard that got each.
pub fn seed(proxy: &Proxy, shards: &[Shard], keys: &[String]) -> HashMap<String, usize> {
    let commands: Vec<Vec<String>> =
        keys.iter().map(|key| vec!["SET".into(), key.clone(), load::seed(key)]).collect();
    for (reply, key) in proxy.client().pipeline(&commands).iter().zip(keys) {
        assert_eq!(reply.bytes(), b"OK", "SET {key}");
    }
    let mut homes = HashMap::new();
    for (index, shard) in shards.iter().enumerate() {
        for key in on(shard) {
            if keys.contains(&key) {
                assert_eq!(homes.insert(key, index), None, "on two shards");
            }
        }
    }
    assert_eq!(homes.len(), keys.len(), "each key is somewhere");
    homes
}

/// All keys that a shard has.
pub fn on(shard: &Shard) -> HashSet<String> {
    let reply = shard.client().command(&["KEYS", "*"]);
    let name = |key: &crate::harness::Reply| String::from_utf8_lossy(key.bytes()).into_owned();
    reply.elements().iter().map(name).collect()
}

/// Keys at home on a shard that is in and found on another one.
pub fn moved(shards: &[Shard], homes: &HashMap<String, usize>, out: usize) -> Vec<String> {
    let mut moved = Vec::new();
    for (index, shard) in shards.iter().enumerate().filter(|(index, _)| *index != out) {
        for key in on(shard) {
            if homes.get(&key).is_some_and(|&home| home != index && home != out) {
                moved.push(key);
            }
        }
    }
    moved
}
