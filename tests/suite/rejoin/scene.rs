//! Three shards, the first behind a relay that can be cut: it keeps what it has.

use std::collections::HashSet;

use crate::harness::{Circlet, Proxy, Relay, Shard, eventually, pool_yaml};

pub struct Scene {
    pub shards: Vec<Shard>,
    pub relay: Relay,
    /// To the second shard.
    pub stand_in: Relay,
    pub circlet: Proxy,
}

/// Quick judgements, so that a test takes a second and not a minute.
pub const COMMON: &str = "hash: md5\nauto_eject_hosts: true\n\
                          server_failure_limit: 2\ntimeout: 2000";
const CIRCLETS: &str = "displaced_limit: 0\nserver_retry_timeout: 200\nheartbeat_interval: 100\nheartbeat_timeout: 500";

impl Scene {
    pub fn start(settings: &str) -> Scene {
        let shards = Shard::several(3);
        let relay = Relay::to(&shards[0]);
        let stand_in = Relay::to(&shards[1]);
        let circlet = circlet(&servers(&shards, &relay, &stand_in), settings);
        Scene { shards, relay, stand_in, circlet }
    }

    /// The `servers` of its config.
    pub fn servers(&self) -> Vec<String> {
        servers(&self.shards, &self.relay, &self.stand_in)
    }

    /// Another proxy over the same shards, in which the first may not return before `retry`
    /// milliseconds.
    pub fn second(&self, settings: &str, retry: u32) -> Proxy {
        let retry = format!("server_retry_timeout: {retry}");
        let settings = format!("{COMMON}\n{CIRCLETS}\n{settings}");
        let settings = settings.replace("server_retry_timeout: 200", &retry);
        start(&self.servers(), &settings)
    }

    /// The first shard is cut off, and circlet knows.
    pub fn out(&self) {
        let before = times(&self.circlet, "ejected after");
        self.relay.reset();
        eventually("it is out", || times(&self.circlet, "ejected after") > before);
    }

    /// The first shard can be reached again, and has all its keys.
    pub fn back(&self) {
        let before = times(&self.circlet, "readmitted after");
        let done = times(&self.circlet, "has all its keys again");
        self.relay.pass();
        eventually("it is back", || times(&self.circlet, "readmitted after") > before);
        let is_plain = self.circlet.config_text().contains("rejoin: keep");
        eventually("it has its keys", || {
            is_plain || times(&self.circlet, "has all its keys again") > done
        });
    }

    /// Stand-ins keep no copies, which would be old in the next outage, and nothing of the record.
    pub fn nothing_is_left_elsewhere(&self) {
        let own = |shard: &Shard| shard.client().command(&["KEYS", "__circlet:*"]);
        eventually("nothing of the record is left", || {
            self.shards.iter().all(|shard| own(shard).elements().is_empty())
        });
        let mut seen = HashSet::new();
        for shard in &self.shards {
            let mut client = shard.client();
            for db in ["0", "1"] {
                client.command(&["SELECT", db]);
                for key in client.command(&["KEYS", "*"]).elements() {
                    let is_own = key.bytes().starts_with(b"__circlet:");
                    assert!(!is_own, "{key} is left at {}", shard.address());
                    assert!(seen.insert((db, key.bytes().to_vec())), "{key} is on two shards");
                }
            }
        }
    }

    /// The keys that the first shard has in these databases.
    pub fn at_home(&self) -> HashSet<String> {
        let mut client = self.shards[0].client();
        let mut keys = HashSet::new();
        for db in ["0", "1"] {
            client.command(&["SELECT", db]);
            let reply = client.command(&["KEYS", "*"]);
            let name =
                |key: &crate::harness::Reply| String::from_utf8_lossy(key.bytes()).into_owned();
            keys.extend(reply.elements().iter().map(name));
        }
        keys
    }
}

/// How often the log says so.
pub fn times(proxy: &Proxy, text: &str) -> usize {
    proxy.log().matches(text).count()
}

fn servers(shards: &[Shard], relay: &Relay, stand_in: &Relay) -> Vec<String> {
    vec![relay.server(1, "a"), stand_in.server(1, "b"), shards[2].server(1, Some("c"))]
}

fn circlet(servers: &[String], settings: &str) -> Proxy {
    start(servers, &format!("{COMMON}\n{CIRCLETS}\n{settings}"))
}

fn start(servers: &[String], settings: &str) -> Proxy {
    Circlet::with_arguments(&pool_yaml("pool", servers, settings), &["--threads", "2", "-v", "6"])
}
