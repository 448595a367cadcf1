//! The judges' rules: each by its story, then against a plain restatement of them under every
//! interleaving of events.

use std::time::{Duration, Instant};

use circlet::shard::answer::Answer;
use circlet::shard::health::{Change, Failure, Rules, State};
use circlet::shard::judge::{BURST, FLAP_WINDOW, MAX_DOUBLINGS};
use circlet::shard::pool_judge::PoolJudge;
use proptest::prelude::*;

const RETRY: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// A pool and a clock that the test moves.
struct Scene {
    judge: PoolJudge,
    now: Instant,
}

impl Scene {
    fn new(shards: usize, rules: Rules) -> Self {
        let now = Instant::now();
        Self { judge: PoolJudge::new(rules, shards, now), now }
    }

    fn beat(&mut self, shard: usize, answer: &Answer) -> Vec<Change> {
        self.now += SECOND;
        self.judge.heartbeat(shard, answer, self.now)
    }

    fn fail(&mut self, shard: usize, at: Instant) -> Vec<Change> {
        let failure = Failure { at, ..Failure::now(0, shard, "Connection refused") };
        self.judge.request_failed(&failure, self.now)
    }

    fn time_out(&mut self, shard: usize) -> Vec<Change> {
        let failure = Failure::now(0, shard, "no reply within timeout");
        let failure = Failure { at: self.now, is_timeout: true, ..failure };
        self.judge.request_failed(&failure, self.now)
    }

    fn state(&self, shard: usize) -> State {
        self.judge.health()[shard].state
    }

    fn eject(&mut self, shard: usize) {
        while self.state(shard) == State::Live {
            self.beat(shard, &dead());
        }
    }

    /// Good heartbeats until the shard is in: how long that took.
    fn time_to_return(&mut self, shard: usize) -> Duration {
        let start = self.now;
        while self.state(shard) != State::Live {
            self.beat(shard, &Answer::Good);
        }
        self.now - start
    }
}

fn rules() -> Rules {
    Rules { auto_eject: true, failure_limit: 2, successes: 3, retry_timeout: RETRY }
}

fn keeping() -> Rules {
    Rules { auto_eject: false, ..rules() }
}

fn dead() -> Answer {
    Answer::Failure("Connection refused".into())
}

fn loading() -> Answer {
    Answer::Refusal("loading".into())
}

fn busy() -> Answer {
    Answer::Busy("script".into())
}

#[test]
fn the_limit_ejects_and_the_line_says_why_and_where_the_keys_go() {
    let mut scene = Scene::new(3, rules());
    assert!(scene.beat(1, &dead()).is_empty());
    let changes = scene.beat(1, &dead());
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].from, changes[0].to), (State::Live, State::Ejected));
    assert_eq!(
        changes[0].cause,
        "2 failures in 1 s: Connection refused; its keys go to 2 others; earliest return in 30 s"
    );
    assert_eq!(&*scene.judge.health()[1].cause, "2 failures in 1 s: Connection refused");
}

#[test]
fn heartbeats_and_requests_count_together_and_a_good_heartbeat_forgets_both() {
    let mut scene = Scene::new(2, rules());
    scene.beat(0, &dead());
    scene.beat(0, &Answer::Good);
    scene.beat(0, &dead());
    assert_eq!(scene.state(0), State::Live);
    scene.now += SECOND;
    assert_eq!(scene.fail(0, scene.now).len(), 1);
    assert_eq!(scene.state(0), State::Ejected);
}

#[test]
fn requests_that_wait_in_vain_take_nobody_out_before_a_heartbeat_fails_too() {
    let mut scene = Scene::new(2, rules());
    for _ in 0..20 {
        scene.now += SECOND;
        assert!(scene.time_out(0).is_empty());
    }
    assert_eq!(scene.beat(0, &dead()).len(), 1, "all counted");
    let mut scene = Scene::new(2, rules());
    scene.time_out(0);
    scene.beat(0, &Answer::Good);
    assert!(scene.beat(0, &dead()).is_empty(), "a good one forgets them");
    scene.now += SECOND;
    assert_eq!(scene.time_out(0).len(), 1, "the heartbeat was the first");
}

