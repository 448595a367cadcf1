//! A relay that lies, so that the checker can show that it notices.
//!
//! It stands where a broken proxy would break: between circlet and a shard, or between clients and
//! circlet. Bytes are taken apart into commands and replies; every so often one is tampered with.

use std::collections::HashSet;
use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use super::value;
use crate::harness::{Reply, encode, free_port, read_reply};

/// What it does to commands and replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Nothing: for the test that nobody complains.
    None,
    /// Two replies in each other's place.
    Swap,
    /// A reply that others follow is dropped.
    Lose,
    /// The last reply that is due is dropped.
    LoseLast,
    /// A reply comes twice, and others follow.
    Repeat,
    /// The last reply that is due comes twice.
    RepeatLast,
    /// INCR, INCRBY and RPUSH are sent twice; one reply is passed on.
    Retry,
    /// A GET is of another key.
    OtherKey,
    /// A SET is answered and not sent.
    Forget,
    /// A message comes twice.
    RepeatMessage,
}

/// The relay.
#[derive(Debug)]
pub struct Liar {
    port: u16,
    ended: Arc<AtomicBool>,
}

/// What the two directions of one connection, and all connections, know.
#[derive(Debug, Default)]
struct Known {
    /// Commands without a reply.
    due: usize,
    /// Numbers of the commands whose replies are swallowed, and the number of the next command
    /// and of the next reply.
    swallowed: HashSet<u64>,
    next_command: u64,
    next_reply: u64,
    /// Commands answered here, by number.
    answered: HashSet<u64>,
    last_set: Option<Vec<u8>>,
    is_in_multi: bool,
    chances: usize,
    told: usize,
}

impl Liar {
    /// In front of what listens at this port of 127.0.0.1.
    pub fn before(port: u16, lie: Lie) -> Liar {
        let (listener, own) = listen();
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = Arc::clone(&ended);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if is_ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                relay(near, far, lie);
            }
        });
        Liar { port: own, ended }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees the end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn listen() -> (TcpListener, u16) {
    for _ in 0..10 {
        let port = free_port();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return (listener, port);
        }
    }
    panic!("no free port on 127.0.0.1");
}

fn relay(near: TcpStream, far: TcpStream, lie: Lie) {
    let known = Arc::new(Mutex::new(Known::default()));
    let (near_too, far_too) = (near.try_clone(), far.try_clone());
    let (Ok(near_too), Ok(far_too)) = (near_too, far_too) else { return };
    let knows = Arc::clone(&known);
    thread::spawn(move || {
        commands(&near, &far, lie, &knows);
        let _ = far.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        replies(&far_too, &near_too, lie, &known);
        let _ = (near_too.shutdown(Shutdown::Both), far_too.shutdown(Shutdown::Both));
    });
}

/// Passes commands on until either side ends.
fn commands(from: &TcpStream, mut to: &TcpStream, lie: Lie, known: &Mutex<Known>) {
    let mut reader = BufReader::with_capacity(64 * 1024, from);
    loop {
        let mut raw = Vec::new();
        let Ok(Reply::Array(words)) = read_reply(&mut reader, &mut raw) else { return };
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.bytes().to_vec()).collect();
        let sent = known_of(known).tamper(&words, raw, lie);
        if to.write_all(&sent).is_err() {
            return;
        }
    }
}

/// Passes replies on until either side ends.
fn replies(from: &TcpStream, mut to: &TcpStream, lie: Lie, known: &Mutex<Known>) {
    let mut reader = BufReader::with_capacity(64 * 1024, from);
    let mut one = || {
        let mut raw = Vec::new();
        read_reply(&mut reader, &mut raw).ok().map(|reply| (reply, raw))
    };
    loop {
        let Some((reply, raw)) = one() else { return };
        if is_message(&reply) {
            let times = match lie == Lie::RepeatMessage && known_of(known).is_time() {
                true => 2,
                false => 1,
            };
            if to.write_all(&raw.repeat(times)).is_err() {
                return;
            }
            continue;
        }
        let (due, number) = known_of(known).replied();
        if known_of(known).swallowed.remove(&number) {
            continue;
        }
        let is_value = names(&reply).is_some();
        let sent = match lie {
            Lie::Swap if is_value && due > 0 && known_of(known).is_time() => {
                let Some((other, later)) = one() else { return };
                known_of(known).replied();
                match names(&other).is_some_and(|key| Some(key) != names(&reply)) {
                    true => [later, raw].concat(),
                    false => {
                        known_of(known).told -= 1;
                        [raw, later].concat()
                    }
                }
            }
            Lie::Lose if is_value && due > 0 && known_of(known).is_time() => Vec::new(),
            Lie::LoseLast if is_value && due == 0 && known_of(known).is_time() => Vec::new(),
            Lie::Repeat if is_value && due > 0 && known_of(known).is_time() => raw.repeat(2),
            Lie::RepeatLast if is_value && due == 0 && known_of(known).is_time() => raw.repeat(2),
            Lie::Forget if known_of(known).answered.remove(&number) => b"+OK\r\n".to_vec(),
            _ => raw,
        };
        if to.write_all(&sent).is_err() {
            return;
        }
    }
}

impl Known {
    /// What is sent for a command.
    fn tamper(&mut self, words: &[Vec<u8>], raw: Vec<u8>, lie: Lie) -> Vec<u8> {
        self.due += 1;
        let number = self.next_command;
        self.next_command += 1;
        let name = words[0].to_ascii_uppercase();
        match name.as_slice() {
            b"MULTI" => self.is_in_multi = true,
            b"EXEC" | b"DISCARD" => self.is_in_multi = false,
            _ => {}
        }
        match (lie, name.as_slice()) {
            (Lie::Retry, b"INCR" | b"INCRBY" | b"RPUSH") if self.is_time() => {
                self.due += 1;
                self.next_command += 1;
                self.swallowed.insert(number + 1);
                raw.repeat(2)
            }
            (Lie::OtherKey, b"SET") if words[2].starts_with(b"<") => {
                self.last_set = Some(words[1].clone());
                raw
            }
            (Lie::OtherKey, b"GET") => match self.last_set.clone() {
                Some(other) if other != words[1] && self.is_time() => encode(&[b"GET", &other[..]]),
                _ => raw,
            },
            // Something else is asked, so that an answer comes in its place.
            (Lie::Forget, b"SET") if !self.is_in_multi && self.is_time() => {
                self.answered.insert(number);
                encode(&["PING"])
            }
            _ => raw,
        }
    }

    /// Counts a reply: how many more are due, and its number.
    fn replied(&mut self) -> (usize, u64) {
        self.due = self.due.saturating_sub(1);
        self.next_reply += 1;
        (self.due, self.next_reply - 1)
    }

    /// Whether this chance to lie is taken.
    fn is_time(&mut self) -> bool {
        self.chances += 1;
        let is_time = self.chances.is_multiple_of(EVERY) && self.told < MOST;
        self.told += usize::from(is_time);
        is_time
    }
}

fn known_of(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The key that a value names.
fn names(reply: &Reply) -> Option<String> {
    let Reply::Bulk(bytes) = reply else { return None };
    value::parse(bytes)?.into_iter().next().map(|(key, _)| key)
}

fn is_message(reply: &Reply) -> bool {
    let (Reply::Array(parts) | Reply::Push(parts)) = reply else { return false };
    matches!(parts.first(), Some(Reply::Bulk(kind)) if kind.ends_with(b"message"))
}

/// Every so many chances a lie, and no more than so many on one connection: the rest shows whether
/// the checker goes on.
const EVERY: usize = 5;
const MOST: usize = 4;
