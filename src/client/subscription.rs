//! A session that listens: SUBSCRIBE, UNSUBSCRIBE and their kin.
//!
//! A SUBSCRIBE is answered when all shards concerned have confirmed that they listen for us: a
//! message that is published after the answer cannot be missed. Until then the session pauses.

use std::collections::HashSet;
use std::time::Instant;

use bytes::Bytes;

use super::session::{Pause, Special};
use crate::command::Spec;
use crate::resp::{Protocol, Request, Writer};
use crate::subscription::{HubAt, Kind, Name, Sent};
use crate::worker::{Told, Worker};

/// What a session listens to.
#[derive(Debug)]
pub struct Subscriber {
    /// The hub that has its names.
    at: HubAt,
    /// By kind.
    names: [HashSet<Name>; 3],
    waiting: Option<Waiting>,
    /// Since when more waits for it than the soft limit allows.
    soft_since: Option<Instant>,
}

/// A SUBSCRIBE that is not answered yet.
#[derive(Debug)]
struct Waiting {
    kind: Kind,
    /// The names as typed, and whether the session holds each in the hub.
    names: Vec<(Name, bool)>,
    /// Shards whose confirmation is still to come.
    awaited: usize,
    /// Whether any shard listens.
    is_heard: bool,
    /// Why a shard does not.
    lost: Option<String>,
    /// A shard's own error.
    refused: Option<String>,
}

impl Subscriber {
    fn new(at: HubAt) -> Self {
        Self { at, names: Default::default(), waiting: None, soft_since: None }
    }

    /// The hub that has its names.
    pub fn hub(&self) -> HubAt {
        self.at
    }

    /// How many channels, patterns and shard channels it listens to.
    pub fn counts(&self) -> [usize; 3] {
        [self.names[0].len(), self.names[1].len(), self.names[2].len()]
    }

    /// The number in a confirmation: shard channels are counted apart.
    fn count(&self, kind: Kind) -> usize {
        let [channels, patterns, shard_channels] = self.counts();
        if kind == Kind::Shard { shard_channels } else { channels + patterns }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_none() && self.names.iter().all(HashSet::is_empty)
    }

    /// A shard has refused `sent`: the command that waits fails if it is concerned.
    pub fn refuse(&mut self, sent: &Sent, text: &str) {
        if let Some(waiting) = &mut self.waiting
            && waiting.kind == sent.kind
            && waiting.names.iter().any(|(name, _)| sent.names.contains(name))
        {
            waiting.refused = Some(text.to_owned());
        }
    }
}

impl Worker {
    /// Handles a command about subscriptions.
    pub(crate) fn subscription(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        match spec.name {
            "publish" => self.publish(number, Kind::Channel, request, whole),
            "spublish" => self.publish(number, Kind::Shard, request, whole),
            "subscribe" => self.subscribe(number, Kind::Channel, request),
            "psubscribe" => self.subscribe(number, Kind::Pattern, request),
            "ssubscribe" => self.subscribe(number, Kind::Shard, request),
            "unsubscribe" => self.unsubscribe(number, Kind::Channel, request),
            "punsubscribe" => self.unsubscribe(number, Kind::Pattern, request),
            "sunsubscribe" => self.unsubscribe(number, Kind::Shard, request),
            _ => self.pubsub(number, spec, request),
        }
    }

    fn subscribe(&mut self, number: u32, kind: Kind, request: &Request<'_>) {
        if !self.is_drained(number) {
            return;
        }
        let at = match self.hub_of_session(number) {
            Ok(at) => at,
            Err(text) => return self.say(number, |writer| writer.error(&text)),
        };
        let session = &mut *self.sessions[number as usize];
        let state = &mut self.pools[at.pool];
        let subscriber = session.subscriber.get_or_insert_with(|| Box::new(Subscriber::new(at)));
        let mut names = Vec::with_capacity(request.len() - 1);
        let mut new_names = Vec::new();
        for name in request.args().skip(1) {
            if let Some(known) = subscriber.names[kind as usize].get(name) {
                names.push((known.clone(), false));
                continue;
            }
            let home = if kind == Kind::Shard { state.ring.shard(name) } else { None };
            let (name, is_new) = state.hubs[at.hub].hold(kind, name, home);
            names.push((name.clone(), true));
            if is_new {
                new_names.push((name, home));
            }
        }
        let shards = match kind {
            Kind::Shard => homes(request.args().skip(1).map(|name| state.ring.shard(name))),
            _ => state.config.configured(),
        };
        let lost = shards.is_empty().then(|| state.nobody_in());
        let (awaited, is_heard, refused) = (0, false, None);
        subscriber.waiting = Some(Waiting { kind, names, awaited, is_heard, lost, refused });
        self.ask_shards(number, at, kind, &shards, new_names);
    }

