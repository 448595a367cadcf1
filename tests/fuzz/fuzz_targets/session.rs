//! Whole sessions: what clients say and what shards do, in any order, cut and closed anywhere, over
//! pools of different settings, with a real worker between them.
//!
//! Whatever happens: nothing panics or fails to come to rest; what clients read is RESP; the values
//! that they read are those that they asked for, in that order and once; what waits for anybody
//! is bounded; and when all have gone nothing of them is left.

#![no_main]

#[path = "../session/command.rs"]
mod command;
#[path = "../session/shard.rs"]
mod shard;
#[path = "../../models/stage.rs"]
#[allow(dead_code)]
mod stage;
#[path = "../../models/wire.rs"]
#[allow(dead_code)]
mod wire;

use circlet::resp::{ReplyLimits, ReplyScanner, Scan};
use circlet::shard::health::State;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

use command::Command;
use shard::{Fake, Mood};
use stage::Stage;

#[derive(Debug, Arbitrary)]
struct Story {
    settings: Settings,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
struct Settings {
    shards: u8,
    lanes: bool,
    cross_shard: bool,
    cluster: bool,
    timeout: bool,
    password: bool,
    few: bool,
    small: bool,
    eject: bool,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Connect,
    Say { who: u8, command: Command, settle: bool },
    /// Some bytes of a command, and the rest with what is said next.
    Stutter { who: u8, command: Command, cut: u8 },
    Babble { who: u8, bytes: Vec<u8> },
    Reply { which: u8, mood: Mood, count: u8, cut: u8, settle: bool },
    Garble { which: u8, bytes: Vec<u8> },
    Hang { which: u8 },
    Leave { who: u8, at_once: bool },
    Deafen { who: u8, hears: bool },
    DeafenShard { which: u8, hears: bool },
    Refuse { shard: u8 },
    Restore { shard: u8 },
    Health { shard: u8, state: u8 },
    Pass { seconds: u8 },
    Wait,
    Settle,
}

fuzz_target!(|story: Story| {
    let mut play = Play::new(&story.settings);
    for step in story.steps.into_iter().take(STEPS) {
        play.step(step);
    }
    play.finish();
});

struct Play {
    stage: Stage,
    fakes: Vec<Fake>,
    readers: Vec<Reader>,
}

/// What a client has read.
#[derive(Default)]
struct Reader {
    said: u32,
    scanner: ReplyScanner,
    /// The mark of the last value that it read.
    last: Option<(u32, u32)>,
}

impl Settings {
    fn lines(&self) -> String {
        let mut lines = String::from("heartbeat_timeout: 100\nhash_tag: \"{}\"\n");
        let mut set = |is_set: bool, line: &str| {
            if is_set {
                lines.push_str(line);
                lines.push('\n');
            }
        };
        set(self.lanes, "server_connections: 2");
        set(self.cross_shard, "cross_shard: allow");
        set(self.cluster, "cluster_emulation: true");
        set(self.timeout, "timeout: 20000");
        set(self.password, "redis_auth: secret");
        set(self.few, "client_pipeline_limit: 4\nprivate_links: 2");
        set(self.small, SMALL);
        set(self.eject, "auto_eject_hosts: true\ndistribution: modula\nejection: rebuild");
        lines
    }
}

impl Play {
    fn new(settings: &Settings) -> Self {
        let stage = Stage::new(1 + usize::from(settings.shards % 3), &settings.lines());
        let mut play = Self { stage, fakes: Vec::new(), readers: Vec::new() };
        play.connect();
        play
    }

    fn connect(&mut self) {
        self.stage.connect();
        self.readers.push(Reader::default());
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Connect if self.readers.len() < 8 => self.connect(),
            Step::Connect => {}
            Step::Say { who, command, settle } => {
                self.say(who, &command, usize::MAX);
                if settle {
                    self.settle();
                }
            }
            Step::Stutter { who, command, cut } => self.say(who, &command, usize::from(cut)),
            Step::Babble { who, bytes } => {
                let who = usize::from(who) % self.readers.len();
                self.stage.clients[who].say(&without_marks(bytes));
            }
            Step::Reply { which, mood, count, cut, settle } => {
                if let Some(at) = self.connection(which) {
                    let connection = &mut self.stage.connections[at];
                    self.fakes[at].reply(connection, mood, usize::from(count % 8), cut);
                }
                if settle {
                    self.settle();
                }
            }
            Step::Garble { which, bytes } => {
                if let Some(at) = self.connection(which) {
                    // What it says from now on may be taken for the answer to something else.
                    self.fakes[at].is_honest = false;
                    self.stage.connections[at].say(&without_marks(bytes));
                }
            }
            Step::Hang { which } => {
                if let Some(at) = self.connection(which) {
                    self.stage.connections[at].close();
                }
            }
            Step::Leave { who, at_once } => {
                let client = &mut self.stage.clients[usize::from(who) % self.readers.len()];
                if at_once { client.leave() } else { client.fall_silent() }
            }
            Step::Deafen { who, hears } => {
                self.stage.clients[usize::from(who) % self.readers.len()].reads = hears;
            }
            Step::DeafenShard { which, hears } => {
                if let Some(at) = self.connection(which) {
                    self.stage.connections[at].reads = hears;
                }
            }
            Step::Refuse { shard } => {
                let shard = self.shard(shard);
                self.stage.close_shard(shard);
            }
            Step::Restore { shard } => {
                let shard = self.shard(shard);
                self.stage.open_shard(shard);
            }
            Step::Health { shard, state } => {
                let states = [State::Live, State::Live, State::Down, State::Ejected];
                let shard = self.shard(shard);
                self.stage.set_health(shard, states[usize::from(state) % 4]);
            }
            Step::Pass { seconds } => self.stage.pass(u32::from(seconds) * 1000),
            Step::Wait => self.stage.settle_after(1),
            Step::Settle => self.settle(),
        }
    }

