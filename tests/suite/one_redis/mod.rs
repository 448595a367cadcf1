//! Through circlet over three shards, the same replies as from one Redis, byte for byte.
//!
//! ```text
//!   command ─┬─▶ circlet ─▶ three shards ─▶ bytes ─┐
//!            └─▶ one redis-server ────────▶ bytes ─┴─▶ equal
//! ```

mod cross_shard;
mod every_shard;
mod random;
mod random_sessions;
mod refusals;
mod sort;
mod split;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, encode, pool_yaml};

/// Circlet over three shards beside one Redis.
pub struct Pair {
    pub shards: Vec<Shard>,
    single: Shard,
    pub proxy: Proxy,
    /// Connected to circlet.
    pub through: Client,
    /// Connected to the one Redis.
    pub direct: Client,
}

impl Pair {
    /// All of them empty; keys are placed by what `{}` holds.
    pub fn start() -> Pair {
        Pair::with("hash_tag: \"{}\"")
    }

    /// All of them empty, the pool with these settings.
    pub fn with(settings: &str) -> Pair {
        let mut shards = Shard::several(4);
        let single = shards.remove(3);
        let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
        let proxy = Circlet::with_config(&pool_yaml("pool", &servers, settings));
        let (through, direct) = (proxy.client(), single.client());
        Pair { shards, single, proxy, through, direct }
    }

    /// One more connection to circlet, and one to the one Redis.
    pub fn connect(&self) -> [Client; 2] {
        [self.proxy.client(), self.single.client()]
    }

    /// Both connections speak RESP3 from here on.
    pub fn speak_resp3(&mut self) {
        for client in [&mut self.through, &mut self.direct] {
            let hello = client.command(&["HELLO", "3"]);
            assert!(matches!(hello, Reply::Map(_)), "{hello:?}");
        }
    }

    /// Sends all commands in one write; the replies of circlet and of the one Redis.
    #[track_caller]
    pub fn replies<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> Vec<[Vec<u8>; 2]> {
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        self.through.send(&bytes);
        self.direct.send(&bytes);
        let mut read = |_| [self.through.read_reply_bytes(), self.direct.read_reply_bytes()];
        commands.iter().map(&mut read).collect()
    }

    /// Both give the same bytes; returns them.
    #[track_caller]
    pub fn same<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Vec<u8> {
        let command: Vec<&[u8]> = command.iter().map(AsRef::as_ref).collect();
        let [[ours, theirs]] = &self.replies(std::slice::from_ref(&command))[..] else {
            unreachable!("one command, one reply")
        };
        assert_same(&command, ours, theirs);
        ours.clone()
    }

    /// As [`Pair::same`], for each of these lines.
    #[track_caller]
    pub fn all_same(&mut self, lines: &[&str]) {
        for line in lines {
            self.same(&words(line));
        }
    }

    /// Both give the same elements, in whatever order.
    #[track_caller]
    pub fn same_elements(&mut self, line: &str) -> Vec<Vec<u8>> {
        let sorted = |reply: Reply| {
            let mut all: Vec<Vec<u8>> =
                reply.elements().iter().map(|element| element.bytes().to_vec()).collect();
            all.sort();
            all
        };
        let ours = sorted(self.through.command(&words(line)));
        let theirs = sorted(self.direct.command(&words(line)));
        assert_eq!(ours, theirs, "{line}");
        ours
    }

    /// A key `number:NAME` for each shard, by asking the shards where it came to live.
    pub fn key_on_each_shard(&mut self, name: &str) -> [String; 3] {
        let mut found: [Option<String>; 3] = Default::default();
        let mut clients: Vec<Client> = self.shards.iter().map(Shard::client).collect();
        for number in 0.. {
            let key = format!("{number}:{name}");
            assert_eq!(self.through.command(&["SET", &key, "x"]), Reply::ok());
            for (shard, place) in clients.iter_mut().zip(&mut found) {
                if shard.command(&["EXISTS", &key]).integer() == 1 {
                    place.get_or_insert(key.clone());
                }
            }
            self.through.command(&["DEL", &key]);
            if found.iter().all(Option::is_some) {
                return found.map(|key| key.expect("all were found"));
            }
        }
        unreachable!("keys never end")
    }

    /// Both are emptied.
    pub fn clear(&mut self) {
        self.all_same(&["FLUSHALL", "DBSIZE"]);
    }
}

/// The words of a line; `"…"` holds spaces together, and `\n` in it is a line end.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a quote is closed"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.replace("\\n", "\n"));
        rest = after.trim_start();
    }
    words
}

#[track_caller]
pub fn assert_same<A: AsRef<[u8]>>(command: &[A], ours: &[u8], theirs: &[u8]) {
    let command: Vec<&[u8]> = command.iter().map(AsRef::as_ref).take(12).collect();
    let (command, ours, theirs) = (shown(&command.join(&b' ')), shown(ours), shown(theirs));
    assert!(ours == theirs, "{command}\n  Redis \"{theirs}\"\ncirclet \"{ours}\"");
}

fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(2000)];
    let rest =
        if cut.len() < bytes.len() { format!("… {} bytes", bytes.len()) } else { "".into() };
    format!("{}{rest}", cut.escape_ascii())
}
