//! Steady load from many pipelining clients that know whose reply each reply is.
//!
//! A value names its key and counts: `7:c3#41#xxxx` is what `SET 7:c3` stored as its 41st. A client
//! therefore knows of each reply whether it can be the reply to its request, and for keys that
//! no fault touches it is exactly one.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::{Address, Client, Reply, encode};

/// Who sends what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The start of all its clients' names.
    pub name: &'static str,
    /// Where to.
    pub address: Address,
    /// Whether ECHO comes into it; nutcracker knows none.
    pub echo: bool,
    /// Keys that may vanish or be old: those that the faulted shard has.
    pub doubtful: HashSet<String>,
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Tally {
    pub requests: u64,
    pub failures: Vec<Failure>,
    /// Replies that cannot be the reply to their request.
    pub wrong: Vec<String>,
    /// Connections that the proxy closed.
    pub broken: u64,
    /// When each batch was sent and how long until its last reply.
    pub batches: Vec<(Instant, Duration)>,
}

/// An error reply.
#[derive(Debug)]
pub struct Failure {
    pub key: String,
    pub text: String,
    pub sent: Instant,
}

/// All keys of a load by this name.
pub fn keys(name: &str) -> Vec<String> {
    (0..CLIENTS).flat_map(|client| (0..KEYS).map(move |key| key_name(name, client, key))).collect()
}

impl Load {
    pub fn start(plan: &Plan) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS)
            .map(|number| {
                let (plan, stop) = (plan.clone(), Arc::clone(&stop));
                thread::spawn(move || Worker::new(plan, number).run(&stop))
            })
            .collect();
        Load { stop, clients }
    }

    pub fn finish(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let mut total = Tally::default();
        for client in self.clients {
            let tally = client.join().expect("no client panics");
            total.requests += tally.requests;
            total.failures.extend(tally.failures);
            total.wrong.extend(tally.wrong);
            total.broken += tally.broken;
            total.batches.extend(tally.batches);
        }
        total
    }
}

impl Tally {
    /// Error replies to requests sent between these moments.
    pub fn failures_between(&self, from: Instant, to: Instant) -> usize {
        self.failures.iter().filter(|failure| from <= failure.sent && failure.sent < to).count()
    }

    /// The longest that a batch sent between these moments took.
    pub fn longest_wait(&self, from: Instant, to: Instant) -> Duration {
        let sent = self.batches.iter().filter(|(sent, _)| (from..to).contains(sent));
        sent.map(|(_, wait)| *wait).max().unwrap_or_default()
    }
}

struct Worker {
    plan: Plan,
    number: usize,
    /// The number of the last SET of each key.
    last: HashMap<String, u64>,
    marks: u64,
    tally: Tally,
}

/// What was sent, and so what may come.
enum Awaited {
    Stored(String),
    Value(String, u64),
    Echo(String),
}

impl Worker {
    fn new(plan: Plan, number: usize) -> Worker {
        Worker { plan, number, last: HashMap::new(), marks: 0, tally: Tally::default() }
    }

    fn run(mut self, stop: &AtomicBool) -> Tally {
        while !stop.load(Ordering::SeqCst) {
            let Ok(mut client) = Client::try_connect(&self.plan.address) else {
                thread::sleep(PAUSE);
                continue;
            };
            while !stop.load(Ordering::SeqCst) {
                if self.batch(&mut client).is_err() {
                    self.tally.broken += 1;
                    break;
                }
                thread::sleep(PAUSE);
            }
        }
        self.tally
    }

    fn batch(&mut self, client: &mut Client) -> io::Result<()> {
        let (mut bytes, mut awaited) = (Vec::new(), Vec::new());
        for _ in 0..BATCH {
            let (command, await_one) = self.draw();
            bytes.extend(command);
            awaited.push(await_one);
        }
        self.tally.requests += BATCH as u64;
        let sent = Instant::now();
        client.try_send(&bytes)?;
        for awaited in awaited {
            let reply = client.try_read_reply()?;
            self.judge(awaited, reply, sent);
        }
        self.tally.batches.push((sent, sent.elapsed()));
        Ok(())
    }

    fn draw(&mut self) -> (Vec<u8>, Awaited) {
        let key = key_name(self.plan.name, self.number, fastrand::usize(..KEYS));
        let last = self.last.entry(key.clone()).or_default();
        match fastrand::u8(..10) {
            0 if self.plan.echo => {
                self.marks += 1;
                let mark = format!("{} {}", self.number, self.marks);
                (encode(&["ECHO", &mark]), Awaited::Echo(mark))
            }
            0..5 => {
                *last += 1;
                let padding = "x".repeat(fastrand::usize(..300));
                let value = format!("{key}#{last}#{padding}");
                (encode(&["SET", &key, &value]), Awaited::Stored(key))
            }
            _ => {
                let last = *last;
                (encode(&["GET", &key]), Awaited::Value(key, last))
            }
        }
    }

    fn judge(&mut self, awaited: Awaited, reply: Reply, sent: Instant) {
        let fits = match (&awaited, &reply) {
            (Awaited::Echo(mark), reply) => *reply == Reply::bulk(mark),
            (Awaited::Stored(key) | Awaited::Value(key, _), Reply::Error(text)) => {
                let (key, text) = (key.clone(), text.clone());
                self.tally.failures.push(Failure { key, text, sent });
                true
            }
            (Awaited::Stored(_), reply) => *reply == Reply::ok(),
            (Awaited::Value(key, last), reply) => self.may_be(key, *last, reply),
        };
        if !fits {
            let what = match awaited {
                Awaited::Stored(key) => format!("SET {key}"),
                Awaited::Value(key, last) => format!("GET {key}, set {last} times"),
                Awaited::Echo(mark) => format!("ECHO {mark}"),
            };
            let shown = format!("{reply:?}");
            self.tally.wrong.push(format!("{what}: {:.120}", shown));
        }
    }

    fn may_be(&self, key: &str, last: u64, reply: &Reply) -> bool {
        let doubtful = self.plan.doubtful.contains(key);
        match reply {
            Reply::Nil => last == 0 || doubtful,
            Reply::Bulk(value) => {
                let value = String::from_utf8_lossy(value);
                let mut parts = value.split('#');
                let is_key = parts.next() == Some(key);
                let number = parts.next().and_then(|number| number.parse::<u64>().ok());
                // Seeds are number 0.
                is_key && number.is_some_and(|number| number == last || doubtful && number < last)
            }
            _ => false,
        }
    }
}

/// What a key holds before its first SET of the load.
pub fn seed(key: &str) -> String {
    format!("{key}#0#")
}

/// The number in front: the default hash, fnv1a_64, puts numbers at the end on one shard.
fn key_name(name: &str, client: usize, key: usize) -> String {
    format!("{key}-{client}:{name}")
}

const CLIENTS: usize = 8;
const KEYS: usize = 40;
const BATCH: usize = 16;
const PAUSE: Duration = Duration::from_millis(8);
