//! Scripts and functions: run where their keys are, known to every shard, whatever happens to it.

mod alike;
mod busy;
mod everywhere;
mod libraries;
mod malformed;

use crate::blocking::{circlet, key_on_each};
use crate::harness::{Client, Proxy, Reply, Shard};

/// Circlet over three shards, and a key on each.
pub struct Fleet {
    pub shards: Vec<Shard>,
    pub proxy: Proxy,
    pub keys: Vec<String>,
}

impl Fleet {
    pub fn start(settings: &str) -> Fleet {
        let shards = Shard::several(3);
        let proxy = circlet(&shards, settings);
        let keys = key_on_each(&proxy, &shards);
        Fleet { shards, proxy, keys }
    }

    /// Kills shard `index` and starts it anew, empty; waits until circlet reaches it again.
    pub fn restart(&self, index: usize) {
        self.shards[index].restart();
        let mut client = self.proxy.client();
        crate::harness::eventually("the shard is reached again", || {
            client.command(&["EXISTS", &self.keys[index]]).error().is_none()
        });
    }

    /// How often shard `index` was told `command`, `script|load` for one.
    pub fn calls(&self, index: usize, command: &str) -> u64 {
        let text = self.shards[index].client().command(&["INFO", "commandstats"]);
        let text = String::from_utf8_lossy(text.bytes()).into_owned();
        let prefix = format!("cmdstat_{command}:calls=");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.map_or(0, |rest| rest.split(',').next().expect("a number").parse().expect("digits"))
    }
}

/// Loads `body`; what EVALSHA calls it.
#[track_caller]
pub fn load(client: &mut Client, body: &str) -> String {
    let sha = client.command(&["SCRIPT", "LOAD", body]);
    String::from_utf8(sha.bytes().to_vec()).expect("forty digits")
}

#[track_caller]
pub fn is_noscript(reply: &Reply) -> bool {
    reply.error().is_some_and(|text| text.starts_with("NOSCRIPT "))
}

const INCR: &str = "return redis.call('INCR', KEYS[1])";
const INCR_SHA: &str = "61636018f4e6b5817b89791bbed242f93fa089e3";
