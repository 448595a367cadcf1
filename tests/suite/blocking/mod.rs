//! Commands that wait: what a client reads, when it leaves, when its shard does.

mod alike;
mod leaving;
mod lost;
mod malformed;
mod order;
mod replicas;
mod unblock;

use crate::harness::{
    Address, Circlet, Client, Proxy, Reply, Shard, encode, eventually, pool_yaml,
};
use crate::one_redis::words;

/// Circlet over three shards beside one Redis.
pub struct Stage {
    pub shards: Vec<Shard>,
    pub single: Vec<Shard>,
    pub proxy: Proxy,
}

impl Stage {
    /// All of them empty; keys are placed by what `{}` holds.
    pub fn start(settings: &str) -> Stage {
        let mut shards = Shard::several(4);
        let single = shards.split_off(3);
        let proxy = circlet(&shards, settings);
        Stage { shards, single, proxy }
    }

    /// Plays the same on circlet and on the one Redis, in both versions of RESP: all that the
    /// clients read is the same.
    #[track_caller]
    pub fn same(&self, play: impl Fn(&mut Play<'_>)) {
        for resp3 in [false, true] {
            let address = self.proxy.address();
            let ours = Play::run(&address, &self.shards, resp3, &play);
            let theirs = Play::run(self.single[0].address(), &self.single, resp3, &play);
            assert_eq!(ours, theirs, "RESP3: {resp3}; circlet's on the left");
        }
    }
}

/// Circlet over these shards.
pub fn circlet(shards: &[Shard], settings: &str) -> Proxy {
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    Circlet::with_config(&pool_yaml("pool", &servers, &format!("hash_tag: \"{{}}\"\n{settings}")))
}

/// One client that waits and one that makes it go on, and what they read.
pub struct Play<'a> {
    pub waiter: Client,
    pub other: Client,
    shards: &'a [Shard],
    log: Vec<String>,
}

impl<'a> Play<'a> {
    fn run(
        address: &Address,
        shards: &'a [Shard],
        resp3: bool,
        play: &impl Fn(&mut Play<'a>),
    ) -> Vec<String> {
        let [waiter, other] = [Client::connect(address), Client::connect(address)];
        let mut stage = Play { waiter, other, shards, log: Vec::new() };
        stage.other("FLUSHALL");
        if resp3 {
            stage.waiter.command(&["HELLO", "3"]);
            stage.other.command(&["HELLO", "3"]);
        }
        play(&mut stage);
        stage.log
    }

    /// The waiter says `line` and waits at its shard.
    #[track_caller]
    pub fn waits(&mut self, line: &str) {
        self.waiter.send(&encode(&words(line)));
        eventually(&format!("{line} waits"), || blocked(self.shards) > 0);
    }

    /// The waiter reads a reply.
    #[track_caller]
    pub fn reads(&mut self) {
        let reply = self.waiter.read_reply_bytes();
        self.log.push(reply.escape_ascii().to_string());
    }

    /// The waiter says `line` and is answered without having to wait.
    #[track_caller]
    pub fn at_once(&mut self, line: &str) {
        self.waiter.send(&encode(&words(line)));
        self.log.push(line.to_owned());
        self.reads();
    }

    /// The other says `line`.
    #[track_caller]
    pub fn other(&mut self, line: &str) {
        self.other.send(&encode(&words(line)));
        let reply = self.other.read_reply_bytes();
        self.log.push(format!("{line} {}", reply.escape_ascii()));
    }
}

/// How many clients wait at these shards.
pub fn blocked(shards: &[Shard]) -> i64 {
    shards.iter().map(|shard| info(&mut shard.client(), "blocked_clients:")).sum()
}

/// How many clients these shards have, this look at them not counted.
pub fn connected(shards: &[Shard]) -> i64 {
    shards.iter().map(|shard| info(&mut shard.client(), "connected_clients:") - 1).sum()
}

/// A number of INFO.
pub fn info(client: &mut Client, name: &str) -> i64 {
    let text = client.command(&["INFO"]);
    let text = String::from_utf8_lossy(text.bytes()).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    line.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// A key for each shard.
pub fn key_on_each(proxy: &Proxy, shards: &[Shard]) -> Vec<String> {
    let mut client = proxy.client();
    let mut found: Vec<Option<String>> = vec![None; shards.len()];
    for number in 0.. {
        let key = format!("k{number}");
        client.command(&["SET", &key, "x"]);
        let holds = |shard: &Shard| shard.client().command(&["EXISTS", &key]).integer() == 1;
        let place = shards.iter().position(holds).expect("some shard holds it");
        client.command(&["DEL", &key]);
        found[place].get_or_insert(key);
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found.into_iter().map(|key| key.expect("all were found")).collect()
}

/// A client that has said `line` and waits at one of the shards, as one more than before.
#[track_caller]
pub fn waiting(proxy: &Proxy, shards: &[Shard], line: &str) -> Client {
    let before = blocked(shards);
    let mut client = proxy.client();
    client.send(&encode(&words(line)));
    eventually(&format!("{line} waits"), || blocked(shards) > before);
    client
}

/// The text of an error reply.
#[track_caller]
pub fn error(reply: Reply) -> String {
    reply.error().unwrap_or_else(|| panic!("no error: {reply}")).to_owned()
}
