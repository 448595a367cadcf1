//! Health: every state that the judges of a pool can reach, under every interleaving of what they
//! hear and of time, against the rules that must hold whatever happened before.
//!
//! A judge is explored breadth first. Two that differ in nothing but old times are one: the key
//! of a judge is all that it knows, as `{:?}` tells it, with times as ages. A field that is added
//! counts by itself; a state that is added has to be entered in [`serves`], [`may_follow`] and
//! where a rule names states.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use circlet::route::ring::{Ring, RingSpec};
use circlet::shard::answer::Answer;
use circlet::shard::health::{Change, Failure, Rules, State};
use circlet::shard::judge::{BURST, FLAP_WINDOW, MAX_DOUBLINGS};
use circlet::shard::pool_judge::PoolJudge;

/// What a judge hears, and how time passes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Good(usize),
    Refusal(usize),
    Busy(usize),
    Failure(usize),
    /// A request failed so many units of time ago.
    RequestFailed(usize, u32),
    /// So many units of time pass.
    Pass(u32),
}

/// Whether requests are sent to a shard in this state.
fn serves(state: State) -> bool {
    match state {
        State::Live => true,
        State::Down | State::Ejected => false,
        State::Returning | State::Removed => unreachable!("judges know nothing of these"),
    }
}

/// Whether the ring gives keys to a shard in this state.
fn has_keys(state: State) -> bool {
    match state {
        State::Live | State::Down => true,
        State::Ejected => false,
        State::Returning | State::Removed => unreachable!("judges know nothing of these"),
    }
}

/// The ways from state to state.
fn may_follow(from: State, to: State, rules: &Rules) -> bool {
    match (from, to) {
        (State::Live, State::Ejected) | (State::Ejected, State::Live) => rules.auto_eject,
        (State::Live, State::Down) | (State::Down, State::Live) => !rules.auto_eject,
        (from, to) => from == to,
    }
}

/// One history: the judges after it, and what the rules need to know of it.
#[derive(Clone)]
struct History {
    judge: PoolJudge,
    now: Instant,
    shards: Vec<Seen>,
    events: Vec<Event>,
}

/// What has befallen a shard, counted by plain rules of its own.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// Heartbeats since the last good one: bad ones, and those that say BUSY.
    bad: u32,
    busy: u32,
    /// Failures of any kind since the last good heartbeat.
    failures: u32,
    last_good: Option<Instant>,
    /// When the last request failed that counted.
    last_failed: Option<Instant>,
    /// Good heartbeats in a row since it went out.
    good: u32,
    out_since: Option<Instant>,
    returned: Option<Instant>,
    /// Ejections in a row that each came soon after a return.
    flaps: u32,
    /// Whether the wait of this ejection is waived: nobody was in.
    is_waived: bool,
}

#[test]
fn one_shard_keeps_the_rules_in_every_state_that_it_can_reach() {
    for (failure_limit, successes, auto_eject) in
        [(1, 1, true), (2, 2, true), (3, 1, true), (1, 2, true), (2, 2, false), (1, 1, false)]
    {
        explore(
            &events(1),
            1,
            Rules { auto_eject, failure_limit, successes, retry_timeout: RETRY },
            3_000,
        );
    }
}

#[test]
fn two_shards_keep_the_rules_in_every_state_that_they_can_reach() {
    for (failure_limit, successes, auto_eject) in
        [(1, 1, true), (1, 2, true), (2, 1, true), (1, 2, false)]
    {
        explore(
            &events(2),
            2,
            Rules { auto_eject, failure_limit, successes, retry_timeout: RETRY },
            3_000,
        );
    }
}

/// Few events, so that histories are long enough to reach the longest wait and go past it.
#[test]
fn a_shard_that_flaps_waits_ever_longer_up_to_a_bound() {
    let events = [Event::Good(0), Event::Failure(0), Event::Pass(20)];
    let rules = Rules { auto_eject: true, failure_limit: 1, successes: 1, retry_timeout: RETRY };
    explore(&events, 2, rules, 5_000);
}

/// Follows every history, shortest first, until so many states are seen or there are no more.
fn explore(events: &[Event], shards: usize, rules: Rules, states: u32) {
    let states = crate::cases(states).cases as usize;
    let start = Instant::now();
    let first = History {
        judge: PoolJudge::new(rules, shards, start),
        now: start,
        shards: vec![Seen::default(); shards],
        events: Vec::new(),
    };
    let names: Vec<String> = (0..shards).map(|shard| format!("s{shard}")).collect();
    let servers: Vec<(&str, u32)> = names.iter().map(|name| (&name[..], 1)).collect();
    let ring = RingSpec {
        distribution: circlet::config::Distribution::Modula,
        ejection: circlet::config::Ejection::Rebuild,
        ..RingSpec::new(&servers)
    };
    let ring = ring.build();
    let mut known = HashSet::from([first.key()]);
    let mut rings = HashSet::new();
    let mut front = vec![first];
    while !front.is_empty() && known.len() < states {
        let mut next = Vec::new();
        for history in &front {
            for &event in events {
                let after = history.follow(event, &rules);
                if known.insert(after.key()) {
                    after.check_ring(&ring, &mut rings);
                    next.push(after);
                }
            }
        }
        front = next;
    }
    assert!(rings.len() > 1, "the shards went out and came back");
}

