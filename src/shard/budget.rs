//! How many requests for keys that are not at home a shard may have in flight: a state machine
//! without a clock.
//!
//! ```text
//!   limit ──┐      each window of round trips: their median
//!           ▼        within the bound, and the limit was reached ─▶ the limit grows
//!   admits? ─▶ sent ─▶ returned ─┤
//!                      beyond the bound ──────────────────────────▶ it shrinks, in proportion
//! ```
//! A shard's link is one queue: what a displaced request waits there, the shard's own requests
//! wait too. So many requests are let in that this stays near what it was while all shards were in
//! ([`Usual`]). A limit below 1 is kept by waiting between one request and the next, so that
//! the budgets of many workers add up to little.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::DisplacedLimit;

/// What a worker knows of a shard from the time when all shards were in. It is made of medians,
/// like the judgements that it is compared with: what a hitch made slow does not count.
#[derive(Debug, Clone, Default)]
pub struct Usual {
    /// Round trips of the present window, in µs.
    window: Vec<f64>,
    /// The medians of the last windows, oldest first.
    medians: VecDeque<f64>,
    /// The mean number of requests in flight when there were any.
    in_flight: f64,
    samples: u32,
}

impl Usual {
    /// Takes in the round trip of one request, and how many were in flight when it was sent.
    pub fn note(&mut self, latency: Duration, in_flight: usize) {
        self.samples = (self.samples + 1).min(REMEMBERED * WINDOW as u32);
        self.in_flight += (in_flight as f64 - self.in_flight) / f64::from(self.samples);
        self.window.push(micros(latency));
        if self.window.len() >= WINDOW {
            self.medians.push_back(median(&mut self.window));
            self.window.clear();
            if self.medians.len() > REMEMBERED as usize {
                self.medians.pop_front();
            }
        }
    }

    /// What a round trip usually takes, if enough is known.
    pub fn time(&self) -> Option<Duration> {
        self.latency().map(|micros| Duration::from_micros(micros as u64))
    }

    /// The usual median of a window in µs, if enough is known.
    fn latency(&self) -> Option<f64> {
        let mut medians: Vec<f64> = self.medians.iter().copied().collect();
        (medians.len() >= ENOUGH).then(|| median(&mut medians))
    }
}

/// The budget of one worker for one shard.
#[derive(Debug, Clone)]
pub struct Budget {
    rule: DisplacedLimit,
    limit: f64,
    /// What it was at first.
    first: f64,
    in_flight: u32,
    /// The most that were in flight lately.
    peak: f64,
    /// A median beyond so many µs is too much.
    bound: f64,
    /// Round trips of the present window, in µs.
    window: Vec<f64>,
    /// Whether the limit was reached in the present window.
    was_reached: bool,
    /// Whether the limit was never too high so far.
    is_rising: bool,
    /// Judgements in a row that found the limit too high.
    bad: u32,
    /// Requests still in flight that were sent before the last judgement: they tell nothing new.
    stale: u32,
    /// Where the limit is below 1: when the next request may be sent.
    next: Option<Instant>,
}

impl Budget {
    /// The budget of a shard for which nothing is in flight.
    pub fn new(rule: DisplacedLimit) -> Self {
        let limit = match rule {
            DisplacedLimit::Auto => MOST,
            DisplacedLimit::Fixed(limit) => f64::from(limit),
        };
        Self {
            rule,
            limit,
            first: limit,
            in_flight: 0,
            peak: 0.0,
            bound: UNKNOWN_BOUND,
            window: Vec::new(),
            was_reached: false,
            is_rising: true,
            bad: 0,
            stale: 0,
            next: None,
        }
    }

    /// Goes on by another rule; what is in flight stays counted.
    pub fn follow(&mut self, rule: DisplacedLimit) {
        *self = Self { in_flight: self.in_flight, ..Self::new(rule) };
    }

    /// A shard went out: the limit to begin with, for one of so many workers. What is in flight
    /// stays counted.
    pub fn begin(&mut self, usual: &Usual, workers: usize) {
        *self = Self { in_flight: self.in_flight, ..Self::new(self.rule) };
        if self.rule != DisplacedLimit::Auto {
            return;
        }
        if let Some(latency) = usual.latency() {
            self.bound = (latency * TOLERATED).max(latency + SLACK);
            let alike = BURST / latency.max(1.0) / workers as f64;
            // Its own requests come in bursts, so why not others.
            let bursts = (usual.in_flight - 1.0) * 2.0;
            self.limit = alike.max(bursts).clamp(LEAST, MOST);
            self.first = self.limit;
        }
    }

