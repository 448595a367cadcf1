//! Sessions leave between two commands: when the process ends or another takes over, or when their
//! pool is taken out.
//!
//! ```text
//!   silent for a while ──────────────────────────────► closed, if nothing is unread
//!   says one thing at a time ─► last reply and FIN in one packet
//!   says more while it waits ─► closed in a pause; from half of the time on with the last reply
//!   waits (BLPOP) ────────────► near the end let go as if its time were up
//!   the rest at the end ──────► closed
//! ```
//!
//! A client must be able to tell a close from a failed command. One that waits for each reply before
//! it sends the next command finds the end of the connection right behind the reply, before it can
//! send anything. Of one that does not, what is under way in that very moment is not executed: it is
//! closed when nothing of it is unread, and in a moment in which it is silent if it ever is. On a
//! unix socket no such moment is needed: what it sent before is handled, and from then on its
//! writes fail.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{Shared, Worker};
use crate::client::session::{Pause, Session, Special};

/// What is to leave of a worker.
#[derive(Debug, Default)]
pub(super) struct Drain {
    scopes: BTreeSet<Scope>,
    /// What is known of each session that is to leave, by its number.
    leaves: HashMap<u32, Leave>,
}

/// A pool by its index, or all of them.
type Scope = Option<usize>;

#[derive(Debug)]
struct Leave {
    /// The client's number: the session's own may have become another's.
    id: u64,
    /// The sequence number of its next command when it was looked at last.
    sequence: u32,
    /// Since when it has said nothing.
    silent_since: Instant,
    /// Whether it was seen to send a command before the last was answered.
    overlaps: bool,
    /// From when on it may be closed with a reply if it does not overlap.
    known_from: Instant,
    /// From when on it may be closed with a reply in any case.
    half: Instant,
}

/// The times of one drain.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Silence after which a session is closed; who speaks is watched for as long first.
    silence: Duration,
    half: Instant,
    /// When those that wait are let go.
    let_go: Instant,
    end: Instant,
    /// Between two looks at the sessions.
    turn: Duration,
    /// Over how many looks the closing of silent sessions is spread, lest all connect anew at once.
    spread: u32,
}

impl Shared {
    /// Lets the sessions of a pool, or of all, leave between two commands, also those that come
    /// while it lasts. Done when no worker has one any more; those that are left after `timeout` are
    /// closed, and the number is theirs.
    pub async fn drain(&self, pool: Option<usize>, timeout: Duration) -> usize {
        let (teller, mut told) = unbounded_channel();
        self.tell_all(move |worker| worker.drain(pool, timeout, teller.clone()));
        let mut closed = 0;
        while let Some(some) = told.recv().await {
            closed += some;
        }
        closed
    }

    /// Ends the drain of a pool, or of all: who is still there stays.
    pub fn stop_draining(&self, pool: Option<usize>) {
        self.tell_all(move |worker| worker.stop_draining(pool));
    }
}

impl Worker {
    /// Lets sessions leave; see the module. `teller` hears once how many were closed at the end, or
    /// nothing when the drain is stopped.
    pub fn drain(
        &mut self,
        pool: Option<usize>,
        timeout: Duration,
        teller: UnboundedSender<usize>,
    ) {
        let Some(this) = self.this.upgrade() else { return };
        self.drain.scopes.insert(pool);
        tokio::task::spawn_local(async move {
            if let Some(closed) = drain(&this, pool, Times::of(timeout)).await {
                this.borrow_mut().drain.scopes.remove(&pool);
                // Whoever asked may have lost interest.
                let _ = teller.send(closed);
            }
        });
    }

    /// Lets those stay that have not left yet.
    pub fn stop_draining(&mut self, pool: Option<usize>) {
        self.drain.scopes.remove(&pool);
        let scopes = &self.drain.scopes;
        for (_, session) in &mut self.sessions {
            let pool = usize::from(session.pool);
            if !scopes.contains(&None) && !scopes.contains(&Some(pool)) {
                session.special.clear(Special::LEAVING);
            }
        }
        if scopes.is_empty() {
            self.drain.leaves.clear();
        }
    }

    /// Looks at all that are to leave; `most` of the silent ones are closed. How many are left.
    fn sweep_leaving(&mut self, scope: Scope, times: Times, most: usize) -> usize {
        let now = Instant::now();
        let leaves = &mut self.drain.leaves;
        let sessions = &self.sessions;
        leaves.retain(|&number, leave| {
            sessions.get(number as usize).is_some_and(|session| session.id == leave.id)
        });
        let numbers = self.numbers_of(scope);
        let mut room = most;
        for &number in &numbers {
            if room > 0 && self.is_silent(number, now, times) {
                self.leave(number);
                room -= 1;
            }
        }
        numbers.len() + self.handshakes.of(scope).count()
    }

    /// The sessions that are not over.
    fn numbers_of(&self, scope: Scope) -> Vec<u32> {
        let sessions = self.sessions.iter();
        let found =
            sessions.filter(|(_, session)| session.socket.is_some() && is_in(scope, session));
        found.map(|(number, _)| number as u32).collect()
    }

