//! One of the many clients: its connection, its keys, and what it makes of each reply.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::connection::{Broken, Connection, SILENCE};
use super::record::{Outcome, Record, Rule, shown};
use super::shared::Shared;
use super::state::{Op, State};
use super::value::Chunk;
use super::verdict::{Book, Ran, Wrong, classify};
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
        if self.connection.is_none() {
            let mut fresh = Connection::open("127.0.0.1", self.stage.port).await?;
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
            let reply = match (&sent, self.connection.as_mut()) {
                (Ok(()), Some(connection)) => connection.reply().await,
                (Err(broken), _) => Err(broken.clone()),
                (Ok(()), None) => Err(Broken::Closed("not connected".into())),
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
        if let Some(bytes) = self.connection.as_mut().and_then(Connection::surplus) {
            self.accuse(&Wrong::Surplus(bytes));
            self.connection = None;
        }
        Ok(())
    }

    /// Compares a reply with what its command did; without one the outcome is unknown.
    pub fn settle(&mut self, command: &Command, reply: Option<&Reply>) {
        if let Shape::Count(counter) = command.shape {
            return self.count(counter, reply);
        }
        let Some(reply) = reply else {
            return self.settle_all(command, |_| Outcome::Unknown);
        };
        if let Reply::Error(text) = reply {
            let outcome = match self.known(text) {
                // Of a command that was split, one part may have run.
                Some(Ran::Never) if command.steps.len() < 2 || text.starts_with("EXECABORT") => {
                    Outcome::NotRun
                }
                _ => Outcome::Unknown,
            };
            return self.settle_all(command, |_| outcome);
        }
        self.stage.book.figures().checked += 1;
        let parts = match (command.shape, reply) {
            (Shape::One, reply) => vec![reply],
            (Shape::Each | Shape::EachOrNil, Reply::Array(parts))
                if parts.len() == command.steps.len() =>
            {
                parts.iter().collect()
            }
            (Shape::EachOrNil | Shape::Refused, Reply::Nil) => return,
            (Shape::AllOk, reply) if *reply == Reply::ok() => vec![reply; command.steps.len()],
            (Shape::Sum, Reply::Integer(_)) => return self.settle_sum(command, reply),
            (Shape::Queued, Reply::Simple(text)) if text == "QUEUED" => return,
            (Shape::Both, Reply::Array(parts)) if parts[..] == [Reply::ok(), Reply::ok()] => {
                vec![&parts[0]]
            }
            (Shape::Anything, _) | (Shape::Nil, Reply::Nil) => return,
            _ => {
                self.settle_all(command, |_| Outcome::Unknown);
                return self.object(reply, &command.told());
            }
        };
        // The errors among the replies to EXEC are those of commands that ran.
        self.settle_all(command, |step| Outcome::Reply(parts[step]));
    }

    fn settle_all<'a>(&mut self, command: &Command, outcome: impl Fn(usize) -> Outcome<'a>) {
        for (step, (key, op)) in command.steps.iter().enumerate() {
            let outcome = outcome(step);
            if op.writes() {
                let mut figures = self.stage.book.figures();
                match outcome {
                    Outcome::Reply(_) => figures.acknowledged += 1,
                    Outcome::Unknown => figures.unknown += 1,
                    Outcome::NotRun => {}
                }
            }
            if let Err(wrong) = self.keys[*key].settle(op, outcome) {
                self.accuse(&wrong);
            }
        }
    }

    /// A sum is compared where each of its parts is known.
    fn settle_sum(&mut self, command: &Command, reply: &Reply) {
        let mut due = 0;
        let is_exact = self.stage.rule == Rule::Exact
            && command.steps.iter().all(|(key, _)| self.keys[*key].is_certain());
        for (key, op) in &command.steps {
            let record = &self.keys[*key];
            let answer = op.apply(&mut record.state().clone(), &record.name);
            due += match answer {
                super::state::Answer::Integer(number) => number,
                _ => 0,
            };
        }
        if is_exact && *reply != Reply::Integer(due) {
            self.object(reply, &format!("{}, expected {due}", command.told()));
        }
        for (key, op) in &command.steps {
            let (name, state) = (self.keys[*key].name.clone(), self.keys[*key].state().clone());
            let super::state::Answer::Integer(number) = op.apply(&mut state.clone(), &name) else {
                continue;
            };
            match is_exact {
                true => {
                    let own = Reply::Integer(number);
                    let _ = self.keys[*key].settle(op, Outcome::Reply(&own));
                }
                false => {
                    let _ = self.keys[*key].settle(op, Outcome::Unknown);
                }
            }
        }
    }

    fn count(&mut self, counter: usize, reply: Option<&Reply>) {
        let outcome = match reply {
            Some(Reply::Error(text)) => match self.known(text) {
                Some(Ran::Never) => return,
                _ => None,
            },
            Some(Reply::Integer(number)) => Some(*number),
            Some(other) => return self.object(other, "INCR of a shared counter"),
            None => None,
        };
        if let Err(wrong) = self.stage.shared.note(counter, outcome) {
            self.accuse(&wrong);
        }
    }

    /// What is known of an error; the unknown is held against the proxy.
    pub fn known(&self, text: &str) -> Option<Ran> {
        match classify(text, self.stage.is_circlet) {
            Some((kind, ran)) => {
                *self.stage.book.figures().errors.entry(kind).or_default() += 1;
                Some(ran)
            }
            None => {
                self.accuse(&Wrong::UnknownError(text.to_owned()));
                None
            }
        }
    }

    /// A reply that cannot be the one to this command.
    pub fn object(&self, reply: &Reply, command: &str) {
        if let Reply::Error(text) = reply {
            self.known(text);
            return;
        }
        let foreign = super::state::leaves(reply).iter().find_map(|leaf| {
            let chunks = super::value::parse(leaf)?;
            chunks.into_iter().map(|(key, _)| key).find(|key| !key.starts_with(&self.prefix()))
        });
        let text = format!("{command}: {}", shown(reply));
        self.accuse(&match foreign {
            Some(_) => Wrong::Foreign(text),
            None => Wrong::OtherKind(text),
        });
    }

    pub fn accuse(&self, wrong: &Wrong) {
        self.stage.book.accuse(&format!("client {}", self.number), wrong);
    }

    /// The connection is gone, and nobody here ended it.
    fn lose(&mut self, broken: &Broken) {
        self.connection = None;
        match broken {
            Broken::Closed(why) => self.accuse(&Wrong::Disconnected(why.clone())),
            Broken::Silent => self.accuse(&Wrong::Missing(format!("for {SILENCE:?}"))),
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
