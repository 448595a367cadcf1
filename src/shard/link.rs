//! Our connection to one shard: a queue of requests out, their replies back in the same order.
//!
//! ```text
//!   session 3 ─┐                                   ┌─► session 3, sequence 7
//!   session 9 ─┼─► outbox ─► socket ─► shard ─► reply
//!   session 3 ─┘   in_flight: (3,7) (9,1) (3,8)    └─ the front of in_flight says whose it is
//! ```
//!
//! Whatever makes the pairing doubtful (garbage, a surplus reply) ends the link and fails exactly
//! the requests in `in_flight`; nothing is ever sent a second time. A timeout makes nothing doubtful:
//! the request is answered with an error, its place in `in_flight` stays ([`Part::TimedOut`]), and
//! the reply that comes for it after all is dropped. See `worker::deadlines`.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::connect::Identity;
use super::fault::LinkFault;
use super::scripts::Loaded;
use crate::command::Family;
use crate::journal::kept::Kept;
use crate::outbox::{Outbox, SpareBuffers, WRITE_THROUGH};
use crate::reply::slots::Frame;
use crate::resp::ReplyScanner;
use crate::socket::Socket;

/// See the module.
#[derive(Debug)]
pub struct Link {
    /// Index of the pool.
    pub pool: usize,
    /// Index of the shard in the pool.
    pub shard: usize,
    /// As whom the link speaks.
    pub identity: Identity,
    /// Whether it can take requests.
    pub state: LinkState,
    /// The socket, while there is one.
    pub socket: Option<Socket>,
    /// Requests that are not written yet.
    pub output: Outbox,
    /// Whose replies are due, oldest first.
    pub in_flight: VecDeque<Pending>,
    /// How many at the back of `in_flight` no byte of which the kernel has been offered: a reply
    /// cannot be theirs.
    pub unsent: usize,
    /// A reply that is not whole yet.
    pub partial: Option<Box<PartialReply>>,
    /// Which of the next requests are to have their round trips measured.
    pub sampling: Sampling,
    /// Sessions that are not read from until `output` drains.
    pub blocked: Vec<u32>,
    /// Whether the link is on the worker's list of those to be flushed.
    pub dirty: bool,
    /// Whether the kernel's buffer is full, so that the link's task waits for room.
    pub wants_write: bool,
    /// Wakes the link's task.
    pub waker: Option<Waker>,
    /// Connections that failed in a row before they answered anything.
    pub attempts: u32,
    /// Whether the present connection has answered anything.
    pub answered: bool,
    /// Bytes of `output` from which on sessions are blocked.
    pub output_limit: usize,
    /// Requests in flight from which on sessions are blocked.
    pub pipeline_limit: usize,
    /// Requests queued.
    pub requests: u64,
    /// Those of which the counters have been told.
    pub counted: u64,
    /// What the requests in flight say.
    pub kept: Kept,
    /// Their bytes.
    pub request_bytes: u64,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it is in the lane of sessions with large requests or replies.
    pub is_heavy: bool,
    /// Whether its oldest request may wait longer than the pool's `timeout`: it is a blocking one.
    pub patient: bool,
    /// What the shard calls the connection (CLIENT ID), once it was asked; for links that wait.
    pub client_id: Option<u64>,
    /// Whether an order to the shard about this connection may be under way (CLIENT UNBLOCK):
    /// whoever has it next must not get the order's effect.
    pub is_marked: bool,
    /// The scripts and functions that were loaded over this connection.
    pub loaded: Loaded,
    /// Whether the configuration has changed how it is to speak to the shard (password, TLS): it is
    /// opened anew when nothing is under way.
    pub is_outdated: bool,
    /// Whether a question is in flight whose reply tells that replies come to whom they answer.
    pub is_probed: bool,
    /// Since when a reply is late and nobody was answered in time; in milliseconds of the worker's
    /// clock.
    pub silent_since: Option<u32>,
    /// When health last heard that replies of this link are late.
    pub late_told_at: Option<u32>,
}

/// Whose a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// All sessions of its identity share it.
    Shared,
    /// One session has it to itself.
    Session(u32),
    /// The subscriptions of one user's sessions, by the index of their hub: what it says answers no
    /// request.
    Subscriptions(u16),
    /// It is private, and nobody has it at present.
    Nobody,
}

