//! What a shard takes for others that are out, so that they do not take it along.
//!
//! ```text
//!   all in:  each second a few requests get a ticket as they are sent ─► round trips ─► Usual
//!   one out: a displaced command ─► room in the budget? ─► its requests get tickets ─► Budget
//!                                        └─ none: -TRYAGAIN
//! ```
//! A ticket takes the place of a request's part while the request is in flight: it knows the part
//! and when it was given. Every reply, and every error in place of one, redeems it, also when the
//! session is over: a count cannot leak where no reply can get lost. Requests without one, and so
//! all requests but those few, pay nothing.

use std::time::{Duration, Instant};

use slab::Slab;

use super::Worker;
use crate::config::{DisplacedLimit, Pool};
use crate::shard::budget::{Budget, Usual};
use crate::shard::link::{Link, Owner, Part, Pending};

/// The budgets of a worker for the shards of a pool, and what they are made from.
#[derive(Debug)]
pub struct Guard {
    rule: DisplacedLimit,
    /// Whether what is usual has to be known.
    learns: bool,
    /// Whether keys of the pool are displaced.
    is_on: bool,
    shards: Vec<Guarded>,
    tickets: Slab<Ticket>,
}

#[derive(Debug, Clone)]
struct Guarded {
    usual: Usual,
    budget: Budget,
}

/// Held by a request in flight.
#[derive(Debug)]
struct Ticket {
    shard: usize,
    link: u32,
    /// What the reply is to its command.
    part: Part,
    since: Instant,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// One of the shard's own, while all are in; with so many in flight on its link.
    Sample(usize),
    /// It counts for the budget.
    Displaced,
}

impl Guard {
    /// The guard of a pool whose shards are all in.
    pub fn new(config: &Pool) -> Self {
        let rule = config.displaced_limit;
        let mut guard =
            Self { rule, learns: false, is_on: false, shards: Vec::new(), tickets: Slab::new() };
        guard.follow(config, &[]);
        guard
    }

    /// Goes on by another configuration, in which the shards in `anew` are others than before. What
    /// is in flight stays counted while the rule is the same.
    pub(super) fn follow(&mut self, config: &Pool, anew: &[usize]) {
        let may_displace = config.auto_eject_hosts && !config.is_alone();
        let is_other_rule = self.rule != config.displaced_limit;
        self.rule = config.displaced_limit;
        self.learns = self.rule == DisplacedLimit::Auto && may_displace;
        let rule = self.rule;
        let guarded = || Guarded { usual: Usual::default(), budget: Budget::new(rule) };
        self.shards.resize_with(config.servers.len(), guarded);
        for (index, shard) in self.shards.iter_mut().enumerate() {
            if anew.contains(&index) {
                *shard = guarded();
            } else if is_other_rule {
                shard.budget.follow(rule);
            }
        }
    }

    /// Whether one more displaced request may be sent to `shard`.
    pub fn admits(&mut self, shard: usize, now: Instant) -> bool {
        if self.rule == DisplacedLimit::Fixed(0) {
            return true;
        }
        self.shards[shard].budget.admits(now) && self.tickets.len() < MOST_TICKETS
    }

    /// How many displaced requests are in flight on `shard`.
    pub fn in_flight(&self, shard: usize) -> u32 {
        self.shards[shard].budget.in_flight()
    }

    /// What a round trip to `shard` usually takes, once enough were measured.
    pub fn usual(&self, shard: usize) -> Option<Duration> {
        self.shards[shard].usual.time()
    }

    /// Takes note of whether keys are displaced.
    pub(crate) fn switch(&mut self, is_on: bool, workers: usize) {
        if is_on && !self.is_on {
            for shard in &mut self.shards {
                shard.budget.begin(&shard.usual, workers);
            }
        }
        self.is_on = is_on;
    }

    /// Counts what was queued on `link` behind its first `before` requests in flight.
    pub(crate) fn charge(&mut self, number: u32, link: &mut Link, before: usize) {
        if self.rule == DisplacedLimit::Fixed(0) || link.in_flight.len() <= before {
            return;
        }
        let now = Instant::now();
        for pending in link.in_flight.range_mut(before..) {
            // What remembers a key goes with the request that writes it.
            let counts = !matches!(pending.part, Part::Ticket(_) | Part::Recorded);
            if counts && self.give(pending, number, link.shard, now, Kind::Displaced) {
                self.shards[link.shard].budget.sent();
            }
        }
    }

    /// Gives a ticket to the youngest request on `link`, which is about to be sent, if it is one
    /// that is simply forwarded.
    #[cold]
    pub(super) fn sample(&mut self, number: u32, link: &mut Link) {
        link.sampling.chosen();
        let is_sent = link.socket.is_some() && !link.wants_write && link.unsent > 0;
        let in_flight = link.in_flight.len();
        if let Some(youngest) = link.in_flight.back_mut()
            && matches!(youngest.part, Part::Whole | Part::Measured(_))
            && is_sent
            && !self.is_on
        {
            let kind = Kind::Sample(in_flight);
            self.give(youngest, number, link.shard, Instant::now(), kind);
        }
    }

    /// Gives a ticket to a request, while there are any.
    fn give(
        &mut self,
        pending: &mut Pending,
        link: u32,
        shard: usize,
        since: Instant,
        kind: Kind,
    ) -> bool {
        if self.tickets.len() > MOST_TICKETS {
            return false;
        }
        let ticket = Ticket { shard, link, part: pending.part, since, kind };
        pending.part = Part::Ticket(self.tickets.insert(ticket) as u16);
        true
    }
}

impl Worker {
    /// A second has passed: a few of the next requests are looked at, to know what is usual.
    pub(super) fn sample_round_trips(&mut self) {
        for (_, link) in &mut self.links {
            let guard = &self.pools[link.pool].guard;
            if guard.learns && !guard.is_on && link.owner == Owner::Shared {
                link.sampling.begin(SAMPLES);
            }
        }
    }

    /// Takes a request's ticket back; the request as it was without.
    #[cold]
    pub(super) fn redeem(&mut self, pending: Pending) -> Pending {
        let Part::Ticket(ticket) = pending.part else { return pending };
        let pool = usize::from(self.sessions[pending.session as usize].pool);
        let guard = &mut self.pools[pool].guard;
        let ticket = guard.tickets.remove(usize::from(ticket));
        let link = self.links.get(ticket.link as usize);
        // A link that failed has let go of its socket before it answers what was in flight.
        let answering = link.filter(|link| link.socket.is_some());
        let (now, shard) = (Instant::now(), &mut guard.shards[ticket.shard]);
        let latency = now.saturating_duration_since(ticket.since);
        match (ticket.kind, answering) {
            (Kind::Displaced, Some(_)) => shard.budget.returned(latency, now),
            (Kind::Displaced, None) => shard.budget.lost(),
            (Kind::Sample(_), None) => {}
            (Kind::Sample(in_flight), Some(_)) => shard.usual.note(latency, in_flight),
        }
        Pending { part: ticket.part, ..pending }
    }
}

/// Round trips of each link that are measured in a second: enough to know the mean of the last
/// quarter of a minute to a few percent, and few enough to cost nothing.
const SAMPLES: u8 = 16;
/// Tickets are numbered in 16 bits, and some are left for samples.
const MOST_TICKETS: usize = u16::MAX as usize - 64;
