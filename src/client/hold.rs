//! CLIENT PAUSE: commands of all clients of a pool wait, on all workers, until a moment comes or
//! CLIENT UNPAUSE.
//!
//! What waits stays in the sessions' input and is handled in order afterwards. A client that
//! leaves meanwhile takes what it said along.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::local::integer;
use super::session::{Pause, Special};
use super::users::Right;
use crate::command::{Flags, Spec};
use crate::resp::Request;
use crate::worker::Worker;

/// What waits, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Whether all commands wait, or only those that write.
    pub all: bool,
    /// When it ends by itself.
    pub until: Instant,
}

impl Hold {
    /// Of two orders the longer and the stricter.
    fn with(self, other: Self) -> Self {
        Self { all: self.all || other.all, until: self.until.max(other.until) }
    }
}

impl Worker {
    /// `CLIENT PAUSE timeout [WRITE|ALL]`: answered when all workers hold commands up.
    pub(super) fn client_pause(&mut self, number: u32, request: &Request<'_>) {
        let (milliseconds, all) = match parse(request) {
            Ok(parsed) => parsed,
            Err(text) => return self.say(number, |writer| writer.error(text)),
        };
        let until = Instant::now() + Duration::from_millis(milliseconds);
        let hold = Hold { all, until };
        self.on_all_workers(number, Right::Pause, move |worker, pool| worker.hold(pool, hold));
    }

    /// `CLIENT UNPAUSE`.
    pub(super) fn client_unpause(&mut self, number: u32) {
        self.on_all_workers(number, Right::Unpause, Self::end_hold);
    }

    /// Does something on all workers for the session's pool, and says OK when it is done.
    fn on_all_workers(
        &mut self,
        number: u32,
        right: Right,
        what: impl Fn(&mut Self, usize) + Send + Clone + 'static,
    ) {
        let pool = usize::from(self.sessions[number as usize].pool);
        let shared = self.shared.clone();
        self.run_procedure(number, |steps| async move {
            if let Err(refusal) = steps.permitted(right).await {
                return refusal;
            }
            shared.ask_all(move |worker| what(worker, pool)).await;
            steps.reply(|writer| writer.simple("OK"))
        });
    }

    fn hold(&mut self, pool: usize, hold: Hold) {
        let hold = self.pools[pool].hold.map_or(hold, |before| before.with(hold));
        self.pools[pool].hold = Some(hold);
        for (_, session) in &mut self.sessions {
            if usize::from(session.pool) == pool {
                session.special.set(Special::HELD);
            }
        }
        self.release_in_time(pool, hold.until);
    }

    fn release_in_time(&self, pool: usize, until: Instant) {
        let Some(worker) = self.this.upgrade() else { return };
        tokio::task::spawn_local(async move {
            tokio::time::sleep_until(until.into()).await;
            let worker = &mut *worker.borrow_mut();
            if worker.pools[pool].hold.is_some_and(|hold| hold.until <= until) {
                worker.end_hold(pool);
            }
        });
    }

    fn end_hold(&mut self, pool: usize) {
        self.pools[pool].hold = None;
        for (_, session) in &mut self.sessions {
            if usize::from(session.pool) == pool {
                session.special.clear(Special::HELD);
                if session.pause == Pause::Held {
                    session.pause = Pause::No;
                    session.wake();
                }
            }
        }
    }

    /// Whether the command has to wait; then it comes again. A stranger is refused at once.
    pub(super) fn is_held(&mut self, number: u32, spec: &Spec) -> bool {
        let session = &mut self.sessions[number as usize];
        if !session.special.has(Special::HELD) || session.special.has(Special::STRANGER) {
            return false;
        }
        let all = self.pools[usize::from(session.pool)].hold.is_some_and(|hold| hold.all);
        let is_held = all
            || match (spec.name, &session.transaction) {
                ("exec", Some(transaction)) => transaction.may_write,
                _ => may_write(spec),
            };
        if is_held {
            session.pause = Pause::Held;
        }
        is_held
    }
}

/// Whether a command may change what the shards hold or tell others of it. Redis marks some that do
/// so only at times.
pub(super) fn may_write(spec: &Spec) -> bool {
    spec.flags.contains(Flags::WRITE) || MAY_WRITE.contains(&spec.name)
}

const MAY_WRITE: [&str; 6] = ["eval", "evalsha", "fcall", "pfcount", "publish", "spublish"];

/// The milliseconds, and whether reads wait as well.
fn parse(request: &Request<'_>) -> Result<(u64, bool), &'static str> {
    let all = match request.len() {
        3 => true,
        4 => match &request.arg(3).to_ascii_lowercase()[..] {
            b"write" => false,
            b"all" => true,
            _ => return Err("ERR CLIENT PAUSE mode must be WRITE or ALL"),
        },
        _ => {
            return Err("ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try \
                        CLIENT HELP.");
        }
    };
    let milliseconds =
        integer(request.arg(2)).ok_or("ERR timeout is not an integer or out of range")?;
    let milliseconds = u64::try_from(milliseconds).map_err(|_| "ERR timeout is negative")?;
    // As in Redis, whose moments are milliseconds since 1970 in 63 bits.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
    if milliseconds > i64::MAX as u64 - now {
        return Err("ERR timeout is out of range");
    }
    Ok((milliseconds.min(LONGEST), all))
}

/// A century; the clock knows no moment in the year 292,000,000.
const LONGEST: u64 = 100 * 365 * 24 * 3600 * 1000;
