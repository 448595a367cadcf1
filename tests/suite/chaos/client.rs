//! One of the many clients: its connection, its keys, and what it makes of each reply.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::connection::{Broken, Connection};
use super::record::{Record, Rule};
use super::shared::Shared;
use super::state::{Op, State};
use super::value::Chunk;
use super::verdict::{Book, Wrong};
use crate::harness::{Reply, encode};

/// What all clients of a pool have in common.
#[derive(Debug)]
pub struct Stage {
    pub port: u16,
    pub rule: Rule,
    /// Against nutcracker only what it serves is sent.
    pub is_circlet: bool,
    pub book: Arc<Book>,
    pub shared: Shared,
    /// The mean pause between two things that a client does.
    pub think: Duration,
    /// How long a reply may take.
    pub patience: Duration,
}

impl Stage {
    /// A connection to the proxy.
    pub async fn open(&self) -> Result<Connection, Broken> {
        Connection::open("127.0.0.1", self.port, self.patience).await
    }
}

/// A client with its own keys.
pub struct Client {
    pub number: usize,
    pub rng: Rng,
    pub stage: Arc<Stage>,
    pub connection: Option<Connection>,
    pub is_resp3: bool,
    pub keys: Vec<Record>,
    /// Keys with more than one possible state, to be read at the end.
    pub retired: Vec<Record>,
    pub sequence: u64,
    generations: HashMap<usize, u64>,
    /// Its channel has its name and the number of times that a PUBLISH had an unknown outcome.
    pub channel: u64,
}

/// A command and what may answer it.
pub struct Command {
    pub words: Vec<Vec<u8>>,
    /// The keys it concerns, by their place, and what it does to them.
    pub steps: Vec<(usize, Op)>,
    pub shape: Shape,
}

/// How the answers to a command's steps make its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// There is one step, and it is its.
    One,
    /// An array of them.
    Each,
    /// An array of them, or nil and nothing was done.
    EachOrNil,
    /// Must be nil: nothing was done.
    Refused,
    /// `+OK` for all.
    AllOk,
    /// An array of `+OK`, for what several commands did to a pair.
    Both,
    /// Nil, whatever the steps would say.
    Nil,
    /// The sum of them.
    Sum,
    /// `+QUEUED`.
    Queued,
    /// Any reply that is no error.
    Anything,
    /// A number that a counter of all clients has now.
    Count(usize),
    /// None at all.
    Silence,
}

impl Client {
    pub fn new(number: usize, seed: u64, stage: &Arc<Stage>) -> Client {
        let rng = Rng::with_seed(seed.wrapping_mul(1_000_003) + number as u64);
        let mut client = Client {
            number,
            rng,
            stage: Arc::clone(stage),
            connection: None,
            is_resp3: false,
            keys: Vec::new(),
            retired: Vec::new(),
            sequence: 0,
            generations: HashMap::new(),
            channel: 0,
        };
        client.keys = (0..KINDS.len()).map(|place| client.fresh(place)).collect();
        client
    }

    /// Does one thing after another until `end`.
    pub async fn run(&mut self, end: Instant) {
        while Instant::now() < end {
            if let Err(broken) = self.episode().await {
                self.lose(&broken);
            }
            self.turn_away();
            let think = self.stage.think.as_micros() as u64;
            let pause = Duration::from_micros(self.rng.u64(0..=2 * think));
            tokio::time::sleep(pause).await;
        }
        self.connection = None;
    }

    /// The connection, opened and greeted when there is none.
    pub async fn connected(&mut self) -> Result<&mut Connection, Broken> {
        self.expect_quiet();
        if self.connection.is_none() {
            let mut fresh = self.stage.open().await?;
            self.stage.book.figures().connections += 1;
            self.is_resp3 = self.stage.is_circlet && self.rng.bool();
            if self.is_resp3 {
                let hello = fresh.ask(&["HELLO", "3"]).await?;
                if !matches!(hello, Reply::Map(_)) {
                    self.object(&hello, "HELLO 3");
                }
            }
            self.connection = Some(fresh);
        }
        Ok(self.connection.as_mut().expect("it was opened"))
    }

    /// The next reply that is due.
    pub async fn reply(&mut self) -> Result<Reply, Broken> {
        match self.connection.as_mut() {
            Some(connection) => connection.reply().await,
            None => Err(Broken::Closed("not connected".into())),
        }
    }

