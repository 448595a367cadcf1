//! The judgement of one shard: a state machine without a clock.
//!
//! ```text
//!            failure_limit failures in a row
//!            (or more than that many BUSY answers)
//!      in ──────────────────────────────────────────▶ out
//!       ◀──────────────────────────────────────────
//!        `successes` good heartbeats in a row, and the wait is over
//! ```
//! - Heartbeats and failures that requests met count together; a good heartbeat forgets them all,
//!   those still on their way from a worker included.
//! - A request that waited in vain counts with the others, yet takes nobody out by itself: a slow
//!   command must not cost a shard that answers its heartbeats. The next failure of another kind
//!   does, as a rule that of the heartbeat which asks at once.
//! - Failures of requests that lie close together are one ([`BURST`]): a restart of one shard
//!   breaks a link of every worker in the same moment.
//! - The wait of an ejected shard is `server_retry_timeout`, doubled for each time it was
//!   ejected again soon after it had come back ([`FLAP_WINDOW`], [`MAX_DOUBLINGS`]).
//! - With `auto_eject_hosts` off the only question is whether a shard answers at all. One that
//!   answers `-LOADING` is left to say so itself: its own error, which clients know how to
//!   handle, comes as quickly as ours would. It has no wait either: no key moves when it returns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::health::{Rules, ShardHealth, State, span};
use crate::route::ring::{ALL, NOTHING};

/// Failures of requests within this time of one another are one event: longer than it takes all
/// workers to see one shard close its connections, shorter than any sensible `timeout`.
pub const BURST: Duration = Duration::from_millis(50);

/// A shard ejected again within this many `server_retry_timeout`s of its return is flapping: by
/// default 5 minutes, in which a sound shard has answered 300 heartbeats.
pub const FLAP_WINDOW: u32 = 10;

/// The wait grows to at most 2⁴ = 16 `server_retry_timeout`s: by default 8 minutes, long enough
/// that moving keys there and back does no harm, short enough not to be taken for a defect once
/// the shard is repaired. twemproxy never backs off.
pub const MAX_DOUBLINGS: u32 = 4;

/// What is known of one shard.
#[derive(Debug, Clone)]
pub struct ShardJudge {
    rules: Rules,
    is_removed: bool,
    out: bool,
    since: Instant,
    cause: Arc<str>,
    /// Failures since the last good heartbeat, and when the first of them was.
    failures: u32,
    failing_since: Instant,
    /// Whether any of them was more than a request that waited in vain.
    is_certain: bool,
    /// BUSY answers since the last good heartbeat.
    busy: u32,
    last_request_failure: Option<Instant>,
    last_good: Option<Instant>,
    /// Good heartbeats in a row while out.
    successes: u32,
    returned: Option<Instant>,
    doublings: u32,
    wait: Duration,
}

