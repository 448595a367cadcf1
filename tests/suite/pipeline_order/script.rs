//! A pipeline of every kind of command, and the one reply that each must get.

use std::collections::HashMap;

use crate::harness::{Proxy, Reply, encode};

/// Draws commands over keys that are nobody else's, and knows what they hold.
pub struct Script {
    name: String,
    largest: usize,
    /// What each key holds once the commands drawn so far have run.
    held: HashMap<String, Vec<u8>>,
    /// Two keys that live on different shards.
    apart: (String, String),
    drawn: u64,
}

/// What a command must be answered.
#[derive(Debug)]
pub enum Expected {
    Exactly(Reply),
    /// An error with this beginning, and this somewhere in it.
    Error(&'static str, String),
}

impl Script {
    /// A script whose keys start with `name`.
    pub fn new(circlet: &Proxy, name: &str) -> Script {
        Script {
            name: name.to_owned(),
            largest: 300_000,
            held: HashMap::new(),
            apart: keys_apart(circlet, name),
            drawn: 0,
        }
    }

    /// No value is larger than this; 300,000 bytes unless told.
    pub fn with_values_up_to(self, largest: usize) -> Script {
        Script { largest, ..self }
    }

    /// The next `count` commands, as bytes, and what each is answered.
    pub fn steps(&mut self, count: usize) -> Vec<(Vec<u8>, Expected)> {
        (0..count).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> (Vec<u8>, Expected) {
        self.drawn += 1;
        // What nobody else has: a reply that is one place off is seen at once.
        let mark = format!("{}-{}", self.name, self.drawn);
        match fastrand::u8(..16) {
            0..=3 => self.set(&mark),
            4..=6 => self.get(),
            7 | 8 => self.mget(),
            9 => self.del(),
            10 => exactly(&[b"PING"], Reply::Simple("PONG".into())),
            11 => exactly(&[b"PING", mark.as_bytes()], Reply::bulk(&mark)),
            12 => exactly(&[b"ECHO", mark.as_bytes()], Reply::bulk(&mark)),
            13 => self.wrong(&mark),
            14 => self.refused(),
            // Redis answers nothing to an empty line, nor does circlet.
            _ => {
                let (inline, expected) = exactly(&[b"ECHO", mark.as_bytes()], Reply::bulk(&mark));
                match fastrand::bool() {
                    true => (format!("\r\nECHO {mark}\r\n").into_bytes(), expected),
                    false => (inline, expected),
                }
            }
        }
    }

    fn set(&mut self, mark: &str) -> (Vec<u8>, Expected) {
        let key = self.key();
        let length = match fastrand::u8(..) {
            0..=1 => fastrand::usize(..=self.largest),
            2..=20 => fastrand::usize(..=self.largest.min(20_000)),
            21..=40 => 0,
            _ => fastrand::usize(..=self.largest.min(100)),
        };
        let mut value = mark.as_bytes().to_vec();
        value.resize(length, b'.');
        let command = encode(&[b"SET", key.as_bytes(), &value]);
        self.held.insert(key, value);
        (command, Expected::Exactly(Reply::ok()))
    }

    fn get(&mut self) -> (Vec<u8>, Expected) {
        let key = self.key();
        exactly(&[b"GET", key.as_bytes()], self.holds(&key))
    }

    fn mget(&mut self) -> (Vec<u8>, Expected) {
        let keys: Vec<String> = (0..fastrand::usize(1..8)).map(|_| self.key()).collect();
        let expected = Reply::Array(keys.iter().map(|key| self.holds(key)).collect());
        exactly(&command("MGET", &keys), expected)
    }

    fn del(&mut self) -> (Vec<u8>, Expected) {
        let keys: Vec<String> = (0..fastrand::usize(1..5)).map(|_| self.key()).collect();
        let gone = keys.iter().filter(|key| self.held.remove(*key).is_some()).count();
        exactly(&command("DEL", &keys), Reply::Integer(gone as i64))
    }

    /// Errors of circlet's and of the shards'.
    fn wrong(&mut self, mark: &str) -> (Vec<u8>, Expected) {
        let key = self.key();
        match fastrand::u8(..4) {
            0 => {
                let name = format!("NOSUCH{mark}");
                let unknown = encode(&[&name]);
                (unknown, Expected::Error("ERR unknown command", name))
            }
            1 => {
                let arity = encode(&["GET", &key, "superfluous"]);
                (arity, Expected::Error("ERR wrong number of arguments", "'get'".into()))
            }
            2 => {
                let syntax = encode(&["SET", &key, "v", "NOSUCHOPTION"]);
                (syntax, Expected::Error("ERR syntax error", String::new()))
            }
            // A shard's error, or a count when nothing is there to be of the wrong type.
            _ => match self.held.contains_key(&key) {
                true => {
                    let push = encode(&["LPUSH", &key, "x"]);
                    (push, Expected::Error("WRONGTYPE", String::new()))
                }
                false => exactly(&[b"LLEN", key.as_bytes()], Reply::Integer(0)),
            },
        }
    }

    fn refused(&self) -> (Vec<u8>, Expected) {
        let (one, other) = &self.apart;
        let rename = encode(&["RENAME", one, other]);
        (rename, Expected::Error("CROSSSLOT", format!("'{one}' and '{other}'")))
    }

    fn key(&self) -> String {
        format!("{}:key{}", self.name, fastrand::u32(..KEYS))
    }

    fn holds(&self, key: &str) -> Reply {
        self.held.get(key).map_or(Reply::Nil, Reply::bulk)
    }
}

impl Expected {
    /// Says what differs.
    pub fn compare(&self, reply: &Reply) -> Result<(), String> {
        let agrees = match self {
            Expected::Exactly(expected) => reply == expected,
            Expected::Error(start, within) => {
                reply.error().is_some_and(|text| text.starts_with(start) && text.contains(within))
            }
        };
        agrees.then_some(()).ok_or_else(|| {
            let (expected, got) = (format!("{self:?}"), format!("{reply:?}"));
            format!("expected {}, got {}", start_of(&expected), start_of(&got))
        })
    }
}

/// Few enough that commands meet the values of others before them.
const KEYS: u32 = 40;

fn exactly(arguments: &[&[u8]], reply: Reply) -> (Vec<u8>, Expected) {
    (encode(arguments), Expected::Exactly(reply))
}

fn command<'a>(name: &'a str, keys: &'a [String]) -> Vec<&'a [u8]> {
    std::iter::once(name).chain(keys.iter().map(String::as_str)).map(str::as_bytes).collect()
}

/// Two keys that circlet refuses to use together.
fn keys_apart(circlet: &Proxy, name: &str) -> (String, String) {
    let mut client = circlet.client();
    let one = format!("{name}:apart0");
    let other = (1..100).map(|number| format!("{name}:apart{number}")).find(|other| {
        let reply = client.command(&["RENAME", &one, other]);
        reply.error().is_some_and(|text| text.starts_with("CROSSSLOT"))
    });
    (one, other.expect("not all of a hundred keys are on one shard"))
}

fn start_of(text: &str) -> &str {
    let end = (0..=300.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}