#[test]
fn a_failure_older_than_the_last_good_heartbeat_is_history() {
    let mut scene = Scene::new(2, Rules { failure_limit: 1, ..rules() });
    let before = scene.now;
    scene.beat(0, &Answer::Good);
    assert!(scene.fail(0, before).is_empty());
    assert_eq!(scene.fail(0, scene.now + SECOND / 2), [], "a clock ahead of ours is clamped");
    scene.now += SECOND;
    assert_eq!(scene.fail(0, scene.now).len(), 1);
}

#[test]
fn links_that_break_in_one_moment_are_one_failure() {
    let mut scene = Scene::new(2, rules());
    scene.now += SECOND;
    let start = scene.now;
    for worker in 0..64 {
        scene.now = start + BURST * worker / 64;
        assert!(scene.fail(0, scene.now).is_empty());
    }
    scene.now = start + BURST;
    assert_eq!(scene.fail(0, scene.now).len(), 1, "a later one is another");
}

#[test]
fn it_returns_after_its_successes_and_not_before_the_retry_timeout() {
    let mut scene = Scene::new(2, rules());
    scene.eject(0);
    assert_eq!(scene.time_to_return(0), RETRY);
    // The successes must be in a row, and the last of them past the wait.
    scene.now += RETRY * FLAP_WINDOW;
    scene.eject(0);
    scene.now += RETRY;
    scene.beat(0, &Answer::Good);
    scene.beat(0, &Answer::Good);
    scene.beat(0, &loading());
    assert_eq!(scene.time_to_return(0), 3 * SECOND);
}

#[test]
fn a_flapping_shard_waits_twice_as_long_each_time_up_to_a_limit() {
    let mut scene = Scene::new(2, rules());
    let mut waits = Vec::new();
    for _ in 0..=MAX_DOUBLINGS + 1 {
        scene.eject(0);
        waits.push(scene.time_to_return(0).as_secs() / RETRY.as_secs());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 16]);
    scene.now += RETRY * FLAP_WINDOW;
    scene.eject(0);
    assert_eq!(scene.time_to_return(0), RETRY, "a long good time is rewarded");
}

#[test]
fn without_ejection_a_dead_shard_is_down_and_returns_with_its_successes() {
    let mut scene = Scene::new(2, keeping());
    scene.eject(0);
    assert_eq!(scene.state(0), State::Down);
    assert_eq!(scene.time_to_return(0), 3 * SECOND);
}

#[test]
fn without_ejection_a_shard_that_answers_an_error_speaks_for_itself() {
    let mut scene = Scene::new(2, keeping());
    for answer in [loading(), busy(), loading(), busy(), loading()] {
        assert!(scene.beat(0, &answer).is_empty());
    }
    scene.eject(0);
    scene.beat(0, &loading());
    scene.beat(0, &loading());
    assert_eq!(scene.beat(0, &loading()).len(), 1);
    assert_eq!(scene.state(0), State::Live);
}

#[test]
fn loading_ejects_like_a_failure_and_is_no_success() {
    let mut scene = Scene::new(2, rules());
    scene.beat(0, &loading());
    assert_eq!(scene.beat(0, &loading()).len(), 1);
    for _ in 0..100 {
        assert!(scene.beat(0, &loading()).is_empty());
    }
    assert_eq!(scene.time_to_return(0), 3 * SECOND);
}

#[test]
fn a_script_gets_more_heartbeats_than_a_dead_shard() {
    let mut scene = Scene::new(2, rules());
    scene.beat(0, &busy());
    scene.beat(0, &busy());
    assert_eq!(scene.state(0), State::Live);
    scene.beat(0, &Answer::Good);
    scene.beat(0, &busy());
    scene.beat(0, &busy());
    let changes = scene.beat(0, &busy());
    assert!(changes[0].cause.starts_with("3 heartbeats in a row: script"), "{changes:?}");
}