    /// Sends commands in one piece and judges their replies.
    pub async fn exchange(&mut self, commands: &[Command]) -> Result<(), Broken> {
        let bytes: Vec<u8> = commands.iter().flat_map(|one| encode(&one.words)).collect();
        self.stage.book.figures().requests += commands.len() as u64;
        let mut sent = match self.connected().await {
            Ok(connection) => connection.send(&bytes).await,
            Err(broken) => Err(broken),
        };
        for command in commands {
            if command.shape == Shape::Silence {
                self.settle(command, None);
                continue;
            }
            let reply = match &sent {
                Ok(()) => self.reply().await,
                Err(broken) => Err(broken.clone()),
            };
            match reply {
                Ok(reply) => self.settle(command, Some(&reply)),
                Err(broken) => {
                    self.settle(command, None);
                    sent = Err(broken);
                }
            }
        }
        sent?;
        self.expect_quiet();
        Ok(())
    }

    /// Nothing is there that nobody asked for; a connection that is out of step is left.
    fn expect_quiet(&mut self) {
        if let Some(bytes) = self.connection.as_mut().and_then(Connection::surplus) {
            self.accuse(&Wrong::Surplus(bytes));
            self.connection = None;
        }
    }

    /// The connection is gone, and nobody here ended it.
    fn lose(&mut self, broken: &Broken) {
        self.connection = None;
        match broken {
            Broken::Closed(why) => self.accuse(&Wrong::Disconnected(why.clone())),
            Broken::Silent => {
                self.accuse(&Wrong::Missing(format!("for {:?}", self.stage.patience)))
            }
            Broken::Malformed(why) => self.accuse(&Wrong::Damaged(why.clone())),
        }
    }

    /// Leaves keys with more than one possible state, or too large ones, for new ones.
    pub fn turn_away(&mut self) {
        for place in 0..self.keys.len() {
            if !self.keys[place].is_certain() || self.keys[place].written > MOST_WRITES {
                let fresh = self.fresh(place);
                let left = std::mem::replace(&mut self.keys[place], fresh);
                if !left.is_anyones_guess() {
                    self.retired.push(left);
                }
            }
        }
    }

    /// A chunk that was never written before.
    pub fn chunk(&mut self, most_filler: u32) -> Chunk {
        self.sequence += 1;
        Chunk { sequence: self.sequence, filler: self.rng.u32(0..=most_filler) }
    }

    /// The place of a key of this kind.
    pub fn place(&mut self, kind: char) -> usize {
        let places: Vec<usize> = (0..KINDS.len()).filter(|place| KINDS[*place] == kind).collect();
        *self.rng.choice(&places).expect("each kind has a place")
    }

    /// A command upon one key.
    pub fn command(&self, key: usize, op: Op) -> Command {
        Command { words: op.words(&self.keys[key].name), steps: vec![(key, op)], shape: Shape::One }
    }

    /// How its keys and channels begin.
    pub fn prefix(&self) -> String {
        format!("c{}-", self.number)
    }

    /// Whether the key holds nothing.
    pub fn is_empty(&self, key: usize) -> bool {
        *self.keys[key].state() == State::Nothing
    }

    fn fresh(&mut self, place: usize) -> Record {
        let generation = self.generations.entry(place).or_default();
        *generation += 1;
        let kind = KINDS[place];
        let name = format!("c{}-{kind}{place}.{generation}", self.number);
        Record::new(name, kind, self.stage.rule)
    }
}

impl Command {
    /// A command without a key of its client.
    pub fn plain(words: &[&str], shape: Shape) -> Command {
        let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        Command { words, steps: Vec::new(), shape }
    }

    /// Its first words.
    pub fn told(&self) -> String {
        let words = self
            .words
            .iter()
            .take(3)
            .map(|word| word[..word.len().min(40)].escape_ascii().to_string());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// What a client's keys hold: text, numbers, lists, hashes, scores, sets, streams, pairs, belts,
/// and lists to wait at.
const KINDS: [char; 13] = ['s', 's', 's', 's', 'n', 'n', 'l', 'h', 'z', 'e', 'x', 'p', 'b'];
/// Then a new key takes its place, and the old one is read at the end.
const MOST_WRITES: u64 = 60;
