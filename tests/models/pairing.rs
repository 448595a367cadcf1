//! Pairing and order: whatever sessions say and shards do, each reply reaches the session and the
//! place it belongs to, or nobody; what was in flight on a connection that failed is failed, and
//! nothing else; nothing is sent twice, answered twice or forgotten.
//!
//! The model knows of each command which shards have seen it and which have answered. It follows
//! the real worker by what arrives at the shards, and holds what clients read against it.

use std::collections::VecDeque;

use circlet::shard::health::State;
use proptest::prelude::*;

use crate::cases;
use crate::player::{Fate, Kind, LARGE, Owed, Part, Player, value};
use crate::stage::Stage;
use crate::wire;

/// What happens next. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Connect,
    Say {
        who: usize,
        what: What,
        settle: bool,
    },
    /// A shard answers so many requests, and of one more only some bytes.
    Reply {
        which: usize,
        count: usize,
        part: usize,
        settle: bool,
    },
    Fail {
        which: usize,
        how: Failure,
    },
    /// A push, which answers nothing.
    Push {
        which: usize,
    },
    Refuse {
        shard: usize,
    },
    Restore {
        shard: usize,
    },
    Health {
        shard: usize,
        state: State,
    },
    Pass,
    Leave {
        who: usize,
        at_once: bool,
    },
    Settle,
}

#[derive(Debug, Clone)]
enum What {
    Get { large: bool },
    Mget { keys: usize, large: bool },
    Keys,
    Echo,
    Skip,
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    Close,
    CloseAmid,
    Garbage,
    Surplus,
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        6 => prop::bool::weighted(0.1).prop_map(|large| What::Get { large }),
        3 => (1..6usize, prop::bool::weighted(0.1)).prop_map(|(keys, large)| What::Mget { keys, large }),
        1 => Just(What::Keys),
        1 => Just(What::Echo),
        1 => Just(What::Skip),
    ];
    let failure = prop_oneof![
        2 => Just(Failure::Close),
        1 => Just(Failure::CloseAmid),
        1 => Just(Failure::Garbage),
        1 => Just(Failure::Surplus),
    ];
    let state =
        prop_oneof![2 => Just(State::Live), 1 => Just(State::Ejected), 1 => Just(State::Down)];
    let n = 0..1000usize;
    prop_oneof![
        3 => Just(Step::Connect),
        25 => (n.clone(), what, any::<bool>()).prop_map(|(who, what, settle)| Step::Say { who, what, settle }),
        20 => (n.clone(), 0..4usize, 0..60usize, any::<bool>())
            .prop_map(|(which, count, part, settle)| Step::Reply { which, count, part, settle }),
        3 => (n.clone(), failure).prop_map(|(which, how)| Step::Fail { which, how }),
        1 => n.clone().prop_map(|which| Step::Push { which }),
        1 => n.clone().prop_map(|shard| Step::Refuse { shard }),
        1 => n.clone().prop_map(|shard| Step::Restore { shard }),
        2 => (n.clone(), state).prop_map(|(shard, state)| Step::Health { shard, state }),
        1 => Just(Step::Pass),
        2 => (n, any::<bool>()).prop_map(|(who, at_once)| Step::Leave { who, at_once }),
        2 => Just(Step::Settle),
    ]
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn every_reply_reaches_its_command_or_nobody(
        shards in 1..4usize,
        lanes in 1..3usize,
        few in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let limit = if few { 6 } else { 4096 };
        let mut world = World::new(shards, lanes, limit);
        for step in steps {
            world.play(step);
        }
        world.finish();
    }
}

#[test]
fn what_comes_right_behind_a_reply_does_not_make_it_heavy() {
    let get = |large| Step::Say { who: 0, what: What::Get { large }, settle: true };
    let reply = |count, part| Step::Reply { which: 0, count, part, settle: true };
    let five = What::Mget { keys: 5, large: true };
    let mut world = World::new(1, 1, 4096);
    world.play(Step::Say { who: 0, what: five, settle: true });
    (0..3).for_each(|_| world.play(get(true)));
    world.play(get(false));
    // But for its end, which then comes in one read with the next two.
    world.play(reply(0, 199_000));
    world.play(reply(3, 0));
    // Goes at once, behind what is in flight: a heavy session would first be drained.
    world.play(get(false));
    world.finish();
}