#[test]
fn when_all_are_out_the_first_to_answer_takes_the_keys_back_without_waiting() {
    let mut scene = Scene::new(3, rules());
    scene.eject(0);
    scene.eject(1);
    scene.beat(2, &dead());
    let last = scene.beat(2, &dead());
    assert!(last[0].cause.contains("no shard is left"), "{last:?}");
    assert_eq!(scene.judge.live(), 0);
    assert_eq!(scene.time_to_return(1), 3 * SECOND);
    // Whoever went out with the pool returns with the pool.
    assert_eq!(scene.time_to_return(2), 3 * SECOND);
}

#[test]
fn a_shard_that_waits_in_good_health_steps_in_for_the_last_one() {
    let mut scene = Scene::new(2, rules());
    scene.eject(0);
    for _ in 0..5 {
        assert!(scene.beat(0, &Answer::Good).is_empty());
    }
    scene.beat(1, &dead());
    let changes = scene.beat(1, &dead());
    let turned: Vec<_> = changes.iter().map(|change| (change.shard, change.to)).collect();
    assert_eq!(turned, [(1, State::Ejected), (0, State::Live)]);
}

#[test]
fn a_pool_of_one_shard_returns_with_it() {
    let mut scene = Scene::new(1, rules());
    scene.eject(0);
    assert_eq!(scene.time_to_return(0), 3 * SECOND);
}

#[test]
fn extreme_settings_and_indices_do_no_harm() {
    let wild = Rules { retry_timeout: Duration::MAX, ..rules() };
    let mut scene = Scene::new(2, wild);
    scene.eject(0);
    for _ in 0..10 {
        scene.beat(0, &Answer::Good);
    }
    assert_eq!(scene.state(0), State::Ejected);
    assert!(scene.beat(9, &dead()).is_empty());
    assert!(scene.fail(9, scene.now).is_empty());
}

/// What can happen to a shard, and how much later than the event before.
#[derive(Debug, Clone, Copy)]
enum Event {
    Good,
    Dead,
    Loading,
    Busy,
    /// A failure of a request, met just now or before all that has happened.
    Failed {
        old: bool,
    },
    Pause,
}

const EVENTS: [Event; 7] = [
    Event::Good,
    Event::Dead,
    Event::Loading,
    Event::Busy,
    Event::Failed { old: false },
    Event::Failed { old: true },
    Event::Pause,
];

/// The rules once more, as plainly as they can be said: looks back over the whole past.
struct Restated {
    rules: Rules,
    start: Instant,
    past: Vec<(Event, Instant)>,
    ejections: Vec<Instant>,
    returns: Vec<Instant>,
}

impl Restated {
    fn since_good(&self) -> impl Iterator<Item = &(Event, Instant)> {
        self.past.iter().rev().take_while(|(event, _)| !matches!(event, Event::Good))
    }

    /// Failures since the last good heartbeat (busy ones apart): never fewer than the judge counted.
    fn failures(&self) -> u32 {
        let bad = |event: &Event| {
            matches!(event, Event::Dead | Event::Loading | Event::Failed { old: false })
        };
        // A failure older than everything counts while no heartbeat has contradicted it.
        let never_good = !self.past.iter().any(|(event, _)| matches!(event, Event::Good));
        let old = |event: &Event| never_good && matches!(event, Event::Failed { old: true });
        self.since_good().filter(|(event, _)| bad(event) || old(event)).count() as u32
    }

    fn busy(&self) -> u32 {
        self.since_good().filter(|(event, _)| matches!(event, Event::Busy)).count() as u32
    }

    /// Heartbeats that failed since the last good one and since the return.
    fn failed_heartbeats(&self) -> u32 {
        let bad = |event: &Event| matches!(event, Event::Dead | Event::Loading);
        self.since_good().filter(|(event, _)| bad(event)).count() as u32
    }

    fn successes(&self, since: Instant) -> u32 {
        let beats = self.past.iter().rev().take_while(|(_, at)| *at > since);
        let beats =
            beats.filter(|(event, _)| !matches!(event, Event::Pause | Event::Failed { .. }));
        beats.take_while(|(event, _)| matches!(event, Event::Good)).count() as u32
    }

