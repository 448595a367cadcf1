//! `auth: shard`: who a client may be is the shards' to say, and what it may do is theirs too.
//!
//! ```text
//!   AUTH ann secret ─► the usher, a link that carries nothing but AUTH ─► a shard
//!                      accepted: the session's commands travel on links that said the same
//!                      refused:  the shard's own error; no link, no identity
//! ```
//!
//! What circlet answers itself and an ACL may forbid (CLIENT KILL, MONITOR …) it asks the shard
//! about first, as that user.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::procedure::Steps;
use super::session::Special;
use crate::access::origin;
use crate::command::{Flags, Handling, Spec};
use crate::config::Auth;
use crate::resp::{Request, write};
use crate::shard::connect::{Identity, User};
use crate::shard::doors::Door;
use crate::shard::fault::LinkFault;
use crate::shard::link::{Link, Part};
use crate::worker::Worker;

/// Whether the shards let clients in that say no password.
#[derive(Debug, Default)]
pub struct Openness {
    /// What a shard said.
    said: Option<Door>,
    /// The second until which that is believed.
    until: u32,
}

impl Openness {
    fn at(&self, second: u32) -> Option<Door> {
        self.said.filter(|_| second <= self.until)
    }
}

/// What circlet does by itself and a shard's ACL may forbid.
#[derive(Debug, Clone, Copy)]
pub(super) enum Right {
    Kill,
    List,
    Pause,
    Unpause,
    Monitor,
    /// To read what was slow and what failed.
    Slowlog,
    /// To change how circlet runs.
    Configure,
}

impl Right {
    /// A command that a shard refuses to a user without the right, and that does no harm.
    fn probe(self) -> &'static [&'static str] {
        match self {
            Self::Kill => &["CLIENT", "KILL", "circlet:0"],
            Self::List => &["CLIENT", "LIST", "ID", "0"],
            // None is without effect that has the right name only: no number of milliseconds.
            Self::Pause | Self::Unpause => &["CLIENT", "PAUSE", "no-number"],
            Self::Slowlog => &["SLOWLOG", "LEN"],
            // There is no such parameter.
            Self::Configure => &["CONFIG", "SET", "circlet-no-parameter", "0"],
            Self::Monitor => {
                &["EVAL", "return redis.acl_check_cmd('monitor') and 'OK' or 'NO'", "0"]
            }
        }
    }
}

impl Worker {
    /// Whether a session that may have to say a password first may have the command handled, where
    /// the shards decide that; otherwise it has been seen to, or comes again.
    pub(super) fn admits_stranger(&mut self, number: u32, spec: &Spec) -> bool {
        let asks = !spec.flags.contains(Flags::NO_AUTH) || spec.name == "hello";
        let pool = self.pool_of(number);
        if pool.config.who_decides() != Auth::Shard || !asks {
            return true;
        }
        let is_public = self.is_from_public(number);
        match self.door(number) {
            Door::Open if is_public => {
                self.send_off(number, origin::DENIED);
                false
            }
            Door::Open => match self.authenticated(number) {
                Ok(()) => true,
                Err(text) => {
                    self.send_off(number, &text);
                    false
                }
            },
            // Behind it a shard may let in whoever comes.
            Door::Silent if !is_public => true,
            Door::Locked if spec.name == "hello" => true,
            Door::Locked | Door::Silent => {
                self.say(number, |writer| writer.error("NOAUTH Authentication required."));
                false
            }
            Door::Unknown if is_judged_by_shard(spec) && !is_public => true,
            Door::Unknown => {
                self.find_out(number);
                false
            }
        }
    }

    /// What is known of the pool's shards: by heartbeats where they say no password either, else
    /// because a session has asked.
    pub(super) fn door(&self, number: u32) -> Door {
        let index = usize::from(self.sessions[number as usize].pool);
        let pool = &self.pools[index];
        match pool.config.redis_auth {
            None => self.shared.doors.of_pool(index),
            Some(_) => pool.openness.at(self.seconds).unwrap_or(Door::Unknown),
        }
    }

    /// Whether a client of the pool that connects now has to show who it is.
    pub(crate) fn begins_as_stranger(&self, pool: usize) -> bool {
        let config = &self.pools[pool].config;
        // With `redis_auth` the heartbeats do not tell whether clients need a password.
        let is_open = config.who_decides() == Auth::Shard
            && config.redis_auth.is_none()
            && self.shared.doors.of_pool(pool) == Door::Open;
        config.wants_authentication() && !is_open
    }

    /// Whether a session may say HELLO without AUTH.
    pub(super) fn may_greet(&self, number: u32) -> bool {
        let is_known = self.sessions[number as usize].is_authenticated();
        is_known || (self.shards_decide(number) && self.door(number) == Door::Silent)
    }

    pub(super) fn find_out(&mut self, number: u32) {
        match self.pool_of(number).config.redis_auth {
            None => self.await_heartbeats(number),
            Some(_) => self.ask_openness(number),
        }
    }

