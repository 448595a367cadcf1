//! Requests that wait longer than their pool's `timeout`.
//!
//! ```text
//!   in_flight:   9,1      3,7      9,2      4,1
//!              [overdue][ late  ][ in time][in time]     the reply to 9,1 is what all wait for
//!                  │        │
//!                  ▼        ▼
//!              [TimedOut][TimedOut][3 ...                 both clients have read an error;
//!                                                         two replies will be dropped
//! ```
//!
//! An overdue request is answered with an error at once. Its place on the link stays, so that the
//! order still says whose the next reply is; the others on the link go on. What stays must not stay
//! for ever: a link that answered nobody in time for another [`grace`](Worker::grace), or that
//! carries more than [`MOST_TIMED_OUT`] such places, fails as a whole. So does a link of one session,
//! on which nobody else's requests are. And a late link is probed: were a reply left out, each
//! later one would be taken for the one before.
//!
//! Health hears of it as of a failure that a heartbeat has to confirm.

use super::Worker;
use crate::client::session::Pause;
use crate::reply::frame;
use crate::reply::slots::Frame;
use crate::resp::write;
use crate::shard::fault::LinkFault;
use crate::shard::fault_kind::FaultKind;
use crate::shard::link::{Link, Owner, Part, Pending};

impl Worker {
    /// Answers all requests that have waited longer than their pool's `timeout`.
    pub fn sweep_timeouts(&mut self) {
        self.clock.refresh();
        let (now, micros) = (self.clock.now(), self.clock.micros());
        let slow: Vec<(u32, u32)> = self
            .links
            .iter()
            .filter_map(|(number, link)| {
                let timeout = self.pools[link.pool].timeout?.min(LONGEST_TIMEOUT);
                is_slow(link, micros, timeout).then_some((number as u32, timeout))
            })
            .collect();
        for (number, timeout) in slow {
            self.sweep_link(number, now, timeout);
        }
    }

    fn sweep_link(&mut self, number: u32, now: u32, timeout: u32) {
        let Some(link) = self.links.get_mut(number as usize) else { return };
        let micros = self.clock.micros();
        let is_front_late = link.in_flight.front().is_some_and(|p| p.age(micros) > timeout);
        if link.owner != Owner::Shared {
            // What the session left there hangs on the connection: it goes as a whole.
            if is_front_late {
                self.fail_link(number, LinkFault::ReplyTimeout);
            }
            return;
        }
        let (overdue, timed_out) = take_overdue(link, micros, timeout);
        let (pool, shard) = (link.pool, link.shard);
        if !overdue.is_empty() {
            self.answer_overdue(pool, shard, &overdue);
        }
        if is_front_late {
            self.judge_silence(number, now, timeout, timed_out);
        }
        self.release_late(number, micros, timeout);
    }

    /// Tells their clients; the link still carries the sessions' numbers.
    fn answer_overdue(&mut self, pool: usize, shard: usize, overdue: &[Pending]) {
        let error = self.error_reply(pool, shard, &LinkFault::ReplyTimeout);
        let (counters, count) = (&self.counters.pools[pool], overdue.len() as u64);
        counters.shards[shard].failed_requests[FaultKind::ReplyTimeout as usize].add(count);
        for pending in overdue {
            self.note_fault(pending, shard, &LinkFault::ReplyTimeout);
            self.sessions[pending.session as usize].outstanding += 1;
            self.deliver(*pending, Frame::Small(&error));
        }
    }

    /// Tells health that the link's oldest request is late, and fails the link when nobody was
    /// answered in time for too long or it carries too much that nobody waits for.
    fn judge_silence(&mut self, number: u32, now: u32, timeout: u32, timed_out: usize) {
        let grace = self.grace(self.links[number as usize].pool, timeout);
        let link = &mut *self.links[number as usize];
        let since = *link.silent_since.get_or_insert(now);
        if now.wrapping_sub(since) > grace || timed_out > MOST_TIMED_OUT {
            return self.fail_link(number, LinkFault::ReplyTimeout);
        }
        self.probe(number);
        let link = &mut *self.links[number as usize];
        if link.late_told_at.is_none_or(|told| now.wrapping_sub(told) >= timeout) {
            link.late_told_at = Some(now);
            let (pool, shard) = (link.pool, link.shard);
            self.report(pool, shard, &LinkFault::ReplyTimeout, "requests to shard timed out");
        }
    }