    /// Asks the shards for what is new, and waits for those that have not confirmed yet.
    fn ask_shards(
        &mut self,
        number: u32,
        at: HubAt,
        kind: Kind,
        shards: &[usize],
        new_names: Vec<(Name, Option<usize>)>,
    ) {
        let mut by_shard = ByShard::new(kind, new_names);
        for &shard in shards {
            let asked = self.listen_upstream(at, shard, kind, by_shard.names(shard));
            let config = &self.pools[at.pool].config;
            let lost =
                asked.err().map(|fault| fault.reply(&config.servers[shard].name, &config.name));
            let waits =
                lost.is_none() && self.pools[at.pool].hubs[at.hub].upstreams[shard].wait(number);
            let session = &mut *self.sessions[number as usize];
            let Some(waiting) = session.subscriber.as_mut().and_then(|one| one.waiting.as_mut())
            else {
                return;
            };
            match lost {
                Some(text) => waiting.lost = Some(text),
                None if waits => {
                    waiting.awaited += 1;
                    // The number stays the session's for as long as the shard's queue has it.
                    session.outstanding += 1;
                }
                None => waiting.is_heard = true,
            }
        }
        self.sessions[number as usize].pause = Pause::Subscribing;
        self.subscribe_if_told(number);
    }

    /// One shard less to wait for.
    pub(crate) fn upstream_told(&mut self, number: u32, told: Told) {
        let session = &mut *self.sessions[number as usize];
        session.outstanding -= 1;
        if session.socket.is_none() {
            return self.forget_session(number);
        }
        let waiting =
            session.subscriber.as_mut().and_then(|subscriber| subscriber.waiting.as_mut());
        let Some(waiting) = waiting else { return };
        waiting.awaited -= 1;
        match told {
            Told::Confirmed => waiting.is_heard = true,
            Told::Lost(text) => waiting.lost = Some(text),
        }
        self.subscribe_if_told(number);
    }

    /// Answers the SUBSCRIBE when no shard is awaited any more.
    fn subscribe_if_told(&mut self, number: u32) {
        let session = &mut *self.sessions[number as usize];
        let Some(subscriber) = &mut session.subscriber else { return };
        let at = subscriber.at;
        let Some(mut waiting) = subscriber.waiting.take_if(|waiting| waiting.awaited == 0) else {
            return;
        };
        if session.pause == Pause::Subscribing {
            session.pause = Pause::No;
            session.wake();
        }
        let unheard = if waiting.is_heard { None } else { waiting.lost.take() };
        match waiting.refused.take().or(unheard) {
            Some(error) => {
                self.drop_waiting(at, &waiting);
                self.drop_empty_subscriber(number);
                self.say(number, |writer| writer.error(&error));
            }
            None => self.join(number, &waiting),
        }
    }

    /// From now on the session listens; it reads a confirmation for each name.
    fn join(&mut self, number: u32, waiting: &Waiting) {
        let session = &mut *self.sessions[number as usize];
        let Some(subscriber) = &mut session.subscriber else { return };
        session.special.set(Special::SUBSCRIBER);
        let hub = &mut self.pools[subscriber.at.pool].hubs[subscriber.at.hub];
        let kind = waiting.kind;
        let mut confirmations = Confirmations::new(session.protocol, kind.subscribe());
        for (name, is_held) in &waiting.names {
            subscriber.names[kind as usize].insert(name.clone());
            if *is_held {
                hub.join(kind, name, number);
            }
            confirmations.add(Some(name), subscriber.count(kind));
        }
        self.say(number, |writer| writer.raw(&confirmations.bytes));
    }

