//! What the clients of one sequence do, drawn from a seed.
//!
//! The author keeps in mind what each client may be doing, only as far as circlet and one Redis
//! are known to differ there (what MULTI refuses to queue over several shards), or as far as what
//! happens would be a matter of chance.

use fastrand::Rng;

use super::step::{Act, Line, SHORT, Step};

/// A sequence for so many clients; `tagged` gives all keys one hash tag.
pub fn write(seed: u64, tagged: bool) -> (usize, Vec<Step>) {
    let mut author = Author { rng: Rng::with_seed(seed), tagged, minds: Vec::new() };
    let clients = author.rng.usize(2..=4);
    author.minds = vec![Mind::default(); clients];
    let steps = author.rng.usize(5..60);
    let steps = (0..steps).map(|_| author.step()).collect();
    (clients, steps)
}

struct Author {
    rng: Rng,
    tagged: bool,
    minds: Vec<Mind>,
}

/// What a client may be doing.
#[derive(Debug, Clone, Default)]
struct Mind {
    queues: bool,
    publishes: bool,
    listens: bool,
    resp3: bool,
    muted: bool,
    waits: bool,
}

type Words = Vec<String>;

impl Author {
    fn step(&mut self) -> Step {
        let client = self.rng.usize(..self.minds.len());
        let restlessness = if self.minds[client].waits { 80 } else { 8 };
        if self.rng.u8(..) < restlessness {
            let may_wait = self.somebody_waits();
            self.minds[client] = Mind::default();
            return Step { client, act: Act::Leave, may_wait };
        }
        let others_wait = (0..self.minds.len()).any(|one| one != client && self.minds[one].waits);
        let most = if others_wait || self.rng.bool() { 1 } else { 8 };
        let mut lines = Vec::new();
        while lines.len() < most {
            let (words, ends) = self.words(client);
            let is_inline = self.rng.u8(..) < 30 && words.iter().all(|word| is_plain(word));
            lines.push(Line { words, is_inline });
            if ends || self.rng.u8(..) < 50 {
                break;
            }
        }
        let act = Act::Say { lines, writes: self.rng.usize(1..5) };
        let mut step = Step { client, act, may_wait: self.somebody_waits() };
        step.may_wait |= step.is_short_wait();
        step
    }

    fn somebody_waits(&self) -> bool {
        self.minds.iter().any(|mind| mind.waits)
    }

    /// A command, and whether it must be the last of its turn.
    fn words(&mut self, client: usize) -> (Words, bool) {
        let mind = self.minds[client].clone();
        if mind.waits {
            // It is executed whenever the client has got what it waits for.
            return (self.harmless(), false);
        }
        match self.rng.u8(..100) {
            0..30 => (self.data(mind.queues), false),
            30..45 => self.transaction(client),
            45..58 => self.listening(client),
            58..66 => self.waiting(client),
            66..74 => self.replies(client),
            74..82 => (self.script(client), false),
            82..90 => self.identity(client),
            90..95 => (self.malformed(), false),
            95..97 => {
                self.minds[client] = Mind::default();
                (words("RESET"), false)
            }
            // Redis forgets to close the connection of a client that reads no replies.
            97 if !mind.muted => {
                self.minds[client] = Mind::default();
                (words("QUIT"), true)
            }
            _ => (self.harmless(), false),
        }
    }

    fn key(&mut self) -> String {
        let name = *self.choose(&["a", "b", "c", "l", "m"]);
        if self.tagged { format!("{{t}}{name}") } else { name.to_owned() }
    }