fn events(shards: usize) -> Vec<Event> {
    let mut events = vec![Event::Pass(1), Event::Pass(2), Event::Pass(20)];
    for shard in 0..shards {
        events.extend([
            Event::Good(shard),
            Event::Refusal(shard),
            Event::Busy(shard),
            Event::Failure(shard),
            Event::RequestFailed(shard, 0),
            Event::RequestFailed(shard, 2),
        ]);
    }
    events
}

impl History {
    fn follow(&self, event: Event, rules: &Rules) -> Self {
        let mut after = self.clone();
        after.events.push(event);
        let before: Vec<State> = self.judge.health().iter().map(|health| health.state).collect();
        let now = self.now;
        let changes = match event {
            Event::Pass(units) => {
                after.now += BURST * units;
                return after;
            }
            Event::Good(shard) => after.judge.heartbeat(shard, &Answer::Good, now),
            Event::Refusal(shard) => {
                after.judge.heartbeat(shard, &Answer::Refusal("r".into()), now)
            }
            Event::Busy(shard) => after.judge.heartbeat(shard, &Answer::Busy("b".into()), now),
            Event::Failure(shard) => {
                after.judge.heartbeat(shard, &Answer::Failure("f".into()), now)
            }
            Event::RequestFailed(shard, ago) => {
                let failure = Failure { at: now - BURST * ago, ..Failure::now(0, shard, "q") };
                after.judge.request_failed(&failure, now)
            }
        };
        after.count(event, rules);
        after.check(&before, &changes, event, rules);
        after
    }

    fn count(&mut self, event: Event, rules: &Rules) {
        let now = self.now;
        let is_good = |seen: &mut Seen| {
            seen.last_good = Some(now);
            (seen.bad, seen.busy, seen.failures) = (0, 0, 0);
            seen.good += u32::from(seen.out_since.is_some());
        };
        let is_bad = |seen: &mut Seen| {
            (seen.bad, seen.failures, seen.good) = (seen.bad + 1, seen.failures + 1, 0);
        };
        match event {
            Event::Good(shard) => is_good(&mut self.shards[shard]),
            // A shard that answers at all is well where it keeps its keys.
            Event::Refusal(shard) | Event::Busy(shard) if !rules.auto_eject => {
                is_good(&mut self.shards[shard]);
            }
            Event::Busy(shard) => {
                let seen = &mut self.shards[shard];
                (seen.busy, seen.good) = (seen.busy + 1, 0);
            }
            Event::Refusal(shard) | Event::Failure(shard) => is_bad(&mut self.shards[shard]),
            Event::RequestFailed(shard, ago) => {
                let (seen, at) = (&mut self.shards[shard], now - BURST * ago);
                let is_stale = seen.out_since.is_some() || seen.last_good >= Some(at);
                let is_same = seen.last_failed.is_some_and(|last| at < last + BURST);
                if !is_stale && !is_same {
                    (seen.failures, seen.good) = (seen.failures + 1, 0);
                    seen.last_failed = Some(at);
                }
            }
            Event::Pass(_) => {}
        }
    }

    /// The rules.
    fn check(&mut self, before: &[State], changes: &[Change], event: Event, rules: &Rules) {
        let states: Vec<State> = self.judge.health().iter().map(|health| health.state).collect();
        let nobody_is_in = !states.iter().any(|&state| serves(state));
        let went_out = |shard: usize| {
            serves(before[shard])
                && changes.iter().any(|change| change.shard == shard && !serves(change.to))
        };
        // With nobody in, if only for a moment, nobody waits any more.
        let is_emptied = (0..states.len()).all(|shard| !serves(before[shard]) || went_out(shard));
        for shard in 0..states.len() {
            let (from, to) = (before[shard], states[shard]);
            let is_back = changes.iter().any(|change| change.shard == shard && serves(change.to));
            self.rule(may_follow(from, to, rules), "only the ways that there are");
            let told = changes.iter().filter(|change| change.shard == shard).count();
            self.rule(told >= usize::from(from != to), "each change is told");
            if went_out(shard) {
                self.goes_out(shard, rules);
            }
            if is_back {
                self.comes_back(shard, is_emptied, event, rules);
            }
            let seen = &self.shards[shard];
            if serves(to) {
                self.rule(seen.bad < rules.failure_limit, "not in with failures at the limit");
                self.rule(seen.busy <= rules.failure_limit, "not in with BUSY past the limit");
            } else {
                let ready = seen.good >= rules.successes;
                self.rule(!(nobody_is_in && ready), "nobody in: the first that is well is in");
                let waited =
                    seen.out_since.map(|since| self.now - since) >= Some(self.wait(shard, rules));
                let heard = event == Event::Good(shard);
                self.rule(!(ready && waited && heard), "well and the wait over: it is in");
            }
        }
        if is_emptied {
            self.shards.iter_mut().for_each(|seen| seen.is_waived = true);
        }
    }