    fn shard(&self, which: u8) -> usize {
        usize::from(which) % self.stage.health.len()
    }

    /// A connection that is open, to shard or fake.
    fn connection(&self, which: u8) -> Option<usize> {
        let open = |&at: &usize| self.stage.connections[at].is_open();
        let open: Vec<usize> = (0..self.fakes.len()).filter(open).collect();
        (!open.is_empty()).then(|| open[usize::from(which) % open.len()])
    }

    fn say(&mut self, who: u8, command: &Command, cut: usize) {
        let who = usize::from(who) % self.readers.len();
        let reader = &mut self.readers[who];
        let bytes = command.bytes(who, reader.said);
        reader.said += 1;
        let cut = cut.min(bytes.len());
        self.stage.clients[who].say(&bytes[..cut]);
    }

    /// Lets the worker come to rest, and looks at what everybody has read.
    fn settle(&mut self) {
        self.stage.settle();
        for at in 0..self.stage.connections.len() {
            if at == self.fakes.len() {
                self.fakes.push(Fake::default());
            }
            self.fakes[at].hear(&mut self.stage.connections[at]);
        }
        for who in 0..self.readers.len() {
            self.readers[who].read(who, &mut self.stage.clients[who].received);
        }
        self.check_bounds();
    }

    fn check_bounds(&mut self) {
        let limits = self.stage.pool.clone();
        let excess = self.stage.ask(move |worker| {
            let of_session = worker.sessions.iter().filter_map(|(_, session)| {
                let waiting = session.output.len_behind_first() + session.replies.parked_len();
                let kept = session.input.as_ref().map_or(0, |input| input.bytes.len());
                let output_limit = limits.client_output_limit.max(limits.pubsub_output_limit);
                (waiting as u64 > output_limit + SLACK || kept > INPUT)
                    .then(|| format!("{waiting} bytes wait for a client, {kept} of it"))
            });
            let of_link = worker.links.iter().filter_map(|(_, link)| {
                let waiting = link.output.len();
                (waiting as u64 > limits.link_output_limit + SLACK)
                    .then(|| format!("{waiting} bytes wait for a shard"))
            });
            of_session.chain(of_link).collect::<Vec<String>>()
        });
        assert!(excess.is_empty(), "{excess:?}");
    }

    /// All go, and nothing is left of them.
    fn finish(&mut self) {
        self.settle();
        for client in &mut self.stage.clients {
            client.leave();
        }
        // Whoever waits by order of CLIENT PAUSE must not wait here.
        let last = self.stage.connect();
        self.stage.clients[last].say(&wire::say(&["AUTH", "secret"]));
        self.stage.clients[last].say(&wire::say(&["CLIENT", "UNPAUSE"]));
        for shard in 0..self.stage.health.len() {
            self.stage.close_shard(shard);
        }
        let mut leftovers = Vec::new();
        for round in 0..ROUNDS {
            self.stage.settle();
            for connection in &mut self.stage.connections {
                connection.close();
            }
            self.stage.settle();
            self.stage.clients[last].leave();
            leftovers = self.stage.ask(|worker| worker.leftovers());
            if leftovers.is_empty() {
                return;
            }
            self.stage.settle_after(if round < 10 { 1 } else { 20 });
        }
        panic!("when all have gone: {leftovers:?}");
    }
}

impl Reader {
    fn read(&mut self, who: usize, received: &mut Vec<u8>) {
        let limits = ReplyLimits::default();
        let mut start = 0;
        loop {
            match self.scanner.scan(&received[start..], &limits) {
                Ok(Scan::Done(length)) => {
                    self.check(who, &received[start..start + length]);
                    self.scanner.reset();
                    start += length;
                }
                Ok(Scan::More(_)) => break,
                Err(error) => panic!("client {who} reads {}: {error}", received.escape_ascii()),
            }
        }
        self.scanner.reset();
        received.drain(..start);
    }

    /// The values in a reply are the client's own, in the order in which it asked for them.
    fn check(&mut self, who: usize, reply: &[u8]) {
        for (owner, number, place) in shard::marks(reply) {
            assert_eq!(owner as usize, who, "client {who} reads {}", reply.escape_ascii());
            let is_next = self.last.is_none_or(|last| last < (number, place));
            assert!(is_next, "after {:?} client {who} reads {}", self.last, reply.escape_ascii());
            self.last = Some((number, place));
        }
    }
}

/// What is said at random must not look like a value.
fn without_marks(mut bytes: Vec<u8>) -> Vec<u8> {
    for byte in &mut bytes {
        if *byte == shard::MARK {
            *byte = b'.';
        }
    }
    bytes
}

const SMALL: &str = "client_output_limit: 64kb\npubsub_output_limit: 64kb\nmax_bulk: 1kb\n\
    max_command: 4kb\nmax_inline: 1kb\nmax_reply: 100kb\nlink_output_limit: 4kb\nmax_arguments: 20";
/// What may come above a limit before anybody looks: the replies of one read.
const SLACK: u64 = 512 * 1024;
/// What is kept of what a client has said: one command, and what is read ahead.
const INPUT: usize = 4 * 1024 * 1024;
const STEPS: usize = 400;
const ROUNDS: usize = 60;