#[test]
fn what_is_no_reply_is_none_in_pieces_either() {
    let mut stage = Stage::new(1, "max_nesting: 2");
    let client = stage.connect();
    stage.clients[client].say(&wire::say(&["GET", "a"]));
    stage.settle();
    // A level too deep, and as much of it as would be a whole reply without that level's header.
    for piece in ["%1\r\n+k\r\n", "%1\r\n+k\r\n%1\r\n+v\r\n"] {
        stage.connections[0].say(piece.as_bytes());
        stage.settle();
    }
    let received = &stage.clients[client].received;
    assert_eq!(wire::error(received), Some(received.len()), "{}", shown(received));
}

struct World {
    stage: Stage,
    players: Vec<Player>,
    queues: Vec<Queue>,
    /// By shard: whether a connection failed since the last check, so that what is sent meanwhile
    /// may fail unseen.
    shaken: Vec<bool>,
    /// By shard and lane: whether circlet may hold off from connecting for a while.
    backing_off: Vec<Vec<bool>>,
    lanes: usize,
    /// Links that are there again: what came to them earlier in the same turn may still have failed.
    recovered: Vec<(usize, usize)>,
    clock: u32,
    limit: usize,
}

/// What a connection owes.
#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    /// Bytes of the first request's reply that are said.
    said: usize,
    /// Whether circlet has a reason to end it.
    is_doomed: bool,
    has_answered: bool,
    /// Which of a shard's links it is, once a request has told.
    lane: Option<usize>,
}

struct Request {
    reply: Vec<u8>,
    /// Client, command and part, for each of its keys.
    of: Vec<(usize, usize, usize)>,
    /// When it came to the shard; and when the earliest of its commands may have been read.
    at: u32,
    read_at: u32,
}