    /// How long the shard has to stay out, by the plain rule.
    fn wait(&self, shard: usize, rules: &Rules) -> Duration {
        let seen = &self.shards[shard];
        if seen.is_waived || !rules.auto_eject {
            return Duration::ZERO;
        }
        rules.retry_timeout * (1 << seen.flaps.min(MAX_DOUBLINGS))
    }

    fn goes_out(&mut self, shard: usize, rules: &Rules) {
        let (now, window) = (self.now, rules.retry_timeout * FLAP_WINDOW);
        let seen = &mut self.shards[shard];
        let enough = seen.failures >= rules.failure_limit || seen.busy > rules.failure_limit;
        let is_flap = seen.returned.is_some_and(|returned| now - returned < window);
        seen.flaps = if is_flap { (seen.flaps + 1).min(MAX_DOUBLINGS) } else { 0 };
        (seen.out_since, seen.good, seen.is_waived) = (Some(now), 0, false);
        self.rule(enough, "out for its failures since the last good heartbeat alone");
    }

    fn comes_back(&mut self, shard: usize, is_waived: bool, event: Event, rules: &Rules) {
        let waited = self.shards[shard].out_since.map(|since| self.now - since);
        let least = self.wait(shard, rules);
        let good = self.shards[shard].good;
        self.rule(good >= rules.successes, "back after its good heartbeats");
        self.rule(is_waived || waited >= Some(least), "back after its wait unless nobody is in");
        let is_told = matches!(event, Event::Good(_)) || is_waived || !rules.auto_eject;
        self.rule(is_told, "back by a good heartbeat");
        let now = self.now;
        let seen = &mut self.shards[shard];
        (seen.out_since, seen.returned, seen.good) = (None, Some(now), 0);
    }

    fn rule(&self, holds: bool, rule: &str) {
        assert!(holds, "{rule}: broken by {:?}", self.events);
    }

    /// The shards to which the ring gives keys are those that have any.
    fn check_ring(&self, ring: &Ring, seen: &mut HashSet<Vec<bool>>) {
        let live: Vec<bool> = self.judge.health().iter().map(|one| has_keys(one.state)).collect();
        let in_judge: Vec<bool> = (0..live.len()).map(|shard| self.judge.is_live(shard)).collect();
        let serving: Vec<bool> = self.judge.health().iter().map(|one| serves(one.state)).collect();
        self.rule(in_judge == serving, "the judge says who serves");
        if !seen.insert(serving) {
            return;
        }
        let ring = ring.with_live(&live);
        let homes: HashSet<Option<usize>> =
            (0..500).map(|key: u32| ring.shard(format!("k{key}").as_bytes())).collect();
        let mut due: HashSet<Option<usize>> =
            (0..live.len()).filter(|&shard| live[shard]).map(Some).collect();
        if due.is_empty() {
            due.insert(None);
        }
        self.rule(homes == due, "the ring skips who is out, and nobody else");
    }

    /// All that the future depends on.
    fn key(&self) -> String {
        let text = format!("{:?} {:?}", self.judge, self.shards);
        let origin = format!("{:?}", self.now);
        let now = nanos(origin.trim_start_matches("Instant { ").trim_end_matches(" }"));
        let mut key = String::new();
        for (place, piece) in text.split("Instant { ").enumerate() {
            let Some((time, rest)) = piece.split_once(" }").filter(|_| place > 0) else {
                key.push_str(piece);
                continue;
            };
            let age = (now - nanos(time)) / BURST.as_nanos();
            key.push_str(&format!("{}{rest}", age.min(HORIZON)));
        }
        without(&without(&key, "cause: \"", "\""), "failing_since: ", ",")
    }
}

/// `tv_sec: 1, tv_nsec: 2` in nanoseconds.
fn nanos(time: &str) -> u128 {
    let mut numbers =
        time.split(", ").map(|part| part.split_once(": ").unwrap().1.parse().unwrap());
    let seconds: u128 = numbers.next().unwrap();
    seconds * 1_000_000_000 + numbers.next().unwrap()
}

/// The text without what stands between `from` and `to`: what is told to people decides nothing.
fn without(text: &str, from: &str, to: &str) -> String {
    let mut pieces = text.split(from);
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kept.push_str(piece.split_once(to).map_or("", |(_, rest)| rest));
    }
    kept
}

/// Two units, so that what a burst joins and what a wait holds up can be told apart.
const RETRY: Duration = BURST.saturating_mul(2);
/// Units of time from which on it makes no difference how long ago something was: the longest wait.
const HORIZON: u128 = 2 * (1 << MAX_DOUBLINGS) + 1;
