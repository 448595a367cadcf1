//! Keys that live elsewhere than at home, because their shard is out or on its way back.
//!
//! All sessions of a pool carry [`Special::DISPLACED`] while there are such keys, and none else:
//! with all shards in, nobody asks.
//!
//! A command with such keys is handled like any other, on the same links, so that each client's
//! order holds; but what it sends to the shards that stand in for others counts for their budgets
//! ([`crate::worker::Guard`]), and where one is spent the command is refused. A command behind MULTI
//! counts when EXEC sends it. What waits (BLPOP) and what takes several steps is not counted, only
//! refused: it has no one request whose reply is its end.

use std::time::Instant;

use bytes::Bytes;

use super::apart::Told;
use super::session::Special;
use super::split::positions;
use crate::command::Spec;
use crate::config::DisplacedLimit;
use crate::resp::Request;
use crate::route::ring::Displaced;
use crate::worker::Worker;

/// What was in flight on a link before a command.
struct Mark {
    link: u32,
    in_flight: usize,
}

impl Worker {
    /// Handles a command of a session whose pool has displaced keys.
    #[cold]
    pub(super) fn handle_displaced(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) -> Told {
        if self.stands_still(number, spec, request) {
            return Told::IfWanted;
        }
        let displaced = self.displaced_keys(number, spec, request);
        if displaced.is_empty() {
            return self.handle_admitted(number, spec, request, whole);
        }
        let pool = usize::from(self.sessions[number as usize].pool);
        if let Some(spent) = self.spent(number, &displaced) {
            self.counters.pools[pool].displaced_requests.add(1);
            self.counters.pools[pool].displaced_refused.add(1);
            self.refuse_displaced(number, spec, spent);
            return Told::IfWanted;
        }
        let marks = self.marks(number, &displaced);
        let told = self.handle_admitted(number, spec, request, whole);
        if !self.sessions[number as usize].pause.comes_again() {
            self.counters.pools[pool].displaced_requests.add(1);
        }
        self.charge(number, &displaced, &marks);
        told
    }

    /// A command's keys that do not live at home, one for each shard that stands in. None if its
    /// keys cannot be told.
    fn displaced_keys(&self, number: u32, spec: &Spec, request: &Request<'_>) -> Vec<Displaced> {
        let ring = self.ring_of(number);
        if spec.name == "exec" {
            let transaction = &self.sessions[number as usize].transaction;
            let key = transaction.as_ref().and_then(|transaction| transaction.first_key());
            return key.and_then(|key| ring.displaced(key)).into_iter().collect();
        }
        let Ok(keys) = positions(spec, request) else { return Vec::new() };
        let mut found: Vec<Displaced> = Vec::new();
        for displaced in keys.iter().filter_map(|&key| ring.displaced(request.arg(key as usize))) {
            if found.iter().all(|known| known.stand_in != displaced.stand_in) {
                found.push(displaced);
            }
        }
        found
    }

    /// The first of these stand-ins whose budget is spent. A stranger is not told of it.
    fn spent(&mut self, number: u32, displaced: &[Displaced]) -> Option<Displaced> {
        let session = &self.sessions[number as usize];
        if session.special.has(Special::STRANGER) && !self.shards_decide(number) {
            return None;
        }
        let now = Instant::now();
        let guard = &mut self.pools[usize::from(session.pool)].guard;
        displaced.iter().copied().find(|displaced| !guard.admits(displaced.stand_in, now))
    }

    /// A refusal within MULTI makes EXEC fail, and one of EXEC itself discards the transaction.
    fn refuse_displaced(&mut self, number: u32, spec: &Spec, spent: Displaced) {
        let pool = self.pool_of(number);
        let config = &pool.config;
        let limit = match config.displaced_limit {
            DisplacedLimit::Auto => "auto".to_owned(),
            DisplacedLimit::Fixed(limit) => limit.to_string(),
        };
        let text = format!(
            "TRYAGAIN shard '{}' of pool '{}' stands in for shard '{}' and takes no more of its \
             requests now, lest its own be held up ({} in flight for one worker; displaced_limit: \
             {limit}); try again, or change displaced_limit",
            config.servers[spent.stand_in].name,
            config.name,
            config.servers[spent.home].name,
            pool.guard.in_flight(spent.stand_in),
        );
        if spec.name == "exec" {
            return self.turn_away(number, spec, &text);
        }
        self.doom(number);
        self.say(number, |writer| writer.error(&text));
    }

    /// What is in flight on the links over which the session reaches these stand-ins.
    fn marks(&self, number: u32, displaced: &[Displaced]) -> Vec<Mark> {
        let links = displaced.iter().flat_map(|key| self.links_to(number, key.stand_in));
        let mark = |link| Mark { link, in_flight: self.links[link as usize].in_flight.len() };
        links.map(mark).collect()
    }

    /// Counts what a command has sent to these stand-ins.
    fn charge(&mut self, number: u32, displaced: &[Displaced], marks: &[Mark]) {
        let pool = usize::from(self.sessions[number as usize].pool);
        for key in displaced {
            for link in self.links_to(number, key.stand_in) {
                let mark = marks.iter().find(|mark| mark.link == link);
                let before = mark.map_or(0, |mark| mark.in_flight);
                self.pools[pool].guard.charge(link, &mut self.links[link as usize], before);
            }
        }
    }

    /// The link that the session shares and the one that it has to itself, where they lead to
    /// `shard`.
    fn links_to(&self, number: u32, shard: usize) -> impl Iterator<Item = u32> + use<> {
        let session = &self.sessions[number as usize];
        let shared = self.pool_of(number).link(session, shard);
        let private = session.private.as_ref().filter(|private| private.shard == shard);
        shared.into_iter().chain(private.map(|private| private.number))
    }

    /// Marks the pool's sessions if any key may live elsewhere than at home, and only then.
    pub(crate) fn mark_displaced(&mut self, pool: usize) {
        let displaces = self.pools[pool].displaces();
        self.pools[pool].guard.switch(displaces, self.shared.workers());
        for (_, session) in &mut self.sessions {
            if usize::from(session.pool) != pool {
                continue;
            }
            match displaces {
                true => session.special.set(Special::DISPLACED),
                false => session.special.clear(Special::DISPLACED),
            }
        }
    }
}