    /// Whether one more request may be sent.
    pub fn admits(&mut self, now: Instant) -> bool {
        if self.rule == DisplacedLimit::Fixed(0) {
            return true;
        }
        let is_early = self.next.is_some_and(|next| now < next);
        let admits = !is_early && f64::from(self.in_flight) < self.limit.max(1.0).floor();
        self.was_reached |= !admits;
        admits
    }

    /// A request was sent.
    pub fn sent(&mut self) {
        self.in_flight += 1;
        self.peak = self.peak.max(f64::from(self.in_flight));
    }

    /// A request will not come back.
    pub fn lost(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// A request came back after `latency`.
    pub fn returned(&mut self, latency: Duration, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.rule != DisplacedLimit::Auto {
            return;
        }
        self.next = (self.limit < 1.0).then(|| {
            let wait = latency.mul_f64(1.0 / self.limit - 1.0);
            now + wait.min(LONGEST_WAIT)
        });
        if self.stale > 0 {
            self.stale -= 1;
            return;
        }
        self.window.push(micros(latency));
        if self.window.len() >= WINDOW {
            self.judge();
        }
    }

    /// The limit: how many requests may be in flight, or with less than 1, which part of the time
    /// one may be.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// How many requests are in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    fn judge(&mut self) {
        let middle = median(&mut self.window);
        self.window.clear();
        let was_reached = std::mem::take(&mut self.was_reached);
        if middle > self.bound {
            // The queue is as long as what is let in: in proportion, but not all at once.
            let factor = (self.bound / middle).clamp(STEEPEST, GENTLEST);
            self.bad += 1;
            self.limit = match was_reached || self.bad >= PATIENCE {
                true => (self.limit.min(self.peak.max(1.0)) * factor).max(LEAST),
                // Where nobody was refused, nobody need be yet: it may have been a hitch.
                false => (self.limit * factor).max(self.peak * 2.0).min(self.limit),
            };
            self.is_rising = false;
        } else if was_reached {
            let step = if self.is_rising { self.limit } else { self.limit * GROWTH };
            self.limit = (self.limit + step).min(MOST);
        } else if self.limit < self.first {
            self.limit = (self.limit * (1.0 + GROWTH)).min(self.first);
        }
        if middle <= self.bound {
            self.bad = 0;
        }
        self.stale = self.in_flight;
        self.peak = (self.peak * PEAK_STAYS).max(f64::from(self.in_flight));
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// So many windows are remembered of what is usual: ten seconds and more.
const REMEMBERED: u32 = 16;
/// With fewer windows the usual round trip is not known: what a busy machine shows in a second or two is
/// nothing to go by.
const ENOUGH: usize = 8;
/// Round trips that one judgement is made of.
const WINDOW: usize = 8;
/// A median up to so many times the usual one is borne: with it 99 of 100 of the shard's own
/// requests take less than twice as long as they did.
const TOLERATED: f64 = 1.5;
/// So many µs more are borne in any case: a turn of a busy worker's loop.
const SLACK: f64 = 200.0;
/// The bound in µs where the shard's own requests were too few to tell what is usual: the shard is
/// idle, or circlet has just started.
const UNKNOWN_BOUND: f64 = 250_000.0;
/// So many µs of the shard's time may be asked for at once at the beginning, by all workers, taking
/// a usual round trip for the time of one request: it is more than that.
const BURST: f64 = 10_000.0;
/// After so many bad judgements in a row what is in flight is too much, though nobody was refused.
const PATIENCE: u32 = 3;
/// The largest limit.
const MOST: f64 = 4_096.0;
/// The smallest: one request at a time, a 256th of the time. It is not 0 so that the limit can
/// grow again.
const LEAST: f64 = 1.0 / 256.0;
/// The longest wait between one request and the next: a shard that has recovered shows it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// So much of the peak is left after a window.
const PEAK_STAYS: f64 = 0.95;
/// The most and the least that one judgement takes of the limit.
const STEEPEST: f64 = 0.3;
const GENTLEST: f64 = 0.8;
/// What a good judgement adds, as a part of the limit, once it is known to have been too high.
const GROWTH: f64 = 0.125;

#[cfg(test)]
mod tests {
    use super::*;

    /// One shard that serves one request after the other, each in `SERVICE`, and workers before it
    /// to which requests come at random times.
    struct Simulation {
        random: u64,
        start: Instant,
        now: f64,
        free_at: f64,
        budgets: Vec<Budget>,
        /// When it comes back, when it was sent, and the worker whose displaced request it is.
        queue: VecDeque<(f64, f64, Option<usize>)>,
        own: Vec<f64>,
        refused: usize,
        served: usize,
    }

    const SERVICE: f64 = 2_000.0;

    impl Simulation {
        fn new(budgets: Vec<Budget>) -> Self {
            Self {
                random: 0x9E37_79B9_7F4A_7C15,
                start: Instant::now(),
                now: 0.0,
                free_at: 0.0,
                budgets,
                queue: VecDeque::new(),
                own: Vec::new(),
                refused: 0,
                served: 0,
            }
        }

        fn chance(&mut self) -> f64 {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            (self.random >> 11) as f64 / (1u64 << 53) as f64
        }

        fn instant(&self, at: f64) -> Instant {
            self.start + Duration::from_secs_f64(at / 1e6)
        }

        fn serve(&mut self, whose: Option<usize>) {
            self.free_at = self.now.max(self.free_at) + SERVICE;
            self.queue.push_back((self.free_at, self.now, whose));
        }

        fn come_back(&mut self) {
            while let Some(&(at, sent, whose)) = self.queue.front()
                && at <= self.now
            {
                self.queue.pop_front();
                match whose {
                    None => self.own.push(at - sent),
                    Some(worker) => {
                        self.served += 1;
                        let latency = Duration::from_secs_f64((at - sent) / 1e6);
                        let instant = self.instant(at);
                        self.budgets[worker].returned(latency, instant);
                    }
                }
            }
        }

        /// Lets requests come for so many seconds, as parts of what the shard can do; gives
        /// its own requests' latencies.
        fn run(&mut self, seconds: f64, own: f64, displaced: f64) -> Vec<f64> {
            self.own.clear();
            (self.refused, self.served) = (0, 0);
            let end = self.now + seconds * 1e6;
            while self.now < end {
                self.now += -(1.0 - self.chance()).ln() * SERVICE / (own + displaced);
                self.come_back();
                if self.chance() * (own + displaced) < own {
                    self.serve(None);
                    continue;
                }
                let worker = (self.chance() * self.budgets.len() as f64) as usize;
                let now = self.instant(self.now);
                match self.budgets[worker].admits(now) {
                    true => {
                        self.budgets[worker].sent();
                        self.serve(Some(worker));
                    }
                    false => self.refused += 1,
                }
            }
            std::mem::take(&mut self.own)
        }
    }

    fn p99(latencies: &[f64]) -> f64 {
        let mut latencies = latencies.to_vec();
        latencies.sort_unstable_by(f64::total_cmp);
        latencies[latencies.len() * 99 / 100]
    }

    /// A shard at 75 %, and what each of its workers has seen of it.
    fn loaded(rule: DisplacedLimit, workers: usize) -> (Simulation, f64) {
        let mut simulation = Simulation::new(vec![Budget::new(rule); workers]);
        let before = simulation.run(20.0, 0.75, 0.0);
        let mut usual = Usual::default();
        for latency in before.iter().step_by(20) {
            usual.note(Duration::from_secs_f64(latency / 1e6), 1 + 2 / workers);
        }
        for budget in &mut simulation.budgets {
            budget.begin(&usual, workers);
        }
        (simulation, p99(&before))
    }

    #[test]
    fn its_own_requests_keep_their_latency_whatever_else_comes() {
        for workers in [1, 2, 8] {
            for displaced in [0.1, 0.3, 0.5625, 3.0, 20.0] {
                let (mut simulation, before) = loaded(DisplacedLimit::Auto, workers);
                let after = p99(&simulation.run(20.0, 0.75, displaced));
                let served = simulation.served as f64 * SERVICE / 20e6;
                let what = format!(
                    "{workers} workers, displaced {displaced}: p99 {before:.0} before, {after:.0} \
                     after; {served:.3} of the capacity served"
                );
                println!("{what}");
                assert!(after < before * 2.0, "{what}");
                assert!(served > displaced.min(0.1) * 0.8, "{what}");
            }
        }
    }

    #[test]
    fn without_a_limit_they_do_not() {
        let (mut simulation, before) = loaded(DisplacedLimit::Fixed(0), 2);
        let after = p99(&simulation.run(20.0, 0.75, 0.5625));
        assert!(after > before * 100.0, "{before} {after}");
        assert_eq!(simulation.refused, 0);
    }

    #[test]
    fn an_overload_is_noticed_though_nothing_is_known_of_before() {
        let mut simulation = Simulation::new(vec![Budget::new(DisplacedLimit::Auto); 2]);
        simulation.budgets.iter_mut().for_each(|budget| budget.begin(&Usual::default(), 2));
        simulation.run(10.0, 0.75, 0.5625);
        let after = p99(&simulation.run(20.0, 0.75, 0.5625));
        assert!(after < UNKNOWN_BOUND * 2.0, "{after}");
    }

    #[test]
    fn a_shard_with_room_takes_all() {
        for usual in [0, 1_000] {
            let mut simulation = Simulation::new(vec![Budget::new(DisplacedLimit::Auto); 2]);
            let mut known = Usual::default();
            for _ in 0..usual {
                known.note(Duration::from_micros(2_100), 1);
            }
            simulation.budgets.iter_mut().for_each(|budget| budget.begin(&known, 2));
            simulation.run(20.0, 0.05, 0.05);
            assert_eq!(simulation.refused, 0, "{usual} round trips known");
        }
    }

    #[test]
    fn bursts_are_let_in_where_they_are_usual() {
        let mut known = Usual::default();
        for _ in 0..ENOUGH * WINDOW {
            known.note(Duration::from_millis(10), 100);
        }
        let mut budget = Budget::new(DisplacedLimit::Auto);
        budget.begin(&known, 8);
        assert_eq!(let_in(&mut budget), 198);
    }

    #[test]
    fn hitches_are_not_usual() {
        let mut usual = Usual::default();
        for sample in 0..200 {
            let hitch = sample < 30 || sample % 10 == 0;
            usual.note(Duration::from_millis(if hitch { 800 } else { 5 }), 1);
        }
        assert_eq!(usual.latency(), Some(5_000.0));
    }

    #[test]
    fn a_shard_that_recovers_is_used_again() {
        let (mut simulation, _) = loaded(DisplacedLimit::Auto, 2);
        simulation.run(10.0, 1.2, 0.5);
        let low: f64 = simulation.budgets.iter().map(Budget::limit).sum();
        assert!(low < 0.5, "its own requests need all of it: {low}");
        // What has piled up takes a while.
        simulation.run(30.0, 0.2, 0.3);
        simulation.run(10.0, 0.2, 0.3);
        let refused = simulation.refused as f64 / (simulation.refused + simulation.served) as f64;
        assert!(refused < 0.05, "{refused}");
    }

    #[test]
    fn a_fixed_limit_stays_and_none_lets_all_in() {
        let mut budget = Budget::new(DisplacedLimit::Fixed(3));
        budget.begin(&Usual::default(), 4);
        assert_eq!(let_in(&mut budget), 3);
        budget.returned(Duration::from_secs(9), Instant::now());
        budget.lost();
        assert_eq!((let_in(&mut budget), budget.in_flight()), (2, 3));
        let mut open = Budget::new(DisplacedLimit::Fixed(0));
        assert_eq!(let_in(&mut open), MANY);
    }

    #[test]
    fn what_is_in_flight_stays_counted_when_the_next_shard_goes() {
        let mut budget = Budget::new(DisplacedLimit::Fixed(3));
        let_in(&mut budget);
        budget.begin(&Usual::default(), 1);
        assert_eq!((let_in(&mut budget), budget.in_flight()), (0, 3));
    }

    #[test]
    fn a_limit_below_one_is_kept_by_waiting() {
        let mut budget = Budget::new(DisplacedLimit::Auto);
        budget.limit = 0.25;
        let start = Instant::now();
        assert!(budget.admits(start));
        budget.sent();
        assert!(!budget.admits(start));
        budget.returned(Duration::from_millis(10), start);
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!([29, 31].map(|at| budget.admits(after(at))), [false, true]);
        budget.sent();
        budget.returned(Duration::from_secs(60), after(100));
        assert_eq!(
            [1_099, 1_101].map(|at| budget.admits(after(at))),
            [false, true],
            "not for ever"
        );
    }

    fn let_in(budget: &mut Budget) -> u32 {
        let now = Instant::now();
        let admit = |_: &u32| {
            let admits = budget.admits(now);
            if admits {
                budget.sent();
            }
            admits
        };
        (0..MANY).take_while(admit).count() as u32
    }

    const MANY: u32 = 10_000;
}