    fn choose<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.rng.usize(..all.len())]
    }

    fn harmless(&mut self) -> Words {
        let key = self.key();
        match self.rng.u8(..6) {
            0 => words("PING"),
            1 => words("PING hello"),
            2 => words("ECHO echo"),
            3 => vec!["GET".into(), key],
            4 => vec!["LRANGE".into(), key, "0".into(), "-1".into()],
            _ => words("CLIENT GETNAME"),
        }
    }

    fn data(&mut self, queues: bool) -> Words {
        let (key, other, number) = (self.key(), self.key(), self.rng.u8(..100));
        // What moves between keys is not queued when those live on several shards.
        let target = if queues && !self.tagged { &key } else { &other };
        words(&match self.rng.u8(..20) {
            0 | 1 => format!("SET {key} {number}"),
            2 | 3 => format!("GET {key}"),
            4 => format!("INCR {key}"),
            5 => format!("APPEND {key} {}", "x".repeat(usize::from(number) * 10)),
            6 | 7 => format!("DEL {key} {other}"),
            8..=10 => format!("RPUSH {key} {number}"),
            11 => format!("LPUSH {key} {number} {number}"),
            12 => format!("LPOP {key}"),
            13 => format!("LRANGE {key} 0 -1"),
            14 => format!("MSET {key} {number} {other} 7"),
            15 => format!("MGET {key} {other}"),
            16 => format!("LMOVE {key} {target} LEFT RIGHT"),
            17 => format!("RENAME {key} {target}"),
            18 => format!("EXISTS {key} {other} {key}"),
            _ => format!("TYPE {key}"),
        })
    }

    fn transaction(&mut self, client: usize) -> (Words, bool) {
        let (key, tagged) = (self.key(), self.tagged);
        let roll = self.rng.u8(..20);
        let mind = &mut self.minds[client];
        let is_closed = mind.listens && !mind.resp3;
        if mind.queues && roll < 12 {
            mind.queues = is_closed;
            // Who listens reads the message in the midst of what follows, or before it.
            let ends = std::mem::take(&mut mind.publishes);
            let line: &&str = self.choose(&["EXEC", "EXEC", "EXEC", "DISCARD", "EXEC x"]);
            return (words(line), ends);
        }
        match roll {
            // Where keys may live anywhere, WATCH binds the transaction to one shard.
            0..6 if tagged => (words(&format!("WATCH {key}")), false),
            6 if tagged => (words("UNWATCH"), false),
            7 => (words("EXEC"), false),
            8 => (words("DISCARD"), false),
            _ if is_closed => (words("PING"), false),
            _ => {
                mind.queues = true;
                (words("MULTI"), false)
            }
        }
    }

    fn listening(&mut self, client: usize) -> (Words, bool) {
        let channel = *self.choose(&["news", "note", "other"]);
        let mind = &mut self.minds[client];
        if self.rng.u8(..3) == 0 || mind.queues {
            if mind.queues && !self.tagged {
                return (words("PING"), false);
            }
            mind.publishes = mind.queues;
            return (words(&format!("PUBLISH {channel} message")), true);
        }
        mind.listens = true;
        let line = match self.rng.u8(..12) {
            0..4 => format!("SUBSCRIBE {channel}"),
            4 => format!("SUBSCRIBE {channel} news"),
            5..7 => "PSUBSCRIBE n*".to_owned(),
            7 => "SSUBSCRIBE news".to_owned(),
            8 => "PUNSUBSCRIBE n*".to_owned(),
            9 => "PUNSUBSCRIBE".to_owned(),
            _ => format!("UNSUBSCRIBE {channel}"),
        };
        (words(&line), false)
    }

    fn waiting(&mut self, client: usize) -> (Words, bool) {
        let (key, other) = (self.key(), self.key());
        let mind = &mut self.minds[client];
        if mind.queues && !self.tagged {
            return (words("PING"), false);
        }
        // What a client does that reads no replies has to be waited for in other ways.
        let is_long = mind.muted || self.rng.bool();
        mind.waits = is_long && !mind.queues;
        let seconds = if is_long { "0" } else { SHORT };
        let line = match self.rng.u8(..4) {
            0 if self.tagged => format!("BLPOP {key} {other} {seconds}"),
            1 => format!("BLMOVE {key} {key} LEFT RIGHT {seconds}"),
            2 if self.tagged => format!("BLMOVE {key} {other} RIGHT LEFT {seconds}"),
            _ => format!("BRPOP {key} {seconds}"),
        };
        (words(&line), !is_long)
    }

    fn replies(&mut self, client: usize) -> (Words, bool) {
        let mind = &mut self.minds[client];
        if mind.queues {
            return (words("CLIENT SETNAME queued"), false);
        }
        mind.muted = true;
        match self.rng.u8(..6) {
            0 => (words("CLIENT REPLY OFF"), false),
            1..3 => (words("CLIENT REPLY SKIP"), false),
            _ => {
                // Refused to a client of RESP2 that listens.
                mind.muted &= mind.listens;
                (words("CLIENT REPLY ON"), false)
            }
        }
    }

    fn script(&mut self, client: usize) -> Words {
        let key = self.key();
        let queues = self.minds[client].queues;
        let (set, get) =
            ("return redis.call('SET',KEYS[1],ARGV[1])", "return redis.call('GET',KEYS[1])");
        let sha = *self.choose(&[SHA_OF_GET, "0123456789012345678901234567890123456789"]);
        let list = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        match self.rng.u8(..8) {
            0 => list(&["EVAL", set, "1", &key, "v"]),
            // Circlet knows a script when it is queued, one Redis when EXEC comes to it.
            1 if !queues => list(&["EVAL", get, "1", &key]),
            2 | 3 => list(&["EVALSHA", sha, "1", &key]),
            4 => list(&["FCALL", "mine", "1", &key]),
            5 if !queues => list(&["SCRIPT", "LOAD", get]),
            6 if !queues => list(&["SCRIPT", "FLUSH"]),
            7 if !queues => list(&["SCRIPT", "EXISTS", sha]),
            _ => list(&["EVAL", "return ARGV", "0", "x"]),
        }
    }

    fn identity(&mut self, client: usize) -> (Words, bool) {
        let tagged = self.tagged;
        let roll = self.rng.u8(..8);
        let mind = &mut self.minds[client];
        let is_closed = mind.listens && !mind.resp3;
        let line = match roll {
            0 | 1 if !mind.queues => {
                mind.resp3 |= !is_closed;
                "HELLO 3"
            }
            2 if !mind.queues => {
                mind.resp3 = false;
                "HELLO 2"
            }
            3 if !mind.queues => "HELLO 4",
            4 if !mind.queues || tagged => "SELECT 1",
            5 if !mind.queues || tagged => "SELECT 0",
            6 if !mind.queues => "SELECT 99",
            _ => *self.choose(&["CLIENT SETNAME me", "CLIENT GETNAME"]),
        };
        (words(line), false)
    }

    fn malformed(&mut self) -> Words {
        let lines = [
            "NOSUCH a b",
            "GET",
            "SET a",
            "CLIENT NOSUCH",
            "EVAL x",
            "SELECT x",
            "MULTI x",
            "SUBSCRIBE",
            "BLPOP",
            "CLIENT SETNAME",
            "LPUSH",
            "PUBLISH a",
            "WATCH",
        ];
        let line: &&str = self.choose(&lines);
        words(line)
    }
}

fn words(line: &str) -> Words {
    line.split(' ').map(str::to_owned).collect()
}

fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"{}.*".contains(&byte))
}

/// Of `return redis.call('GET',KEYS[1])`.
const SHA_OF_GET: &str = "620cd258c2c9c88c9d10db67812ccf663d96bdc6";