    /// The command waits for the first heartbeats, though not for ever.
    fn await_heartbeats(&mut self, number: u32) {
        let pool = usize::from(self.sessions[number as usize].pool);
        let doors = Arc::clone(&self.shared.doors);
        self.come_again_after(number, async move {
            let until = Instant::now() + FIRST_HEARTBEAT;
            while doors.of_pool(pool) == Door::Unknown {
                if Instant::now() >= until {
                    doors.give_up(pool);
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        });
    }

    /// Asks a shard, as one who has said nothing, whether it lets us in. The command waits.
    fn ask_openness(&mut self, number: u32) {
        let Some(worker) = self.this.upgrade() else { return };
        let Some(shard) = self.pool_of(number).any_shard() else {
            return self.refuse_nobody_in(number);
        };
        let pool = usize::from(self.sessions[number as usize].pool);
        let answer = self.ask_apart(number, shard, b"*1\r\n$4\r\nPING\r\n", Apart::Nobody);
        self.come_again_after(number, async move {
            let said = openness(&answer.await.unwrap_or_default());
            let worker = &mut *worker.borrow_mut();
            let until = worker.seconds + BELIEVED;
            worker.pools[pool].openness = Openness { said: Some(said), until };
        });
    }

    /// Tries AUTH on a shard; when it accepts, the session speaks as that user and `settle` writes
    /// the reply.
    pub(super) fn authenticate_by_shard(
        &mut self,
        number: u32,
        user: User,
        auth: &[&[u8]],
        settle: impl FnOnce(&mut Self, u32, Arc<User>) -> Result<Vec<u8>, String> + 'static,
    ) {
        if user.name.len() + user.password.len() > LONGEST_SECRET {
            return self.say(number, |writer| writer.error(super::greeting::WRONG_PASSWORD));
        }
        let Some(shard) = self.pool_of(number).any_shard() else {
            return self.refuse_nobody_in(number);
        };
        let mut request = Zeroizing::new(Vec::with_capacity(LONGEST_SECRET + 64));
        write::command(&mut request, auth);
        self.run_procedure(number, move |steps| async move {
            let answer = steps
                .with(|worker, number| worker.ask_apart(number, shard, &request, Apart::Usher));
            let reply = answer.await.unwrap_or_default();
            if !reply.starts_with(b"+") {
                return reply.to_vec();
            }
            steps.with(|worker, number| {
                settle(worker, number, Arc::new(user)).unwrap_or_else(|text| error(&text))
            })
        });
    }

    /// Sends a request on a link that belongs to no identity of clients.
    fn ask_apart(
        &mut self,
        number: u32,
        shard: usize,
        request: &[u8],
        whose: Apart,
    ) -> oneshot::Receiver<Bytes> {
        let (asker, answer) = oneshot::channel();
        let place = self.askers.insert(asker) as u32;
        let session = &mut *self.sessions[number as usize];
        session.outstanding += 1;
        let pool = usize::from(session.pool);
        let pending = self.pending(number, place, Part::Asked);
        match self.link_apart(pool, shard, whose) {
            Ok(link) => {
                let entry = &mut *self.links[link as usize];
                entry.output.extend(request, &mut self.spare);
                entry.enter(pending, request.len(), 0);
                self.ready.link(entry, link);
            }
            Err(fault) => self.fail(pending, shard, &fault),
        }
        answer
    }

    fn link_apart(&mut self, pool: usize, shard: usize, whose: Apart) -> Result<u32, LinkFault> {
        if let Some(fault) = self.pools[pool].fault(shard) {
            return Err(fault);
        }
        let known = self.pools[pool].apart[whose as usize][shard];
        let number = match known {
            Some(number) => number,
            None => {
                let limit = self.pools[pool].config.link_output_limit as usize;
                let number = self.start_link(Link::new(pool, shard, Identity::default(), limit));
                self.pools[pool].apart[whose as usize][shard] = Some(number);
                number
            }
        };
        self.links[number as usize].prepare()?;
        Ok(number)
    }

    /// The session has shown that it may use the pool; if its user has too many connections, what
    /// it is to read before it is closed.
    pub(crate) fn authenticated(&mut self, number: u32) -> Result<(), String> {
        self.sessions[number as usize].authenticate();
        self.attend_as_user(number)
    }

    /// As [`Self::authenticated`], where what is returned is the reply to a command.
    pub(super) fn authenticated_or_closing(&mut self, number: u32) -> Result<(), String> {
        let taken = self.authenticated(number);
        if taken.is_err() {
            self.finish_session(number);
        }
        taken
    }

    /// The name of the user that the session speaks as.
    pub(crate) fn user_name(&self, number: u32) -> &[u8] {
        if let Some(account) = &self.sessions[number as usize].account {
            return account.name.as_bytes();
        }
        self.identity_of(number).user.as_ref().map_or(b"default", |user| &user.name)
    }

    /// Makes a session a stranger again, if the pool knows strangers.
    pub(super) fn estrange(&mut self, number: u32) {
        if self.pool_of(number).config.wants_authentication() {
            self.sessions[number as usize].special.set(Special::STRANGER);
        }
        self.begin_as_default(number);
        if let Err(text) = self.attend_as_user(number) {
            self.send_off(number, &text);
        }
    }

    /// Whether users are what the shards say they are.
    pub(super) fn shards_decide(&self, number: u32) -> bool {
        self.pool_of(number).config.who_decides() == Auth::Shard
    }

    /// `AUTH [username] password` where the shards decide.
    pub(super) fn auth_by_shard(&mut self, number: u32, request: &Request<'_>) {
        // As with another database: no command may overtake those of the user before.
        if !self.is_drained(number) {
            return;
        }
        let last = request.len() - 1;
        let name = if last == 2 { request.arg(1) } else { b"default" };
        let user = User { name: name.to_vec(), password: request.arg(last).into() };
        let args: Vec<&[u8]> = request.args().collect();
        self.authenticate_by_shard(number, user, &args, |worker, number, user| {
            let identity = Identity { user: Some(user), ..worker.identity_of(number).clone() };
            worker.change_identity(number, identity)?;
            worker.authenticated_or_closing(number).map(|()| b"+OK\r\n".to_vec())
        });
    }
}

impl Steps {
    /// Asks a shard whether the session's user has a right; else what the client reads.
    pub(super) async fn permitted(&self, right: Right) -> Result<(), Vec<u8>> {
        let by_shard = self.with(|worker, number| worker.shards_decide(number));
        if !by_shard {
            return Ok(());
        }
        let shard = self.with(|worker, number| worker.pool_of(number).any_shard());
        let Some(shard) = shard else {
            // When no shard can be asked what went wrong is wanted most.
            let is_known =
                self.with(|worker, number| worker.sessions[number as usize].is_authenticated());
            if is_known && matches!(right, Right::Slowlog | Right::Configure) {
                return Ok(());
            }
            return Err(error(&self.with(|worker, number| worker.pool_of(number).nobody_in())));
        };
        let is_default = self.with(|worker, number| worker.identity_of(number).user.is_none());
        let mut request = Vec::new();
        write::command(&mut request, right.probe());
        let reply = self.ask(shard, &request).await;
        match (right, &reply[..]) {
            (Right::Monitor, b"$2\r\nOK\r\n") => Ok(()),
            // One of an older version cannot be asked; its default user may all but for an operator's
            // special wish.
            (Right::Monitor, reply) if is_default && reply.starts_with(b"-ERR ") => Ok(()),
            (Right::Monitor, _) => Err(error(NO_MONITOR)),
            // The shard looked at the arguments: it was allowed. One of an older version does not
            // know all of them.
            (_, reply) if !reply.starts_with(b"-") || reply.starts_with(b"-ERR ") => Ok(()),
            (_, reply) => Err(reply.to_vec()),
        }
    }
}

impl Steps {
    /// Asks a shard whether it has a user, where users are the shards'; else what the client reads.
    pub(super) async fn knows_user(&self, user: &[u8]) -> Result<(), Vec<u8>> {
        let shard = self.with(|worker, number| {
            let asks = worker.shards_decide(number) && user != b"default";
            asks.then(|| worker.pool_of(number).any_shard())
        });
        let Some(Some(shard)) = shard else { return Ok(()) };
        let mut request = Vec::new();
        // No connection has this number, so that none is ended.
        let nobody = i64::MAX.to_string();
        let probe: [&[u8]; 6] = [b"CLIENT", b"KILL", b"USER", user, b"ID", nobody.as_bytes()];
        write::command(&mut request, &probe);
        let reply = self.ask(shard, &request).await;
        match reply.starts_with(b"-ERR No such user") {
            true => Err(reply.to_vec()),
            false => Ok(()),
        }
    }
}

/// The links that belong to no identity of clients.
#[derive(Debug, Clone, Copy)]
enum Apart {
    /// Carries AUTH and nothing else; whom it is logged in as last means nothing.
    Usher,
    /// Says nothing of who it is.
    Nobody,
}

/// What a reply to PING says of the shard.
fn openness(reply: &[u8]) -> Door {
    match reply.strip_prefix(b"-") {
        // Known, though it may do nothing.
        Some(text) if text.starts_with(b"NOPERM") => Door::Open,
        Some(text) if text.starts_with(b"NOAUTH") => Door::Locked,
        Some(_) => Door::Silent,
        None => Door::Open,
    }
}

/// Whether a command does nothing but travel to a shard, which knows whether it may.
fn is_judged_by_shard(spec: &Spec) -> bool {
    matches!(spec.handling, Handling::Keyed | Handling::Sort | Handling::Split)
}

fn error(text: &str) -> Vec<u8> {
    format!("-{text}\r\n").into_bytes()
}

/// How long a command waits for the first heartbeats of its pool.
const FIRST_HEARTBEAT: Duration = Duration::from_secs(1);
/// The time between two looks whether they are there.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Seconds for which a shard's word on clients without a password is believed.
const BELIEVED: u32 = 1;
/// Bytes of a user's name and password together: Redis takes no longer ones from a stranger.
const LONGEST_SECRET: usize = 16 * 1024;
const NO_MONITOR: &str = "NOPERM this user has no permissions to run the 'monitor' command, or none \
     to run EVAL, by which circlet asks the shard";