    /// Takes note of what a session does; whether it can be closed now for its silence.
    fn is_silent(&mut self, number: u32, now: Instant, times: Times) -> bool {
        let session = &mut *self.sessions[number as usize];
        let sequence = session.replies.next_sequence();
        let is_between = session.is_between_commands();
        let leave = self.drain.leaves.entry(number).or_insert_with(|| {
            session.special.set(Special::LEAVING);
            let known_from = now + times.silence;
            let was_silent = self.seconds.saturating_sub(session.heard_at) >= 2;
            let silent_since = if was_silent { now.checked_sub(times.silence) } else { None };
            let silent_since = silent_since.unwrap_or(now);
            let (id, overlaps, half) = (session.id, session.replies.len() > 1, times.half);
            Leave { id, sequence, silent_since, overlaps, known_from, half }
        });
        if leave.sequence != sequence || !is_between {
            leave.sequence = sequence;
            leave.silent_since = now;
        }
        let silence = if leave.overlaps { times.turn } else { times.silence };
        let is_leaving = !session.special.has(Special::LEAVING);
        is_between
            && !is_leaving
            && now.duration_since(leave.silent_since) >= silence
            && !session.has_unread()
    }

    /// A session that is to leave sends a command.
    pub(crate) fn note_overlap(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        if !session.replies.is_empty()
            && let Some(leave) = self.drain.leaves.get_mut(&number)
        {
            leave.overlaps = true;
        }
    }

    /// Writes what a session that is to leave is owed, and closes it with that if it may.
    #[cold]
    pub(super) fn flush_leaving(&mut self, number: u32) {
        if self.leaves_with_reply(number) {
            return self.leave(number);
        }
        self.sessions[number as usize].special.clear(Special::LEAVING);
        self.flush_session(number);
        if let Some(session) = self.sessions.get_mut(number as usize) {
            session.special.set(Special::LEAVING);
        }
    }

    fn leaves_with_reply(&mut self, number: u32) -> bool {
        let session = &mut *self.sessions[number as usize];
        let Some(leave) = self.drain.leaves.get(&number) else { return false };
        let now = Instant::now();
        let is_known = !leave.overlaps && now >= leave.known_from;
        session.is_between_commands() && (is_known || now >= leave.half) && !session.has_unread()
    }

    /// Closes a session that is between two commands.
    fn leave(&mut self, number: u32) {
        let session = &mut *self.sessions[number as usize];
        session.special.clear(Special::LEAVING);
        let Some(socket) = &mut session.socket else { return };
        if socket.receives_no_more() {
            // What it had sent is handled; then its end is read.
            session.wake();
            return self.flush_session(number);
        }
        socket.hold_last();
        self.flush_session(number);
        let Some(session) = self.sessions.get_mut(number as usize) else { return };
        session.closing = true;
        if session.output.is_empty() && !session.wants_write {
            if let Some(socket) = &mut session.socket {
                socket.finish();
            }
            self.end_session(number);
        }
    }

    /// Lets those go that wait for something to happen, as if their time were up.
    fn end_waits(&mut self, scope: Scope) {
        for number in self.numbers_of(scope) {
            let session = &self.sessions[number as usize];
            if session.pause == Pause::Blocked {
                self.end_wait(session.id);
            }
        }
    }

    /// Closes those that did not get to an end of what they do; how many.
    fn end_leaving(&mut self, scope: Scope) -> usize {
        let numbers = self.numbers_of(scope);
        for &number in &numbers {
            self.end_session(number);
        }
        numbers.len() + self.end_handshakes(scope)
    }
}

/// Drains until nobody is left or the time is up; `None` when it was stopped.
async fn drain(worker: &Rc<RefCell<Worker>>, scope: Scope, times: Times) -> Option<usize> {
    let share = worker.borrow().numbers_of(scope).len() / times.spread as usize;
    let mut has_let_go = false;
    loop {
        {
            let worker = &mut *worker.borrow_mut();
            if !worker.drain.scopes.contains(&scope) {
                return None;
            }
            let now = Instant::now();
            if now >= times.end {
                return Some(worker.end_leaving(scope));
            }
            if now >= times.let_go && !std::mem::replace(&mut has_let_go, true) {
                worker.end_waits(scope);
            }
            if worker.sweep_leaving(scope, times, share.max(LEAST_A_TURN)) == 0 {
                return Some(0);
            }
        }
        tokio::time::sleep(times.turn).await;
    }
}

impl Times {
    fn of(timeout: Duration) -> Self {
        let now = Instant::now();
        let turn = TURN.min(timeout / 32).max(Duration::from_millis(1));
        Self {
            silence: SILENCE.min(timeout / 8),
            half: now + timeout / 2,
            let_go: now + timeout * 3 / 4,
            end: now + timeout,
            turn,
            spread: (timeout / 4).div_duration_f64(turn).max(1.0) as u32,
        }
    }
}

fn is_in(scope: Scope, session: &Session) -> bool {
    scope.is_none_or(|pool| usize::from(session.pool) == pool)
}

/// Between two looks at the sessions, and the silence in which one is closed that sends commands
/// before it has the replies to earlier ones: such a burst is seldom interrupted for longer.
const TURN: Duration = Duration::from_millis(20);
/// A client that sends no command for so long is unlikely to send one in the moment in which it is
/// closed; and so long one that does is watched, to learn whether it waits for replies.
const SILENCE: Duration = Duration::from_millis(250);
/// So many silent sessions are closed at a look, however few there are.
const LEAST_A_TURN: usize = 16;

#[cfg(test)]
mod tests;