    /// Asks a link on which a request was late for something that only one reply says. Should the
    /// shard have left out a reply, each later one would be taken for the one before.
    fn probe(&mut self, number: u32) {
        let link = &mut *self.links[number as usize];
        let Some(front) = link.in_flight.front().filter(|_| !link.is_probed) else { return };
        // The session stays for as long as the link carries its number.
        let session = front.session;
        link.is_probed = true;
        let mut question = Vec::new();
        write::command(&mut question, &[&b"PING"[..], &probe_text(number)]);
        self.send_on(number, session, number, Part::Probe, Frame::Small(&question));
    }

    /// The link is in step if this is the answer to its probe. An error says nothing either way: the
    /// user may not say PING. A bare PONG neither: a server may take no argument.
    #[cold]
    pub(super) fn probe_answered(&mut self, number: u32, frame: &Frame<'_>) {
        let reply = frame.bytes();
        let link = &mut *self.links[number as usize];
        // One that failed has answered everything, this too.
        let is_telling = !frame::is_error(reply) && reply != b"+PONG\r\n";
        if !std::mem::take(&mut link.is_probed) || !is_telling {
            return;
        }
        if frame::bulk(reply) != Some(&probe_text(number)[..]) {
            let why = "replies out of step with requests, after one was late";
            self.fail_link(number, LinkFault::Garbage(why.into()));
        }
    }

    /// How long nobody may be answered in time after a request was late: a slow command has
    /// as long again, and the heartbeats have time to find out that the shard hangs.
    fn grace(&self, pool: usize, timeout: u32) -> u32 {
        let heartbeat = self.pools[pool].config.heartbeat_timeout.as_millis() as u32;
        timeout.max(heartbeat)
    }

    /// Sessions that wait for the link to drain go on once what they said is late itself: it will
    /// not be sent any more, so that the link gets no fuller by it.
    fn release_late(&mut self, number: u32, now: u32, timeout: u32) {
        let mut blocked = std::mem::take(&mut self.links[number as usize].blocked);
        blocked.retain(|&session| {
            let Some(session) = self.sessions.get_mut(session as usize) else { return false };
            let arrived_at = session.input.as_ref().and_then(|input| input.arrived_at);
            let is_late = arrived_at.is_some_and(|at| now.wrapping_sub(at) / 1_000 > timeout);
            if session.pause == Pause::Link && is_late {
                session.pause = Pause::No;
                session.wake();
            }
            session.pause == Pause::Link
        });
        self.links[number as usize].blocked.append(&mut blocked);
    }
}

/// Whether the link's oldest request has waited so long that its requests are worth a look, one by
/// one: they need not stand in the order of their arrival.
fn is_slow(link: &Link, now: u32, timeout: u32) -> bool {
    let oldest = link.in_flight.front();
    !link.patient && oldest.is_some_and(|oldest| oldest.age(now) > timeout / 8)
}

/// Marks the requests that have waited too long and returns them as they were; and how many places
/// are so marked in all. What no client waits for only keeps its place.
fn take_overdue(link: &mut Link, now: u32, timeout: u32) -> (Vec<Pending>, usize) {
    let (mut overdue, mut timed_out) = (Vec::new(), 0);
    for pending in &mut link.in_flight {
        let awaited = !matches!(
            pending.part,
            Part::TimedOut | Part::Unclaimed | Part::Probe | Part::ScriptLoaded | Part::ClientId
        );
        if awaited && pending.age(now) > timeout {
            overdue.push(*pending);
            pending.part = Part::TimedOut;
        }
        timed_out += usize::from(pending.part == Part::TimedOut);
    }
    (overdue, timed_out)
}

/// What the probe of a link says: no value of a client's is that.
fn probe_text(number: u32) -> Vec<u8> {
    format!("circlet:probe:{}:{number}", std::process::id()).into_bytes()
}

/// A shard that answers, but later than anybody waits, works for nobody: with the connection it
/// drops what it has not begun. Two pipelines as long as `client_pipeline_limit` lets them be.
const MOST_TIMED_OUT: usize = 8192;

/// Ages are known up to 71 minutes: a longer `timeout` is an hour.
const LONGEST_TIMEOUT: u32 = 60 * 60 * 1_000;

#[cfg(test)]
pub(super) mod tests;
