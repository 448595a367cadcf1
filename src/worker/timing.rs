//! How long requests waited here, and how long their shard took.
//!
//! ```text
//!   client ─► read ──── queue ────► written ──── shard ────► reply read ── return ──► client
//!             arrived_at            sent_at                  now
//! ```
//!
//! The clock is read once for what was read or written together: a client's input, a link's flush,
//! a link's replies. So the requests of a pipeline have the same moments, and are counted together.

use super::Worker;
use crate::admin::counters::Queues;
use crate::command::Family;
use crate::reply::code::Code;
use crate::reply::slots::Frame;
use crate::shard::link::{Part, Pending};

/// Replies of one read whose requests have the same moments and family.
#[derive(Debug)]
pub(super) struct Tally {
    link: u32,
    pool: usize,
    shard: usize,
    /// Whether a request may have waited on purpose, for an element or a replica.
    is_patient: bool,
    now: u32,
    arrived_at: u32,
    sent_at: u32,
    family: Family,
    count: u32,
    is_slow: bool,
}

impl Tally {
    #[inline(always)]
    fn covers(&self, pending: &Pending) -> bool {
        self.arrived_at == pending.arrived_at
            && self.sent_at == pending.sent_at
            && self.family == pending.family
    }
}

/// Commands of one family, said one after the other.
#[derive(Debug, Default)]
pub(crate) struct Said {
    family: Family,
    count: u32,
    /// The command that is sampled, counted from the first of those that are not counted yet; 0 if
    /// none is.
    sample_at: u32,
}

impl Said {
    /// The command is sampled that comes so many after the last one; 0 for none.
    pub(super) fn sample_next(&mut self, gap: u32) {
        self.sample_at = if gap == 0 { 0 } else { self.count.saturating_add(gap) };
    }
}

impl Worker {
    /// A request of `session` whose reply goes to `sequence`, with the moment of its arrival.
    #[inline]
    pub(crate) fn pending(&self, session: u32, sequence: u32, part: Part) -> Pending {
        let client = &self.sessions[session as usize];
        Pending {
            session,
            sequence,
            arrived_at: self.clock.arrival(),
            sent_at: self.clock.micros(),
            bytes: 0,
            part,
            command: client.last_command,
            family: client.last_family,
        }
    }

    /// Replies were read from link `number` just now.
    pub(super) fn begin_tally(&mut self, number: u32) -> Tally {
        self.clock.refresh();
        self.hotkeys.replying = number;
        let (now, link) = (self.clock.micros(), &self.links[number as usize]);
        if self.turns.is_multiple_of(TURNS_A_LOOK) {
            self.turn_began.get_or_insert(now);
        }
        Tally {
            link: number,
            pool: link.pool,
            shard: link.shard,
            is_patient: link.patient,
            now,
            arrived_at: now,
            sent_at: now,
            family: Family::Other,
            count: 0,
            is_slow: false,
        }
    }

    /// Takes note of a reply and whose it is.
    #[inline(always)]
    pub(super) fn note(&mut self, tally: &mut Tally, pending: &Pending, frame: &Frame<'_>) {
        if !tally.covers(pending) {
            self.next_of_tally(tally, pending);
        }
        tally.count += 1;
        if tally.is_slow {
            self.observe(tally, pending, frame);
        }
        if matches!(frame.bytes()[0], b'-' | b'!') {
            self.note_error(tally, pending, frame.bytes());
        }
    }

    #[inline(never)]
    fn next_of_tally(&mut self, tally: &mut Tally, pending: &Pending) {
        self.end_tally(tally);
        tally.arrived_at = pending.arrived_at;
        tally.sent_at = pending.sent_at;
        tally.family = pending.family;
        tally.is_slow = tally.now.wrapping_sub(pending.arrived_at) > self.slow_after;
    }

    /// Counts what was noted since the last time.
    pub(super) fn end_tally(&mut self, tally: &mut Tally) {
        let count = std::mem::take(&mut tally.count);
        if count == 0 || tally.is_patient {
            return;
        }
        let shard = &self.counters.pools[tally.pool].shards[tally.shard];
        let times = shard.times_of(tally.family);
        times.queue.record(tally.sent_at.wrapping_sub(tally.arrived_at), count);
        times.shard.record(tally.now.wrapping_sub(tally.sent_at), count);
    }

    /// A request took longer than `slow_after`, from its arrival to the whole of its reply.
    #[cold]
    fn observe(&mut self, tally: &Tally, pending: &Pending, reply: &Frame<'_>) {
        if tally.is_patient || pending.part == Part::TimedOut {
            return;
        }
        self.counters.pools[tally.pool].shards[tally.shard].slow_requests.add(1);
        self.note_slow(tally.link, pending, tally.now, reply);
    }

    #[cold]
    fn note_error(&mut self, tally: &Tally, pending: &Pending, reply: &[u8]) {
        let Some(code) = Code::of(reply) else { return };
        let pool = &self.counters.pools[tally.pool];
        pool.shards[tally.shard].error_replies[code as usize].add(1);
        pool.families[pending.family as usize].errors.add(1);
        self.note_shards_error(pending, tally.shard, reply);
    }

    /// An error that circlet itself says to a client of the session's.
    #[cold]
    pub(crate) fn note_own_error(&mut self, number: u32, code: Code, reply: &[u8]) {
        let session = &self.sessions[number as usize];
        let pool = &self.counters.pools[usize::from(session.pool)];
        pool.error_replies[code as usize].add(1);
        self.note_said(number, reply);
    }

    /// A client has said a command of this family.
    #[inline(always)]
    pub(crate) fn note_command(&mut self, number: u32, family: Family) {
        if self.said.family != family {
            self.count_said(number);
            self.said.family = family;
        }
        self.said.count += 1;
        if self.said.count == self.said.sample_at {
            self.mark_sampled(number);
        }
    }

    /// The last command comes again: it is counted then.
    pub(crate) fn forget_command(&mut self) {
        self.said.count = self.said.count.saturating_sub(1);
    }

    /// Counts the commands of session `number` that were noted. To be called before those of
    /// another are.
    #[inline]
    pub(crate) fn count_said(&mut self, number: u32) {
        let count = std::mem::take(&mut self.said.count);
        if count > 0 {
            if self.said.sample_at > 0 {
                self.said.sample_at -= count;
            }
            let pool = usize::from(self.sessions[number as usize].pool);
            let family = &self.counters.pools[pool].families[self.said.family as usize];
            family.commands.add(u64::from(count));
        }
    }

    /// All that was read in this turn is written.
    #[inline]
    pub(super) fn end_turn(&mut self) {
        self.turns = self.turns.wrapping_add(1);
        if let Some(began) = self.turn_began.take() {
            self.clock.refresh();
            self.counters.returns.record(self.clock.micros().wrapping_sub(began), 1);
        }
    }

    /// Brings up to date what is counted by looking: what waits and what is in flight. For who
    /// reads the counters.
    pub fn count_queues(&mut self) {
        let counters = &self.counters.pools;
        let mut queues: Vec<Vec<Queues>> =
            counters.iter().map(|pool| vec![Queues::default(); pool.shards.len()]).collect();
        for (_, link) in &self.links {
            queues[link.pool][link.shard].add(link);
        }
        for (counters, queues) in counters.iter().zip(queues) {
            let shards = counters.shards.iter().zip(queues);
            shards.for_each(|(shard, queues)| shard.set_queues(queues));
        }
    }
}

/// The way back to clients is measured in one turn of the loop out of so many: it takes a look at the
/// clock of its own.
const TURNS_A_LOOK: u32 = 16;