    fn check(&mut self, from: State, to: State, alone: bool, now: Instant) -> Result<(), String> {
        let limit = self.rules.failure_limit;
        match (from, to) {
            (State::Live, State::Ejected) => {
                self.ejections.push(now);
                let enough = self.failures() >= limit || self.busy() > limit;
                enough.then_some(()).ok_or("ejected without its failures")?;
            }
            (State::Live, State::Live) => {
                let fine = self.failed_heartbeats() < limit && self.busy() <= limit;
                fine.then_some(()).ok_or("kept in spite of its failures")?;
            }
            (State::Ejected, State::Live) => {
                self.returns.push(now);
                let out = *self.ejections.last().unwrap_or(&self.start);
                let fine = self.successes(out) >= self.rules.successes;
                fine.then_some(()).ok_or("returned without its successes")?;
                let waited = alone || now - out >= self.rules.retry_timeout;
                waited.then_some(()).ok_or("returned before the retry timeout")?;
            }
            (State::Ejected, State::Ejected) => {
                let out = *self.ejections.last().unwrap_or(&self.start);
                let longest = self.rules.retry_timeout * (1 << MAX_DOUBLINGS);
                let due = self.successes(out) >= self.rules.successes
                    && (alone || now - out >= longest)
                    && matches!(self.past.last(), Some((Event::Good, _)));
                (!due).then_some(()).ok_or("kept out in good health")?;
            }
            _ => return Err(format!("{from:?} → {to:?} with auto_eject_hosts on")),
        }
        Ok(())
    }
}

/// Runs the events on shard 0 of a pool; shard 1, if there is one, stays in throughout.
fn run(events: &[Event], shards: usize) -> Result<(), String> {
    let mut scene = Scene::new(shards, Rules { successes: 2, ..rules() });
    let start = scene.now;
    let mut model = Restated {
        rules: Rules { successes: 2, ..rules() },
        start,
        past: Vec::new(),
        ejections: Vec::new(),
        returns: Vec::new(),
    };
    for &event in events {
        let from = scene.state(0);
        let changes = match event {
            Event::Good => scene.beat(0, &Answer::Good),
            Event::Dead => scene.beat(0, &dead()),
            Event::Loading => scene.beat(0, &loading()),
            Event::Busy => scene.beat(0, &busy()),
            Event::Failed { old } => {
                scene.now += SECOND;
                scene.fail(0, if old { start } else { scene.now })
            }
            Event::Pause => {
                scene.now += RETRY;
                Vec::new()
            }
        };
        model.past.push((event, scene.now));
        let to = scene.state(0);
        if changes.len() != usize::from(from != to) {
            return Err(format!("{from:?} → {to:?} was reported as {changes:?}"));
        }
        model.check(from, to, shards == 1, scene.now)?;
    }
    Ok(())
}

#[test]
fn every_interleaving_of_six_events_keeps_the_rules() {
    let depth = 6;
    let total = EVENTS.len().pow(depth);
    for number in 0..total {
        let digit = |place: u32| EVENTS[number / EVENTS.len().pow(place) % EVENTS.len()];
        let events: Vec<Event> = (0..depth).map(digit).collect();
        for shards in [1, 2] {
            if let Err(fault) = run(&events, shards) {
                panic!("{fault}: {events:?} with {shards} shard(s)");
            }
        }
    }
}

proptest! {
    #[test]
    fn every_long_history_keeps_the_rules(
        events in prop::collection::vec(prop::sample::select(EVENTS.to_vec()), 0..200),
        shards in 1usize..=2,
    ) {
        prop_assert_eq!(run(&events, shards), Ok(()));
    }

    /// Whatever happens to several shards: nobody waits in good health while nobody is in.
    #[test]
    fn the_ring_is_empty_only_while_nobody_answers(
        events in prop::collection::vec((0usize..3, any::<bool>()), 0..200),
    ) {
        let mut scene = Scene::new(3, rules());
        let mut good_in_a_row = [0; 3];
        for (shard, good) in events {
            scene.beat(shard, &if good { Answer::Good } else { dead() });
            good_in_a_row[shard] = if good { good_in_a_row[shard] + 1 } else { 0 };
            if scene.judge.live() == 0 {
                prop_assert!(good_in_a_row.iter().all(|&row| row < rules().successes));
            }
        }
    }
}