impl ShardJudge {
    /// A shard of which nothing is known yet is in.
    pub fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            is_removed: false,
            out: false,
            since: now,
            cause: Arc::from(""),
            failures: 0,
            failing_since: now,
            is_certain: false,
            busy: 0,
            last_request_failure: None,
            last_good: None,
            successes: 0,
            returned: None,
            doublings: 0,
            wait: Duration::ZERO,
        }
    }

    /// The shard is in the configuration no longer; nothing is to be judged any more.
    pub fn remove(&mut self, now: Instant) {
        *self = Self { is_removed: true, ..Self::new(self.rules, now) };
    }

    /// Goes on by other rules. A wait that has begun stays as long as it is.
    pub fn follow(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Takes in a heartbeat's outcome; `true` when the shard went out or came back.
    pub fn heartbeat(&mut self, answer: &Answer, now: Instant) -> bool {
        match answer {
            _ if self.is_removed => false,
            Answer::Good | Answer::Locked => self.good(now),
            Answer::Refusal(_) | Answer::Busy(_) if !self.rules.auto_eject => self.good(now),
            Answer::Busy(cause) => self.busy(cause, now),
            Answer::Refusal(cause) | Answer::Failure(cause) => {
                self.is_certain = true;
                self.failure(cause, now)
            }
        }
    }

    /// Takes in a failure that a worker met at `at`; `true` when the shard went out.
    pub fn request_failed(&mut self, cause: &str, at: Instant, now: Instant) -> bool {
        self.request(cause, at, now, true)
    }

    /// Takes in that a worker waited in vain for a reply; `true` when the shard went out.
    pub fn request_timed_out(&mut self, cause: &str, at: Instant, now: Instant) -> bool {
        self.request(cause, at, now, false)
    }

    fn request(&mut self, cause: &str, at: Instant, now: Instant, is_certain: bool) -> bool {
        let at = at.min(now);
        // A shard that is out gets no requests: what fails now was sent before.
        let history = self.is_removed || self.out || self.last_good.is_some_and(|good| at <= good);
        let same_event = self.last_request_failure.is_some_and(|last| at < last + BURST);
        if history {
            return false;
        }
        self.is_certain |= is_certain;
        if same_event {
            return false;
        }
        self.last_request_failure = Some(at);
        self.failure(cause, now)
    }

    /// Drops what is left of the wait; see [`PoolJudge`](super::pool_judge::PoolJudge).
    pub fn forgo_wait(&mut self) {
        self.wait = Duration::ZERO;
    }

    /// Brings the shard back if its heartbeats and the wait allow it; `true` when they did.
    pub fn try_return(&mut self, now: Instant) -> bool {
        let may = self.out && self.successes >= self.rules.successes && self.left(now).is_zero();
        if may {
            self.out = false;
            self.returned = Some(now);
            self.since = now;
            self.cause = Arc::from("");
        }
        may
    }

    /// What is left of the wait before which the shard may not return.
    pub fn left(&self, now: Instant) -> Duration {
        self.wait.saturating_sub(now.saturating_duration_since(self.since))
    }

    /// Whether requests are sent to the shard.
    pub fn state(&self) -> State {
        match (self.out, self.rules.auto_eject) {
            _ if self.is_removed => State::Removed,
            (false, _) => State::Live,
            (true, false) => State::Down,
            (true, true) => State::Ejected,
        }
    }

    /// What the rest of the program may know.
    pub fn health(&self) -> ShardHealth {
        let state = self.state();
        let has_no_keys = matches!(state, State::Ejected | State::Removed);
        let share = if has_no_keys { NOTHING } else { ALL };
        ShardHealth { state, share, since: self.since, cause: Arc::clone(&self.cause) }
    }

    fn good(&mut self, now: Instant) -> bool {
        self.failures = 0;
        self.is_certain = false;
        self.busy = 0;
        self.last_good = Some(now);
        if self.out {
            self.successes = self.successes.saturating_add(1);
        }
        self.try_return(now)
    }

    fn busy(&mut self, cause: &str, now: Instant) -> bool {
        self.successes = 0;
        self.busy = self.busy.saturating_add(1);
        if self.out || self.busy <= self.rules.failure_limit {
            return false;
        }
        let times = self.busy;
        self.go_out(format!("{times} heartbeats in a row: {cause}"), now)
    }

    fn failure(&mut self, cause: &str, now: Instant) -> bool {
        self.successes = 0;
        if self.failures == 0 {
            self.failing_since = now;
        }
        self.failures = self.failures.saturating_add(1);
        if self.out || self.failures < self.rules.failure_limit || !self.is_certain {
            return false;
        }
        let reason = match self.failures {
            1 => format!("1 failure: {cause}"),
            n => format!("{n} failures in {}: {cause}", span(now - self.failing_since)),
        };
        self.go_out(reason, now)
    }

    fn go_out(&mut self, reason: String, now: Instant) -> bool {
        self.doublings = match self.returned {
            Some(returned) if now - returned < self.flap_window() => {
                MAX_DOUBLINGS.min(self.doublings + 1)
            }
            _ => 0,
        };
        self.wait = match self.rules.auto_eject {
            true => self.rules.retry_timeout.saturating_mul(1 << self.doublings),
            false => Duration::ZERO,
        };
        self.out = true;
        self.since = now;
        self.successes = 0;
        self.cause = reason.into();
        true
    }

    fn flap_window(&self) -> Duration {
        self.rules.retry_timeout.saturating_mul(FLAP_WINDOW)
    }
}
