//! The judgement of a pool: its shards together, and the case that nobody is left.
//!
//! **All out.** The last shard may go out like any other: keeping it "in" would let every request
//! run into a dead shard, while an empty ring answers at once (`-ERR Connection refused`, as
//! twemproxy does). What must not happen is that the ring stays empty longer than it has to. The
//! wait of `server_retry_timeout` exists so that keys do not move to and fro between shards; with
//! nobody in there is no such move to avoid. So when the last shard goes out, nobody has to wait any
//! more: those that already answer well come in in the same moment, the others with their
//! `heartbeat_successes`. A pool of one shard therefore returns as soon as the shard does.

use std::time::Instant;

use super::answer::Answer;
use super::health::{Change, Failure, Rules, ShardHealth, State, span};
use super::judge::ShardJudge;

/// What is known of a pool's shards.
#[derive(Debug, Clone)]
pub struct PoolJudge {
    shards: Vec<ShardJudge>,
}

impl PoolJudge {
    /// A pool of `shards` shards that are all in.
    pub fn new(rules: Rules, shards: usize, now: Instant) -> Self {
        Self { shards: vec![ShardJudge::new(rules, now); shards] }
    }

    /// Goes on by these rules, and with so many shards; those that are new are in.
    pub fn follow(&mut self, rules: Rules, shards: usize, now: Instant) {
        self.shards.iter_mut().for_each(|judge| judge.follow(rules));
        self.shards.resize_with(shards.max(self.shards.len()), || ShardJudge::new(rules, now));
    }

    /// Another shard has this index from now on, of which nothing is known yet.
    pub fn begin_anew(&mut self, shard: usize, rules: Rules, now: Instant) {
        self.shards[shard] = ShardJudge::new(rules, now);
    }

    /// The shard is in the configuration no longer.
    pub fn remove(&mut self, shard: usize, now: Instant) {
        self.shards[shard].remove(now);
    }

    /// If nobody is in (any more), nobody waits.
    pub fn spare_waits(&mut self, now: Instant) {
        if self.live() == 0 {
            self.return_all(now);
        }
    }

    /// Takes in a heartbeat's outcome.
    pub fn heartbeat(&mut self, shard: usize, answer: &Answer, now: Instant) -> Vec<Change> {
        self.feed(shard, now, |judge| judge.heartbeat(answer, now))
    }

    /// Takes in a failure that a worker met.
    pub fn request_failed(&mut self, failure: &Failure, now: Instant) -> Vec<Change> {
        let (cause, at) = (&failure.cause, failure.at);
        self.feed(failure.shard, now, |judge| match failure.is_timeout {
            true => judge.request_timed_out(cause, at, now),
            false => judge.request_failed(cause, at, now),
        })
    }

    /// The health of every shard, by index.
    pub fn health(&self) -> Vec<ShardHealth> {
        self.shards.iter().map(ShardJudge::health).collect()
    }

    /// How many shards are in.
    pub fn live(&self) -> usize {
        self.shards.iter().filter(|judge| judge.state() == State::Live).count()
    }

    /// Whether requests are sent to this shard; `false` for one that does not exist.
    pub fn is_live(&self, shard: usize) -> bool {
        self.shards.get(shard).is_some_and(|judge| judge.state() == State::Live)
    }

    fn feed(
        &mut self,
        shard: usize,
        now: Instant,
        event: impl FnOnce(&mut ShardJudge) -> bool,
    ) -> Vec<Change> {
        let Some(judge) = self.shards.get_mut(shard) else { return Vec::new() };
        let before = judge.health();
        if !event(judge) {
            return Vec::new();
        }
        let mut returned = Vec::new();
        if self.live() == 0 {
            returned = self.return_all(now);
        }
        let mut changes = vec![self.change(shard, &before, now)];
        changes.extend(returned.iter().map(|(shard, before)| self.change(*shard, before, now)));
        changes
    }

    /// Nobody is in: nobody waits. Gives the shards that returned, and what they were.
    fn return_all(&mut self, now: Instant) -> Vec<(usize, ShardHealth)> {
        let mut returned = Vec::new();
        for (shard, judge) in self.shards.iter_mut().enumerate() {
            let before = judge.health();
            judge.forgo_wait();
            if judge.try_return(now) {
                returned.push((shard, before));
            }
        }
        returned
    }

    fn change(&self, shard: usize, before: &ShardHealth, now: Instant) -> Change {
        let judge = &self.shards[shard];
        let after = judge.health();
        let cause = match after.state {
            State::Live | State::Returning => format!(
                "{} by the answers to its heartbeats (it had {})",
                span(now.saturating_duration_since(before.since)),
                before.cause
            ),
            State::Down => format!("{}; its requests fail at once until it answers", after.cause),
            State::Ejected => format!("{}; {}", after.cause, self.effect(judge, now)),
            State::Removed => after.cause.to_string(),
        };
        Change { shard, from: before.state, to: after.state, cause }
    }

    fn effect(&self, judge: &ShardJudge, now: Instant) -> String {
        match self.live() {
            0 => "no shard is left: all requests fail at once until one answers".into(),
            others => format!(
                "its keys go to {others} other{}; earliest return in {}",
                if others == 1 { "" } else { "s" },
                span(judge.left(now))
            ),
        }
    }
}