/// A few writes of each second are chosen, spread over it, so that what is measured is not all of
/// one busy moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sampling {
    /// How many more writes until the next one is chosen; 0 chooses none.
    pub next: u16,
    /// One in so many is chosen.
    stride: u16,
    /// How many are still to be chosen in this second.
    left: u8,
}

impl Sampling {
    /// A second begins, of which up to `samples` writes are to be chosen. How far apart they are is
    /// learnt from the second before.
    pub fn begin(&mut self, samples: u8) {
        self.stride = match self.left {
            0 if self.stride > 0 => self.stride.saturating_mul(2),
            left if left > samples / 2 => self.stride / 2,
            _ => self.stride,
        };
        self.stride = self.stride.max(1);
        (self.next, self.left) = (self.stride, samples);
    }

    /// The write that was due has been chosen.
    pub fn chosen(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.next = if self.left > 0 { self.stride } else { 0 };
    }
}

/// Whether a link can take requests.
#[derive(Debug)]
pub enum LinkState {
    /// Not connected; the next request opens it.
    Idle,
    /// Being opened; requests queue.
    Connecting,
    /// Open.
    Up,
    /// Failed lately: requests fail at once with `fault` until the moment is over.
    BackingOff {
        /// When the next attempt may be made.
        until: Instant,
        /// Why the last one failed.
        fault: LinkFault,
    },
    /// Never used again: its task ends.
    Retired,
}

/// A request whose reply is due.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    /// Whose it is.
    pub session: u32,
    /// Its place among the session's replies.
    pub sequence: u32,
    /// When its command arrived, or was queued where circlet asks of itself; in microseconds of
    /// the worker's clock.
    pub arrived_at: u32,
    /// When the kernel was offered the first of its bytes, by the same clock; before that, when it
    /// was queued.
    pub sent_at: u32,
    /// How long it is, in bytes; the first of several that travel in one piece counts for all.
    pub bytes: u32,
    /// Which part of the reply it is, or a mark.
    pub part: Part,
    /// The number of the session's command that it belongs to ([`crate::command::Spec::id`]).
    pub command: u16,
    /// What that is about.
    pub family: Family,
}

impl Pending {
    /// How long it has waited at the moment `now` of the worker's clock, in milliseconds.
    pub fn age(&self, now: u32) -> u32 {
        now.wrapping_sub(self.arrived_at) / 1_000
    }
}

/// What a reply is to its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// One part of a merge.
    Of(u16),
    /// The answer to SELECT, for which the session pauses.
    Select,
    /// One that no client asked for.
    Unclaimed,
    /// The answer to PUBLISH, whose count is to be corrected.
    Published,
    /// One that a procedure waits for; the sequence number is the procedure's place.
    Asked,
    /// The one that ends a transaction, or the watching of keys.
    Conclusion,
    /// The answer to a command that waits on a link of its own.
    Blocking,
    /// That of one that is sampled: the worker's samples know.
    Sampled(u16),
    /// The answer to CLIENT ID on a link that will wait; the sequence number is the link's.
    ClientId,
    /// The answer to EVALSHA, which may be that the script is unknown.
    Script,
    /// The answer to a script that circlet loads itself.
    ScriptLoaded,
    /// One that came too late: its command has been answered with an error, and it goes nowhere.
    TimedOut,
    /// The answer to PING with a number, by which a link that was late is known to be in step; the
    /// sequence number is the link's.
    Probe,
    /// That of one whose round trip is measured: the ticket knows.
    Ticket(u16),
    /// All of it, to be measured: the place among what is watched ([`crate::hotkeys`]).
    Measured(u16),
    /// The answer to what remembers a key of another shard; the sequence number is that shard's
    /// index.
    Recorded,
}

/// A reply of which some bytes are still to come.
#[derive(Debug, Default)]
pub struct PartialReply {
    /// Where the scan stands.
    pub scanner: ReplyScanner,
    /// What came so far.
    pub bytes: BytesMut,
    /// At least so many bytes are missing.
    pub missing: usize,
}