impl World {
    fn new(shards: usize, lanes: usize, limit: usize) -> Self {
        let lines = format!(
            "timeout: {TIMEOUT}\nserver_connections: {lanes}\nclient_pipeline_limit: {limit}\n\
             auto_eject_hosts: true\ndistribution: modula\nejection: rebuild\nhash: fnv1a_32"
        );
        let mut world = Self {
            stage: Stage::new(shards, &lines),
            players: Vec::new(),
            queues: Vec::new(),
            shaken: vec![false; shards],
            backing_off: vec![vec![false; lanes]; shards],
            lanes,
            recovered: Vec::new(),
            clock: 0,
            limit,
        };
        world.connect();
        world
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Connect if self.present().len() < 5 => self.connect(),
            Step::Say { who, what, settle } => {
                let talkers = self.talkers();
                if let Some(who) = chosen(&talkers, who) {
                    self.say(who, &what);
                }
                if settle {
                    self.check();
                }
            }
            Step::Reply { which, count, part, settle } => {
                self.reply_some(which, count, part);
                if settle {
                    self.check();
                }
            }
            Step::Fail { which, how } => self.fail(which, how),
            Step::Push { which } => self.push(which),
            Step::Refuse { shard } => {
                self.check();
                self.stage.close_shard(shard % self.shaken.len());
            }
            Step::Restore { shard } => {
                self.check();
                self.stage.open_shard(shard % self.shaken.len());
            }
            Step::Health { shard, state } => self.set_health(shard % self.shaken.len(), state),
            Step::Pass => self.pass(),
            Step::Leave { who, at_once } => self.leave(who, at_once),
            Step::Settle => self.check(),
            Step::Connect => {}
        }
    }

    fn connect(&mut self) {
        self.stage.connect();
        self.players.push(Player::default());
    }

    fn present(&self) -> Vec<usize> {
        (0..self.players.len()).filter(|&who| !self.stage.clients[who].has_left()).collect()
    }

    fn talkers(&self) -> Vec<usize> {
        let mut present = self.present();
        present.retain(|&who| !self.players[who].is_leaving);
        present
    }

    /// Connections that can speak.
    fn open(&self) -> Vec<usize> {
        let open = |&at: &usize| self.stage.connections[at].is_open() && !self.queues[at].is_doomed;
        (0..self.queues.len()).filter(open).collect()
    }

    fn say(&mut self, who: usize, what: &What) {
        match what {
            // Which shards it will go to is not known yet.
            What::Keys if self.may_be_paused(who) => return,
            // Whether it is answered could not be seen where much may be unread.
            What::Skip if self.limit < 4096 => return,
            _ => {}
        }
        let player = &mut self.players[who];
        let number = player.said;
        player.said += 1;
        let large = self.players[who].owed.iter().flat_map(|owed| &owed.parts);
        // Short of what circlet stops reading at.
        let may_be_large = large.filter(|part| part.name.ends_with('+')).count() * LARGE < 400_000;
        let mark = |large: bool| if large && may_be_large { "+" } else { "" };
        let (kind, names): (Kind, Vec<String>) = match *what {
            What::Get { large } => (Kind::Get, vec![format!("{who}:{number}:0{}", mark(large))]),
            What::Mget { keys, large } => {
                let name = |key| format!("{who}:{number}:{key}{}", mark(large));
                (Kind::Mget, (0..keys).map(name).collect())
            }
            What::Keys => {
                let members = self.stage.health.iter().enumerate();
                let members = members.filter(|(_, health)| health.state != State::Ejected);
                let name = |(shard, _)| format!("{who}:{number}:{shard}");
                (Kind::Keys, members.map(name).collect())
            }
            What::Echo => (Kind::Echo, vec![format!("{who}:{number}:0")]),
            What::Skip => {
                self.stage.clients[who].say(&wire::say(&["CLIENT", "REPLY", "SKIP"]));
                self.players[who].skips = true;
                return;
            }
        };
        let mut args = match kind {
            Kind::Get => vec!["GET".to_owned()],
            Kind::Mget => vec!["MGET".to_owned()],
            Kind::Keys => vec!["KEYS".to_owned(), format!("{who}:{number}:*")],
            Kind::Echo => vec!["ECHO".to_owned(), format!("value of {who}:{number}:0")],
        };
        if matches!(kind, Kind::Get | Kind::Mget) {
            args.extend(names.iter().cloned());
        }
        let mut parts: Vec<Part> = names.into_iter().map(Part::new).collect();
        let is_nobody_in = kind != Kind::Echo && self.stage.ring.shard(b"any").is_none();
        if is_nobody_in && kind == Kind::Keys {
            parts = vec![Part { state: Fate::Failed, ..Part::new(String::new()) }];
        }
        if kind == Kind::Echo {
            parts[0].state = Fate::Answered;
        }
        let (is_vague, said_at) = (self.may_be_paused(who), self.clock);
        let player = &mut self.players[who];
        let is_muted = std::mem::take(&mut player.skips);
        let owed = Owed { number, kind, parts, is_muted, is_vague, said_at, may_be_late: false };
        player.owed.push_back(owed);
        self.stage.clients[who].say(&wire::say(&args));
    }

    /// Which of a shard's links the client's commands travel on.
    fn lane(&self, who: usize) -> usize {
        self.stage.clients[who].id as usize % self.lanes
    }

    /// Whether circlet may have stopped reading from the client for what it has in flight.
    fn may_be_paused(&self, who: usize) -> bool {
        self.players[who].owed.len() >= self.limit / 2
    }

    fn reply_some(&mut self, which: usize, count: usize, part: usize) {
        let Some(at) = chosen(&self.open(), which) else { return };
        for _ in 0..count {
            self.reply(at, usize::MAX);
        }
        self.reply(at, part);
    }

    /// Says up to `limit` bytes of the reply that is due.
    fn reply(&mut self, at: usize, limit: usize) {
        let queue = &mut self.queues[at];
        let Some(request) = queue.requests.front() else { return };
        let end = request.reply.len().min(queue.said.saturating_add(limit));
        self.stage.connections[at].say(&request.reply[queue.said..end]);
        queue.said = end;
        if end == request.reply.len() {
            queue.said = 0;
            queue.has_answered = true;
            let request = queue.requests.pop_front().expect("it was there");
            for (who, number, part) in request.of {
                self.set_fate(who, number, part, at, Fate::Answered);
            }
        }
    }

    /// Changes the fate of a part that waits on connection `at`.
    fn set_fate(&mut self, who: usize, number: usize, part: usize, at: usize, fate: Fate) {
        let mut owed = self.players[who].owed.iter_mut();
        if let Some(owed) = owed.find(|owed| owed.number == number)
            && owed.parts[part].state == Fate::Waiting(at)
        {
            owed.parts[part].state = fate;
        }
    }

    /// All that waits on the connection is failed, and the connection is over.
    fn doom(&mut self, at: usize) {
        let queue = &mut self.queues[at];
        queue.is_doomed = true;
        let shard = self.stage.connections[at].shard;
        self.shaken[shard] = true;
        if !queue.has_answered {
            match queue.lane {
                Some(lane) => self.backing_off[shard][lane] = true,
                None => self.backing_off[shard].fill(true),
            }
        }
        for request in std::mem::take(&mut queue.requests) {
            for (who, number, part) in request.of {
                self.set_fate(who, number, part, at, Fate::Failed);
            }
        }
    }

    fn fail(&mut self, which: usize, how: Failure) {
        self.check();
        let Some(at) = chosen(&self.open(), which) else { return };
        let is_amid = self.queues[at].said > 0;
        match how {
            Failure::Garbage if !is_amid => self.stage.connections[at].say(b"?what\r\n"),
            Failure::Surplus if self.queues[at].requests.is_empty() => {
                // It must not be taken for the reply to what is only just said.
                if let Some(who) = chosen(&self.talkers(), which) {
                    self.say(who, &What::Get { large: false });
                }
                self.stage.connections[at].say(b"+surplus\r\n");
            }
            Failure::CloseAmid => {
                self.reply(at, 3);
                self.check();
                self.stage.connections[at].close();
            }
            _ => self.stage.connections[at].close(),
        }
        self.doom(at);
    }

    fn push(&mut self, which: usize) {
        if let Some(at) = chosen(&self.open(), which)
            && self.queues[at].said == 0
        {
            self.stage.connections[at].say(b">2\r\n+invalidate\r\n*0\r\n");
        }
    }

    fn set_health(&mut self, shard: usize, state: State) {
        self.check();
        let before = self.stage.health[shard].state;
        if state == before {
            return;
        }
        self.stage.set_health(shard, state);
        for at in self.open() {
            let concerned = self.stage.connections[at].shard == shard;
            if concerned && state != State::Live {
                self.doom(at);
            }
        }
        self.check();
    }

    fn pass(&mut self) {
        self.check();
        self.clock += PASS;
        self.stage.pass(PASS);
        self.stage.settle();
        let now = self.clock;
        for owed in self.players.iter_mut().flat_map(|player| &mut player.owed) {
            owed.may_be_late |= owed.is_vague && now - owed.said_at > TIMEOUT;
        }
        for at in self.open_before() {
            let late = |request: &Request| now - request.at > TIMEOUT;
            let overdue = self.queues[at].requests.iter().filter(|request| late(request)).count();
            if self.stage.connections[at].is_ended {
                assert!(self.may_be_late(at), "a link was ended without a request that is overdue");
                self.doom(at);
                continue;
            }
            // Those that are overdue are answered, and what comes for them later is nobody's.
            for place in 0..overdue {
                for (who, number, part) in self.queues[at].requests[place].of.clone() {
                    self.set_fate(who, number, part, at, Fate::Failed);
                }
            }
        }
        self.check();
    }

    /// Whether a request that the connection carries may be overdue.
    fn may_be_late(&self, at: usize) -> bool {
        let late = |request: &Request| self.clock - request.read_at > TIMEOUT;
        self.queues[at].requests.iter().any(late)
    }

    /// Connections that were open at the last check.
    fn open_before(&self) -> Vec<usize> {
        (0..self.queues.len()).filter(|&at| !self.queues[at].is_doomed).collect()
    }

    fn leave(&mut self, who: usize, at_once: bool) {
        let Some(who) = chosen(&self.talkers(), who) else { return };
        if at_once {
            self.stage.clients[who].leave();
        } else {
            self.check();
            self.stage.clients[who].fall_silent();
        }
        self.players[who].is_leaving = true;
    }

    /// Lets the worker come to rest, and holds the world against the model.
    fn check(&mut self) {
        self.stage.settle();
        self.hear_requests();
        self.check_connections();
        self.give_up_unseen();
        self.check_replies();
        self.shaken.fill(false);
        for (shard, lane) in std::mem::take(&mut self.recovered) {
            self.backing_off[shard][lane] = false;
        }
    }

    /// Follows what has arrived at the shards.
    fn hear_requests(&mut self) {
        while self.queues.len() < self.stage.connections.len() {
            self.queues.push(Queue::default());
        }
        for at in 0..self.queues.len() {
            while let Some((args, length)) = wire::command(&self.stage.connections[at].received) {
                self.stage.connections[at].received.drain(..length);
                self.enter(at, &args);
            }
        }
    }

    fn enter(&mut self, at: usize, args: &[Vec<u8>]) {
        let shard = self.stage.connections[at].shard;
        let args: Vec<&str> = args.iter().map(|arg| std::str::from_utf8(arg).unwrap()).collect();
        if args[0] == "PING" {
            return self.enter_probe(at, args[1]);
        }
        let reply = match args[0] {
            "GET" => value(args[1]),
            "MGET" => wire::array(&args[1..].iter().map(|name| value(name)).collect::<Vec<_>>()),
            "KEYS" => wire::array(&[value(&args[1].replace('*', &shard.to_string()))]),
            other => panic!("a shard was asked for {other}"),
        };
        let fate = if self.queues[at].is_doomed { Fate::Failed } else { Fate::Waiting(at) };
        let mut of = Vec::new();
        let mut read_at = self.clock;
        for name in &args[1..] {
            let name = name.replace('*', &shard.to_string());
            let is_home =
                args[0] == "KEYS" || self.stage.ring.shard(name.as_bytes()) == Some(shard);
            assert!(is_home || self.queues[at].is_doomed, "{name} came to shard {shard}");
            let mut words = name.split(':').map(|word| word.parse::<usize>().ok());
            let (who, number) = (words.next().unwrap().unwrap(), words.next().unwrap().unwrap());
            let lane = self.lane(who);
            self.queues[at].lane = Some(lane);
            if !self.queues[at].is_doomed {
                self.recovered.push((shard, lane));
            }
            let found = self.players[who].owed.iter_mut().find(|owed| owed.number == number);
            let Some(owed) = found else {
                assert!(
                    self.stage.clients[who].has_left(),
                    "{name} was answered before it was sent"
                );
                continue;
            };
            let part = owed.parts.iter().position(|part| part.name == name).unwrap();
            let state = owed.parts[part].state;
            assert_eq!(state, Fate::Unseen, "{name} came to a shard once more");
            owed.parts[part].state = fate;
            if owed.is_vague {
                read_at = read_at.min(owed.said_at);
            }
            of.push((who, number, part));
        }
        if fate != Fate::Failed {
            self.queues[at].requests.push_back(Request { reply, of, at: self.clock, read_at });
        }
    }

    /// A link on which something was late is asked for a text of its own; it is nobody's reply.
    fn enter_probe(&mut self, at: usize, text: &str) {
        assert!(self.may_be_late(at) || self.queues[at].is_doomed, "probed without a reason");
        if !self.queues[at].is_doomed {
            let reply = wire::bulk(text.as_bytes());
            let (of, clock) = (Vec::new(), self.clock);
            let request = Request { reply, of, at: clock, read_at: clock };
            self.queues[at].requests.push_back(request);
        }
    }

    fn check_connections(&self) {
        for (connection, queue) in self.stage.connections.iter().zip(&self.queues) {
            assert!(!connection.is_ended || queue.is_doomed, "a link was ended without a reason");
            assert!(!connection.is_open() || !queue.is_doomed, "a link outlived its failure");
        }
    }

    /// What no shard has seen by now was answered with an error, where there is a reason.
    fn give_up_unseen(&mut self) {
        for shard in (0..self.shaken.len()).filter(|&shard| !self.stage.is_open(shard)) {
            self.backing_off[shard].fill(true);
        }
        let ring = std::sync::Arc::clone(&self.stage.ring);
        for who in self.present() {
            let lane = self.lane(who);
            for owed in self.players[who].owed.iter_mut().filter(|owed| !owed.is_vague) {
                for part in owed.parts.iter_mut().filter(|part| part.state == Fate::Unseen) {
                    let shard = match owed.kind {
                        Kind::Keys => part.name.rsplit(':').next().unwrap().parse().ok(),
                        _ => ring.shard(part.name.as_bytes()),
                    };
                    let may_fail = shard.is_none_or(|shard| {
                        self.shaken[shard]
                            || self.backing_off[shard][lane]
                            || !self.stage.is_open(shard)
                            || self.stage.health[shard].state != State::Live
                    });
                    if !may_fail {
                        let heard = shown(&self.stage.clients[who].received);
                        panic!("{} was not sent; its client reads {heard}", part.name);
                    }
                    part.state = Fate::Failed;
                }
            }
        }
    }

    fn check_replies(&mut self) {
        for who in self.present() {
            let (player, client) = (&mut self.players[who], &mut self.stage.clients[who]);
            while let Some(owed) = player.owed.front() {
                let received = &client.received;
                let length = match owed.reply() {
                    Some(Ok(_)) | None if owed.may_be_late && wire::error(received).is_some() => {
                        wire::error(received).expect("it was there")
                    }
                    Some(Ok(reply)) => {
                        let is_there = received.starts_with(&reply);
                        assert!(is_there, "client {who} reads {} for {owed:?}", shown(received));
                        reply.len()
                    }
                    Some(Err(())) => wire::error(received).unwrap_or_else(|| {
                        panic!("client {who} reads {} for {owed:?}", shown(received))
                    }),
                    None if owed.is_vague && is_unseen(owed) => match wire::error(received) {
                        Some(length) => length,
                        None => break,
                    },
                    None => break,
                };
                client.received.drain(..length);
                player.owed.pop_front();
            }
            let next = player.owed.front();
            assert!(
                client.received.is_empty(),
                "client {who} reads {} before {next:?}",
                shown(&client.received)
            );
            let is_over = player.is_leaving && player.owed.is_empty();
            assert_eq!(client.is_ended, is_over, "client {who}: {player:?}");
        }
    }

    /// All is answered, all leave, and nothing is left.
    fn finish(&mut self) {
        self.check();
        for shard in 0..self.shaken.len() {
            self.stage.open_shard(shard);
            self.set_health(shard, State::Live);
        }
        for _ in 0..1000 {
            self.check();
            let busy: Vec<usize> = self
                .open()
                .into_iter()
                .filter(|&at| !self.queues[at].requests.is_empty())
                .collect();
            if busy.is_empty() {
                break;
            }
            busy.into_iter().for_each(|at| self.reply(at, usize::MAX));
        }
        for who in self.present() {
            let owed = &self.players[who].owed;
            assert!(owed.is_empty(), "client {who} is still owed {owed:?}");
            self.stage.clients[who].leave();
        }
        self.stage.settle();
        let leftovers = self.stage.ask(|worker| worker.leftovers());
        assert!(leftovers.is_empty(), "when all have gone: {leftovers:?}");
    }
}

fn is_unseen(owed: &Owed) -> bool {
    owed.parts.iter().any(|part| part.state == Fate::Unseen)
}

fn chosen(among: &[usize], which: usize) -> Option<usize> {
    (!among.is_empty()).then(|| among[which % among.len()])
}

fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes[..bytes.len().min(80)].escape_ascii())
}

/// Milliseconds; and what passes at once: one is not enough to be overdue, two are.
const TIMEOUT: u32 = 100_000;
const PASS: u32 = 60_000;