    /// Lets go of what a SUBSCRIBE held that comes to nothing.
    fn drop_waiting(&mut self, at: HubAt, waiting: &Waiting) {
        let hub = &mut self.pools[at.pool].hubs[at.hub];
        let held = waiting.names.iter().filter(|(_, is_held)| *is_held);
        let gone = held.filter_map(|(name, _)| hub.release(waiting.kind, name));
        let gone = gone.map(|gone| (gone.name, gone.home)).collect();
        self.unlisten(at, waiting.kind, gone);
    }

    fn unsubscribe(&mut self, number: u32, kind: Kind, request: &Request<'_>) {
        let session = &mut *self.sessions[number as usize];
        let mut nobody = Subscriber::new(HubAt { pool: usize::from(session.pool), hub: 0 });
        let at = session.subscriber.as_ref().map_or(nobody.at, |subscriber| subscriber.at);
        let hub = &mut self.pools[at.pool].hubs[at.hub];
        let subscriber = session.subscriber.as_deref_mut().unwrap_or(&mut nobody);
        let mut confirmations = Confirmations::new(session.protocol, kind.unsubscribe());
        let mut gone = Vec::new();
        let mut leave = |subscriber: &mut Subscriber, name: &[u8]| {
            let left = subscriber.names[kind as usize].take(name);
            let left = left.and_then(|name| hub.leave(kind, &name, number));
            gone.extend(left.map(|gone| (gone.name, gone.home)));
            confirmations.add(Some(name), subscriber.count(kind));
        };
        if request.len() > 1 {
            request.args().skip(1).for_each(|name| leave(subscriber, name));
        } else {
            let all: Vec<Name> = subscriber.names[kind as usize].iter().cloned().collect();
            all.iter().for_each(|name| leave(subscriber, name));
            if all.is_empty() {
                confirmations.add(None, subscriber.count(kind));
            }
        }
        self.drop_empty_subscriber(number);
        self.say(number, |writer| writer.raw(&confirmations.bytes));
        self.unlisten(at, kind, gone);
    }

    /// The session listens to nothing any more; it is told nothing of it.
    pub(crate) fn leave_all(&mut self, number: u32) {
        let session = &mut *self.sessions[number as usize];
        let Some(mut subscriber) = session.subscriber.take() else { return };
        session.special.clear(Special::SUBSCRIBER);
        let at = subscriber.at;
        if let Some(waiting) = subscriber.waiting.take() {
            self.drop_waiting(at, &waiting);
        }
        for kind in Kind::ALL {
            let hub = &mut self.pools[at.pool].hubs[at.hub];
            let names = subscriber.names[kind as usize].iter();
            let gone = names.filter_map(|name| hub.leave(kind, name, number));
            let gone = gone.map(|gone| (gone.name, gone.home)).collect();
            self.unlisten(at, kind, gone);
        }
    }

    /// Tells the shards of names that nobody listens to any more.
    fn unlisten(&mut self, at: HubAt, kind: Kind, gone: Vec<(Name, Option<usize>)>) {
        if gone.is_empty() {
            return;
        }
        let mut by_shard = ByShard::new(kind, gone);
        for shard in 0..self.pools[at.pool].hubs[at.hub].upstreams.len() {
            self.unlisten_upstream(at, shard, kind, by_shard.names(shard));
        }
    }

    fn drop_empty_subscriber(&mut self, number: u32) {
        let session = &mut *self.sessions[number as usize];
        if session.subscriber.take_if(|subscriber| subscriber.is_empty()).is_some() {
            session.special.clear(Special::SUBSCRIBER);
        }
    }

    /// Whether the client speaks RESP2 and listens, so that only few commands are open to it.
    pub(crate) fn is_in_subscriber_mode(&self, number: u32) -> bool {
        let session = &self.sessions[number as usize];
        session.special.has(Special::SUBSCRIBER) && session.protocol == Protocol::Resp2
    }