impl Link {
    /// A link that is not connected.
    pub fn new(pool: usize, shard: usize, identity: Identity, output_limit: usize) -> Self {
        Self {
            pool,
            shard,
            identity,
            state: LinkState::Idle,
            socket: None,
            output: Outbox::default(),
            in_flight: VecDeque::new(),
            unsent: 0,
            partial: None,
            sampling: Sampling::default(),
            blocked: Vec::new(),
            dirty: false,
            wants_write: false,
            waker: None,
            attempts: 0,
            answered: false,
            output_limit,
            pipeline_limit: usize::MAX,
            requests: 0,
            counted: 0,
            kept: Kept::default(),
            request_bytes: 0,
            owner: Owner::Shared,
            is_heavy: false,
            patient: false,
            client_id: None,
            is_marked: false,
            loaded: Loaded::default(),
            is_outdated: false,
            is_probed: false,
            silent_since: None,
            late_told_at: None,
        }
    }

    /// Whether requests may be queued as things are. A link to a shard that is out never does:
    /// it is failed when the shard goes, and opened again only when the shard is in.
    #[inline]
    pub fn takes_requests(&self) -> bool {
        matches!(self.state, LinkState::Up | LinkState::Connecting)
    }

    /// Whether sessions that use it must wait before they send more.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.output.len() > self.output_limit || self.in_flight.len() > self.pipeline_limit
    }

    /// Whether sessions that wait may go on: what was queued is written, and replies came.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.output.is_empty() && self.in_flight.len() <= self.pipeline_limit / 2
    }

    /// Gives back memory that a burst of requests took.
    pub fn shrink(&mut self) {
        if self.in_flight.is_empty() && self.in_flight.capacity() > KEEP_IN_FLIGHT {
            self.in_flight = VecDeque::new();
        }
    }

    /// Whether nothing is under way on it, and nobody waits to send.
    pub fn is_idle(&self) -> bool {
        let is_written = self.output.is_empty() && !self.wants_write;
        self.in_flight.is_empty() && is_written && !matches!(self.state, LinkState::Connecting)
    }

    /// Enters a request, of which so many bytes were queued and so many written at once, among
    /// those whose replies are due.
    #[inline]
    pub fn enter(&mut self, pending: Pending, queued: usize, written: usize) {
        let bytes = u32::try_from(queued + written).unwrap_or(u32::MAX);
        self.in_flight.push_back(Pending { bytes, ..pending });
        self.unsent = if written > 0 { 0 } else { self.unsent + 1 };
        self.requests += 1;
        self.request_bytes += (queued + written) as u64;
    }

    /// The kernel is offered all that waits, at the moment `now` of the worker's clock.
    #[inline]
    pub fn offer(&mut self, now: u32) {
        let sent = self.in_flight.len() - std::mem::take(&mut self.unsent);
        for pending in self.in_flight.range_mut(sent..) {
            pending.sent_at = now;
        }
    }

    /// Queues a request; returns how many bytes of it were written at once.
    #[inline]
    pub fn queue(&mut self, request: Frame<'_>, spare: &mut SpareBuffers) -> usize {
        match request {
            Frame::Small(bytes) if bytes.len() < WRITE_THROUGH => {
                self.output.extend(bytes, spare);
                0
            }
            request => self.queue_large(request, spare),
        }
    }

    /// Of a large request goes straight from where it was read into the socket what the kernel
    /// takes, when nothing waits before it.
    #[inline(never)]
    fn queue_large(&mut self, request: Frame<'_>, spare: &mut SpareBuffers) -> usize {
        if let Some(waiting) = self.output.whole() {
            // What waits before it: from here on the buffer holds no more than rests.
            self.kept.keep(waiting.to_vec(), self.requests, spare);
            self.output.cut();
        }
        self.kept.note_head(self.requests, request.bytes());
        let may_pass = self.output.is_empty() && !self.wants_write;
        let written = match &mut self.socket {
            // An error shows again when the rest is written.
            Some(socket) if may_pass => socket.try_write(request.bytes()).unwrap_or(0),
            _ => 0,
        };
        match request {
            Frame::Small(bytes) => self.output.extend(&bytes[written..], spare),
            Frame::Large(bytes) => self.output.push_large(bytes.slice(written..)),
        }
        written
    }

    /// How many of its requests have their reply.
    #[inline]
    pub fn replied(&self) -> u64 {
        self.requests - self.in_flight.len() as u64
    }

    /// Makes ready for requests, waking the link's task to connect where needed; a link that
    /// failed lately says why instead.
    #[inline]
    pub fn prepare(&mut self) -> Result<(), LinkFault> {
        match &self.state {
            LinkState::Up | LinkState::Connecting => return Ok(()),
            LinkState::BackingOff { until, fault } if Instant::now() < *until => {
                return Err(fault.clone());
            }
            LinkState::Retired => return Err(LinkFault::Abandoned),
            LinkState::Idle | LinkState::BackingOff { .. } => {}
        }
        self.state = LinkState::Connecting;
        self.wake();
        Ok(())
    }

    /// Sets the state that follows a failure.
    pub fn back_off(&mut self, fault: &LinkFault) {
        let may_retry = !fault.blames_shard() && !matches!(fault, LinkFault::Denied(_));
        if self.answered || may_retry {
            self.attempts = 0;
            self.state = LinkState::Idle;
            return;
        }
        self.attempts += 1;
        let until = Instant::now() + backoff(self.attempts, fastrand::f64());
        self.state = LinkState::BackingOff { until, fault: fault.clone() };
    }

    /// Ends the link for good; its task lets go of its number.
    pub fn retire(&mut self) {
        self.state = LinkState::Retired;
        self.wake();
    }

    /// Forgets earlier failures: the shard was found well.
    pub fn forgive(&mut self) {
        self.attempts = 0;
        if matches!(self.state, LinkState::BackingOff { .. }) {
            self.state = LinkState::Idle;
        }
    }

    /// Wakes the link's task.
    pub fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

