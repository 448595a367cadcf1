//! What a shard answers: what Redis might, or what no Redis would.

use std::collections::VecDeque;

use libfuzzer_sys::arbitrary::{self, Arbitrary};

use crate::stage::Connection;
use crate::wire;

/// How a shard answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Mood {
    /// As Redis would.
    Fair,
    Error,
    Null,
    Integer,
    Okay,
    EmptyArray,
    Map,
    /// An array of arrays.
    Nested,
    Large,
    Push,
}

/// One connection of a shard: what it was asked, and whether it stands in a transaction.
pub struct Fake {
    due: VecDeque<Vec<Vec<u8>>>,
    /// What is left of a reply that was begun.
    rest: Vec<u8>,
    queued: Option<Vec<Vec<Vec<u8>>>>,
    /// Whether its replies still stand in the order of what it was asked.
    pub is_honest: bool,
}

impl Default for Fake {
    fn default() -> Self {
        Self { due: VecDeque::new(), rest: Vec::new(), queued: None, is_honest: true }
    }
}

impl Fake {
    /// Takes in what came. Whatever it is, it must be whole commands.
    pub fn hear(&mut self, connection: &mut Connection) {
        let mut start = 0;
        while let Some((args, length)) = wire::command(&connection.received[start..]) {
            start += length;
            let name = args[0].to_ascii_uppercase();
            let is_greeting = matches!(&name[..], b"HELLO" | b"AUTH" | b"SELECT");
            self.due.push_back(args);
            // A link waits for the answers to its greeting before it can be anything else.
            if is_greeting && self.due.len() == 1 && self.rest.is_empty() && self.is_honest {
                self.reply(connection, Mood::Fair, 1, 0);
            }
        }
        connection.received.drain(..start);
    }

    /// Answers `count` commands, and says `cut` bytes of the answer to the next.
    pub fn reply(&mut self, connection: &mut Connection, mood: Mood, count: usize, cut: u8) {
        let rest = std::mem::take(&mut self.rest);
        connection.say(&rest);
        for _ in 0..count {
            let reply = self.next(mood);
            connection.say(&reply);
        }
        if cut > 0 {
            let mut reply = self.next(mood);
            let rest = reply.split_off(reply.len().min(usize::from(cut)));
            connection.say(&reply);
            self.rest = rest;
        }
    }

    fn next(&mut self, mood: Mood) -> Vec<u8> {
        if mood == Mood::Push {
            return b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n".to_vec();
        }
        let Some(args) = self.due.pop_front() else { return Vec::new() };
        let name = String::from_utf8_lossy(&args[0]).to_ascii_uppercase();
        match mood {
            Mood::Fair => self.fair(&name, args),
            Mood::Error => b"-ERR no\r\n".to_vec(),
            Mood::Null => b"$-1\r\n".to_vec(),
            Mood::Integer => b":3\r\n".to_vec(),
            Mood::Okay => b"+OK\r\n".to_vec(),
            Mood::EmptyArray => b"*0\r\n".to_vec(),
            Mood::Map => b"%1\r\n+a\r\n:1\r\n".to_vec(),
            Mood::Nested => b"*2\r\n*1\r\n*1\r\n+a\r\n:2\r\n".to_vec(),
            Mood::Large => wire::bulk(&[b'.'; 50_000]),
            Mood::Push => Vec::new(),
        }
    }

    fn fair(&mut self, name: &str, args: Vec<Vec<u8>>) -> Vec<u8> {
        match (name, &mut self.queued) {
            ("MULTI", queued) => {
                *queued = Some(Vec::new());
                return b"+OK\r\n".to_vec();
            }
            ("EXEC", queued) if queued.is_some() => {
                let queued = queued.take().unwrap_or_default();
                let replies: Vec<Vec<u8>> =
                    queued.into_iter().map(|args| self.answer(&args)).collect();
                return wire::array(&replies);
            }
            ("DISCARD", queued) => {
                *queued = None;
                return b"+OK\r\n".to_vec();
            }
            (_, Some(queued)) => {
                queued.push(args);
                return b"+QUEUED\r\n".to_vec();
            }
            _ => {}
        }
        self.answer(&args)
    }

    fn answer(&self, args: &[Vec<u8>]) -> Vec<u8> {
        let name = String::from_utf8_lossy(&args[0]).to_ascii_uppercase();
        match &name[..] {
            "GET" => self.value(args.get(1)),
            "MGET" => {
                wire::array(&args[1..].iter().map(|key| self.value(Some(key))).collect::<Vec<_>>())
            }
            "BLPOP" | "BRPOP" => {
                wire::array(&[wire::bulk(&args[1]), self.value(args.get(1))])
            }
            "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE"
            | "SUNSUBSCRIBE" => {
                let word = wire::bulk(name.to_ascii_lowercase().as_bytes());
                let told = |name: &Vec<u8>| {
                    wire::array(&[word.clone(), wire::bulk(name), b":1\r\n".to_vec()])
                };
                args[1..].iter().map(told).collect::<Vec<_>>().concat()
            }
            "HELLO" => b"%1\r\n$5\r\nproto\r\n:3\r\n".to_vec(),
            "PING" => b"+PONG\r\n".to_vec(),
            "SET" | "MSET" | "SELECT" | "AUTH" | "WATCH" | "FLUSHALL" | "RENAME" => {
                b"+OK\r\n".to_vec()
            }
            "KEYS" => wire::array(&[wire::bulk(b"a"), wire::bulk(b"b")]),
            "SCAN" => wire::array(&[wire::bulk(b"0"), wire::array(&[wire::bulk(b"a")])]),
            "DUMP" => wire::bulk(b"dumped"),
            "INFO" => wire::bulk(b"# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1\r\n"),
            "EVALSHA" => b"-NOSCRIPT No matching script.\r\n".to_vec(),
            "SCRIPT" => wire::bulk(b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
            "SMEMBERS" | "SUNION" | "LRANGE" => wire::array(&[wire::bulk(b"x")]),
            _ => b":1\r\n".to_vec(),
        }
    }

    /// The value of a key of its own names its client and command.
    fn value(&self, key: Option<&Vec<u8>>) -> Vec<u8> {
        let Some(key) = key else { return b"-ERR wrong number of arguments\r\n".to_vec() };
        match key.strip_prefix(b"k").filter(|_| self.is_honest) {
            Some(rest) => wire::bulk(&[&[MARK], rest].concat()),
            None => wire::bulk(b"value"),
        }
    }
}

/// The first byte of a value that names who asked for it.
pub const MARK: u8 = b'@';

/// The marks of the values in a reply: client, command, place.
pub fn marks(reply: &[u8]) -> Vec<(u32, u32, u32)> {
    let texts = reply.split(|&byte| byte == MARK).skip(1);
    texts
        .filter_map(|text| {
            let mut numbers = text.split(|&byte| byte == b':');
            let mut next = || std::str::from_utf8(numbers.next()?).ok()?.parse::<u32>().ok();
            Some((next()?, next()?, next()?))
        })
        .collect()
}