    /// Whether a session that listens may have the command handled; otherwise it has read why not.
    pub(crate) fn admits_subscribed(&mut self, number: u32, spec: &Spec) -> bool {
        if !self.is_in_subscriber_mode(number) || ALLOWED.contains(&spec.name) {
            return true;
        }
        let text = format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
             are allowed in this context",
            spec.name
        );
        self.turn_away(number, spec, &text);
        false
    }

    /// PING of a client in subscriber mode.
    pub(crate) fn ping_subscribed(&mut self, number: u32, request: &Request<'_>) {
        if request.len() > 2 {
            let text = "ERR wrong number of arguments for 'ping' command";
            return self.say(number, |writer| writer.error(text));
        }
        let said = request.args().nth(1).unwrap_or_default();
        self.say(number, |writer| {
            writer.array(2);
            writer.bulk(b"pong");
            writer.bulk(said);
        });
    }

    /// Ends a session that does not read its messages.
    pub(crate) fn drop_slow_subscriber(&mut self, number: u32) {
        let session = &mut *self.sessions[number as usize];
        let pool = &self.pools[usize::from(session.pool)].config;
        let Some(subscriber) = &mut session.subscriber else { return };
        let waiting = session.output.len_behind_first() as u64;
        let exceeds = |limit: u64| limit > 0 && waiting > limit;
        if !exceeds(pool.pubsub_output_soft_limit) {
            subscriber.soft_since = None;
        }
        let soft_for = match exceeds(pool.pubsub_output_soft_limit) {
            true => subscriber.soft_since.get_or_insert_with(Instant::now).elapsed().as_secs(),
            false => 0,
        };
        let is_soft_over = exceeds(pool.pubsub_output_soft_limit)
            && soft_for >= u64::from(pool.pubsub_output_soft_seconds);
        if !is_soft_over && !exceeds(pool.pubsub_output_limit) {
            return;
        }
        tracing::warn!(
            pool = pool.name,
            client = session.id,
            waiting_bytes = waiting,
            seconds_above_soft_limit = soft_for,
            "client disconnected: it does not read its messages and {} is reached",
            if is_soft_over { "pubsub_output_soft_limit" } else { "pubsub_output_limit" }
        );
        self.end_session(number);
    }
}

/// The shards among `homes`, each once.
fn homes(homes: impl Iterator<Item = Option<usize>>) -> Vec<usize> {
    let mut shards: Vec<usize> = homes.flatten().collect();
    shards.sort_unstable();
    shards.dedup();
    shards
}

/// Names by the shard that has to hear of them: shard channels have one, others go to all.
struct ByShard {
    kind: Kind,
    names: Vec<(Name, Option<usize>)>,
    chosen: Vec<Name>,
    is_chosen: bool,
}

impl ByShard {
    fn new(kind: Kind, names: Vec<(Name, Option<usize>)>) -> Self {
        Self { kind, names, chosen: Vec::new(), is_chosen: false }
    }

    fn names(&mut self, shard: usize) -> &[Name] {
        let for_all = self.kind != Kind::Shard;
        if !for_all || !self.is_chosen {
            let concerned = self.names.iter().filter(|(_, home)| for_all || *home == Some(shard));
            self.chosen = concerned.map(|(name, _)| name.clone()).collect();
            self.is_chosen = true;
        }
        &self.chosen
    }
}

/// The confirmations of one command.
struct Confirmations {
    bytes: Vec<u8>,
    protocol: Protocol,
    word: &'static str,
}

impl Confirmations {
    fn new(protocol: Protocol, word: &'static str) -> Self {
        Self { bytes: Vec::new(), protocol, word }
    }

    fn add(&mut self, name: Option<&[u8]>, count: usize) {
        let mut writer = Writer::new(&mut self.bytes, self.protocol);
        writer.push(3);
        writer.bulk(self.word.as_bytes());
        match name {
            Some(name) => writer.bulk(name),
            None => writer.null(),
        }
        writer.integer(count as i64);
    }
}

/// Commands of a client in subscriber mode.
const ALLOWED: [&str; 9] = [
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "ping",
    "quit",
    "reset",
];