/// How long to wait after `attempts` failures in a row; `chance` in 0..1 spreads the reconnects
/// of many links over the half of that time.
fn backoff(attempts: u32, chance: f64) -> Duration {
    let doubled = BACKOFF_FIRST * 2u32.pow(attempts.saturating_sub(1).min(8));
    doubled.min(BACKOFF_MOST).mul_f64(0.5 + chance / 2.0)
}

/// The wait after the first failed connection. twemproxy has none: each request tries again.
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
/// The longest wait: a shard that is back is used a second later even without a heartbeat.
const BACKOFF_MOST: Duration = Duration::from_secs(1);
/// Room for so many requests in flight is kept while there are none.
const KEEP_IN_FLIGHT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_spread_over_the_second() {
        let mut sampling = Sampling::default();
        let mut second = |writes: u32| {
            sampling.begin(16);
            let mut chosen = Vec::new();
            for write in 0..writes {
                if sampling.next > 0 {
                    sampling.next -= 1;
                    if sampling.next == 0 {
                        sampling.chosen();
                        chosen.push(write);
                    }
                }
            }
            chosen
        };
        assert_eq!(second(1_000), (0..16).collect::<Vec<u32>>());
        let last = (0..10).map(|_| second(1_000)).last().expect("ten");
        assert!((8..=16).contains(&last.len()) && last[last.len() - 1] > 400, "{last:?}");
        let idle = (0..10).map(|_| second(10)).last().expect("ten");
        assert_eq!(idle.len(), 10);
        assert!((0..3).all(|_| second(0).is_empty()));
    }

    #[test]
    fn backoff_doubles_up_to_its_most_and_is_spread() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(20));
        assert_eq!(backoff(1, 0.0), Duration::from_millis(10));
        assert_eq!(backoff(3, 1.0), Duration::from_millis(80));
        assert_eq!(backoff(1000, 1.0), BACKOFF_MOST);
    }

    #[test]
    fn a_link_that_failed_before_it_answered_fails_fast() {
        let mut link = Link::new(0, 0, Identity::default(), 1);
        link.back_off(&LinkFault::Refused);
        assert_eq!(link.prepare(), Err(LinkFault::Refused));
        link.forgive();
        assert_eq!(link.prepare(), Ok(()));
        assert!(matches!(link.state, LinkState::Connecting));
    }

    #[test]
    fn a_link_that_had_answered_may_reconnect_at_once() {
        let mut link = Link::new(0, 0, Identity::default(), 1);
        link.answered = true;
        link.back_off(&LinkFault::Closed);
        assert_eq!(link.prepare(), Ok(()));
    }
}
