//! Commands that wait (BLPOP and its kind) for a key that a reload of the configuration gives to
//! another shard.
//!
//! ```text
//!   BLPOP k 9 ─► old shard ◄─ CLIENT UNBLOCK ─ reload after 4 s
//!                    └─ nothing was popped ─► BLPOP k 5 ─► new shard ─► the client's reply
//! ```
//!
//! The old shard says itself whether it had something in the last moment: then that is the reply.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::cross_shard::{milliseconds, seconds};
use super::session::Pause;
use crate::reply::frame;
use crate::reply::slots::Frame;
use crate::resp::{Request, write};
use crate::shard::link::Part;
use crate::worker::{Loan, Worker};

/// A command that waits, kept to be said again.
#[derive(Debug)]
pub struct Waited {
    args: Vec<Bytes>,
    /// Which argument tells how long it waits.
    time_at: usize,
    /// When its time is up; `None` is never.
    until: Option<Instant>,
    /// Whether the shard it waits on was told to let it go.
    is_let_go: bool,
}

impl Waited {
    /// The command that is about to wait; `None` for one whose time makes no sense, which its shard
    /// will say.
    pub(super) fn of(name: &str, request: &Request<'_>) -> Option<Self> {
        let time_at = match name {
            "xread" | "xreadgroup" => {
                1 + (1..request.len()).find(|&at| request.arg(at).eq_ignore_ascii_case(b"BLOCK"))?
            }
            "blmpop" | "bzmpop" => 1,
            _ => request.len() - 1,
        };
        let time = match name {
            _ if time_at >= request.len() => return None,
            "xread" | "xreadgroup" => milliseconds(request.arg(time_at)).ok()?,
            _ => seconds(request.arg(time_at)).ok()?,
        };
        let until = time.map(|time| Instant::now() + time);
        let args = request.args().map(Bytes::copy_from_slice).collect();
        Some(Self { args, time_at, until, is_let_go: false })
    }

    /// The command with the time that is left; `None` when none is.
    fn again(&self, now: Instant) -> Option<Vec<u8>> {
        let mut args = self.args.clone();
        if let Some(until) = self.until {
            let left = until.saturating_duration_since(now);
            if left < LEAST {
                return None;
            }
            let is_in_milliseconds = self.args[0].to_ascii_lowercase().starts_with(b"xread");
            args[self.time_at] = match is_in_milliseconds {
                true => left.as_millis().to_string().into(),
                false => format!("{:.3}", left.as_secs_f64()).into(),
            };
        }
        let mut wire = Vec::new();
        write::command(&mut wire, &args);
        Some(wire)
    }
}

impl Worker {
    /// Has the sessions whose keys live elsewhere by now wait there.
    pub(crate) fn resend_moved(&mut self, pool: usize) {
        let ring = &self.pools[pool].ring;
        let has_moved = |loan: &Loan| {
            let mut homes = loan.keys.iter().map(|key| ring.shard(key));
            homes.any(|home| home != Some(loan.shard))
        };
        let mut moved = Vec::new();
        for (number, session) in &self.sessions {
            if usize::from(session.pool) == pool && session.loans.iter().any(has_moved) {
                moved.push((number, session.id));
            }
        }
        for (number, id) in moved {
            let is_whole = self.new_home(number as u32).is_some();
            let waited =
                self.sessions[number].loans.iter_mut().find_map(|loan| loan.waited.as_mut());
            match waited.filter(|_| is_whole) {
                Some(waited) => {
                    waited.is_let_go = true;
                    self.end_wait(id);
                }
                // No shard has all of its keys any more.
                None => self.release(id),
            }
        }
    }

    /// The one shard on which all keys live that the session waits for.
    fn new_home(&self, number: u32) -> Option<usize> {
        let ring = self.ring_of(number);
        let loans = &self.sessions[number as usize].loans;
        let mut homes = loans.iter().flat_map(|loan| &loan.keys).map(|key| ring.shard(key));
        let first = homes.next()??;
        homes.all(|home| home == Some(first)).then_some(first)
    }

    /// A shard has let a session go by our order and has given it nothing: the command is said again
    /// where its keys live now. False when the reply is the client's.
    #[cold]
    pub(crate) fn waits_again(&mut self, number: u32, sequence: u32, frame: &Frame<'_>) -> bool {
        let waited = self.sessions[number as usize]
            .loans
            .first()
            .and_then(|loan| loan.waited.as_ref().filter(|waited| waited.is_let_go));
        let Some(again) = waited.and_then(|waited| waited.again(Instant::now())) else {
            return false;
        };
        if !frame::is_null(frame.bytes()) {
            return false;
        }
        let Some(home) = self.new_home(number) else { return false };
        let loan = self.sessions[number as usize].loans.remove(0);
        self.give_back(loan.link);
        let waited = loan.waited.map(|waited| Waited { is_let_go: false, ..waited });
        match self.lend_to_wait(number, home, loan.keys, waited) {
            Ok(link) => {
                self.send_on(link, number, sequence, Part::Blocking, Frame::Small(&again));
            }
            Err(text) => {
                self.return_loans(number);
                let session = &mut self.sessions[number as usize];
                if session.pause == Pause::Blocked {
                    session.pause = Pause::No;
                    session.wake();
                }
                let error = write::error_frame(&text);
                self.answer(number, sequence, Frame::Small(&error));
            }
        }
        true
    }
}

/// A shorter time would be written as 0, which is for ever.
const LEAST: Duration = Duration::from_millis(1);
