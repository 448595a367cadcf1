//! A client's connection: what it said so far, and the replies it is owed.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use bytes::BytesMut;

use super::limits::Metered;
use super::origin::Origin;
use super::subscription::Subscriber;
use super::transaction::Transaction;
use crate::access::Account;
use crate::admin::counters::WorkerCounters;
use crate::command::Family;
use crate::outbox::Outbox;
use crate::reply::Replies;
use crate::resp::{Protocol, RequestScanner};
use crate::socket::Socket;
use crate::worker::{Loan, PrivateLink};

/// See the module. An idle session is this struct, its task and the socket; it has no buffers.
#[derive(Debug)]
pub struct Session {
    /// The client's number, as CLIENT ID tells it; unique in the process.
    pub id: u64,
    /// Index of the pool it talks to.
    pub pool: u16,
    /// Index of the pool's identity that its commands travel as.
    pub identity: u16,
    /// Which of its identity's links to a shard its commands travel on.
    pub lane: u16,
    /// Commands since the last that was heavy, while it is not known to be light.
    pub light_commands: u16,
    /// The version of RESP that it speaks.
    pub protocol: Protocol,
    /// What sets it apart from most: 0, or marks of [`Special`].
    pub special: Special,
    /// The database it selected.
    pub db: u32,
    /// The socket; `None` once the session is over.
    pub socket: Option<Socket>,
    /// Whom it comes from, where a proxy in front told.
    pub origin: Option<Box<Origin>>,
    /// The replies it is owed.
    pub replies: Replies,
    /// Bytes that wait to be written to it.
    pub output: Outbox,
    /// Bytes it sent that were not handled yet.
    pub input: Option<Box<Input>>,
    /// Replies on links that still carry its number; the number is not reused before they came.
    pub outstanding: u32,
    /// Whether its task still runs.
    pub has_task: bool,
    /// Whether it is on the worker's list of those to be flushed.
    pub dirty: bool,
    /// Whether its flush was put off in the hope of more to write.
    pub put_off: bool,
    /// Whether the kernel's buffer is full, so that its task waits for room.
    pub wants_write: bool,
    /// Why nothing is read from it for now.
    pub pause: Pause,
    /// How often its last command was put off in favour of a SUBSCRIBE.
    pub postponed: u8,
    /// Whether it ends as soon as all it is owed is written.
    pub closing: bool,
    /// Wakes its task.
    pub waker: Option<Waker>,
    /// When it connected.
    pub since: Instant,
    /// When something was last heard of it, in seconds of the worker's coarse clock.
    pub heard_at: u32,
    /// Bytes read from it.
    pub read: u64,
    /// Bytes written to it.
    pub written: u64,
    /// The number of its last command ([`crate::command::Spec::id`]); `u16::MAX` before the first.
    pub last_command: u16,
    /// What that was about.
    pub last_family: Family,
    /// Which replies it wants.
    pub mute: Mute,
    /// The link that it has to itself, while it needs one.
    pub private: Option<Box<PrivateLink>>,
    /// What it has watched and queued, from WATCH or MULTI to EXEC.
    pub transaction: Option<Box<Transaction>>,
    /// The channels it listens to, while there are any.
    pub subscriber: Option<Box<Subscriber>>,
    /// Links lent to the one command that it waits for.
    pub loans: Vec<Loan>,
    /// Its user, where circlet has users of its own.
    pub account: Option<Arc<Account>>,
    /// What its user and its address use up, where that is limited.
    pub metered: Option<Box<Metered>>,
    /// What it told of itself; most clients tell nothing.
    pub about: Option<Box<About>>,
}

/// Marks of sessions whose commands are not simply looked up and forwarded; one comparison tells
/// that a session has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special(u16);

impl Special {
    /// As most sessions are.
    pub const NONE: Self = Self(0);
    /// It has to say a password first.
    pub const STRANGER: Self = Self(1);
    /// It is between MULTI and EXEC, or has watched keys.
    pub const TRANSACTION: Self = Self(2);
    /// It listens to channels.
    pub const SUBSCRIBER: Self = Self(4);
    /// It wants no replies (CLIENT REPLY).
    pub const MUTED: Self = Self(8);
    /// What it says is to be shown to MONITOR.
    pub const MONITORED: Self = Self(16);
    /// Commands wait by order of CLIENT PAUSE.
    pub const HELD: Self = Self(32);
    /// Keys of the pool live elsewhere than at home: a shard is out or on its way back.
    pub const DISPLACED: Self = Self(64);
    /// Its user, or its pool, has rules for what it may do.
    pub const RULED: Self = Self(128);
    /// Its user or its address has limits.
    pub const LIMITED: Self = Self(256);
    /// It was heavy lately, so that the lane of its next command is to be looked at.
    pub const HEAVY: Self = Self(1024);
    /// What it says now, or next, is sampled.
    pub const SAMPLED: Self = Self(8192);
    /// What it says now arrived longer ago than the pool's `timeout`.
    pub const LATE: Self = Self(512);
    /// It is to leave between two commands: see [`Worker::drain`](crate::worker::Worker::drain).
    pub const LEAVING: Self = Self(2048);

    /// Whether any mark is there.
    #[inline(always)]
    pub fn any(self) -> bool {
        self.0 != 0
    }

    /// Whether `mark` is there.
    #[inline]
    pub fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    /// Sets `mark`.
    pub fn set(&mut self, mark: Self) {
        self.0 |= mark.0;
    }

    /// Takes `mark` away.
    pub fn clear(&mut self, mark: Self) {
        self.0 &= !mark.0;
    }
}

/// What a client told of itself.
#[derive(Debug, Default, Clone)]
pub struct About {
    /// CLIENT SETNAME, or HELLO … SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub library: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub library_version: Vec<u8>,
    /// It looks at what all clients say (MONITOR).
    pub is_monitor: bool,
    /// CLIENT NO-EVICT ON.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH ON.
    pub no_touch: bool,
}

/// Which replies a client wants, by CLIENT REPLY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mute {
    /// All.
    #[default]
    Off,
    /// None.
    All,
    /// Not that of the next command.
    Next,
    /// Not that of the command that is being handled.
    This,
}

/// Why a session is not read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pause {
    /// It is.
    #[default]
    No,
    /// It has enough in flight, or does not read its replies.
    Replies,
    /// A link that it uses has enough queued.
    Link,
    /// A shard was asked whether it has a database: what follows depends on the answer.
    Select {
        /// The database.
        db: u32,
    },
    /// Its last command is not to be handled before all that it is owed has left.
    Drained,
    /// A procedure works on its last command.
    Procedure,
    /// Shards were asked for what it subscribes to. It is listened to, lest it leave unnoticed.
    Subscribing,
    /// It waits on its private link for something to happen. It is listened to, lest it leave
    /// unnoticed.
    Blocked,
    /// Its last command is handled when what holds it up is over: CLIENT PAUSE, or a shard that
    /// has to tell whether it wants a password.
    Held,
}

impl Pause {
    /// Whether the last command is to be handled again when the pause is over.
    pub fn comes_again(self) -> bool {
        matches!(self, Self::Drained | Self::Held)
    }
}

/// Bytes of a command that is not whole, or of commands that wait for a pause to end.
#[derive(Debug, Default)]
pub struct Input {
    /// Where the scan of the first command stands.
    pub scanner: RequestScanner,
    /// The bytes, from the first byte of the first command.
    pub bytes: BytesMut,
    /// At least so many bytes are missing; 0 when whole commands may wait.
    pub missing: usize,
    /// When whole commands that wait arrived, in microseconds of the worker's clock. `None` where
    /// they wait for something that was wanted (BLPOP, CLIENT PAUSE): that is no delay of theirs.
    pub arrived_at: Option<u32>,
}

impl Session {
    /// A session that has said nothing yet.
    pub fn new(id: u64, pool: usize, db: u32, authenticated: bool, socket: Socket) -> Self {
        Self {
            id,
            pool: pool as u16,
            identity: 0,
            lane: 0,
            light_commands: 0,
            protocol: Protocol::Resp2,
            db,
            special: if authenticated { Special::NONE } else { Special::STRANGER },
            private: None,
            transaction: None,
            subscriber: None,
            loans: Vec::new(),
            socket: Some(socket),
            origin: None,
            replies: Replies::default(),
            output: Outbox::default(),
            input: None,
            outstanding: 0,
            has_task: true,
            dirty: false,
            put_off: false,
            wants_write: false,
            pause: Pause::No,
            postponed: 0,
            closing: false,
            waker: None,
            since: Instant::now(),
            heard_at: 0,
            read: 0,
            written: 0,
            last_command: u16::MAX,
            last_family: Family::Other,
            mute: Mute::Off,
            account: None,
            metered: None,
            about: None,
        }
    }

    /// Whether it has ended and nothing refers to it any more.
    pub fn is_gone(&self) -> bool {
        self.socket.is_none() && !self.has_task && self.outstanding == 0
    }

    /// Whether further commands of it may be handled now.
    #[inline]
    pub fn accepts_commands(&self) -> bool {
        self.pause == Pause::No && !self.closing
    }

    /// Whether commands of it that are here wait for nothing but their turn.
    pub fn has_commands(&self) -> bool {
        self.accepts_commands() && self.input.as_ref().is_some_and(|input| input.missing == 0)
    }

    /// Whether it is between two commands: nothing of it is here in part or in flight, all that it
    /// is owed is written or about to be, and it has begun nothing that a connection carries (MULTI,
    /// WATCH, a wait). A subscriber and a monitor are so between two messages.
    pub fn is_between_commands(&self) -> bool {
        self.socket.is_some()
            && !self.closing
            && self.replies.is_empty()
            && self.input.is_none()
            && matches!(self.pause, Pause::No | Pause::Replies)
            && !self.special.has(Special::TRANSACTION)
            && self.private.is_none()
    }

    /// So many bytes were read from it.
    #[inline]
    pub(crate) fn count_read(&mut self, counters: &WorkerCounters, bytes: usize) {
        counters.pools[usize::from(self.pool)].bytes_in.add(bytes as u64);
        self.read += bytes as u64;
    }

    /// So many bytes were written to it.
    #[inline]
    pub(crate) fn count_written(&mut self, counters: &WorkerCounters, bytes: usize) {
        counters.pools[usize::from(self.pool)].bytes_out.add(bytes as u64);
        self.written += bytes as u64;
    }

    /// Whether anything came of it that was not read.
    pub fn has_unread(&mut self) -> bool {
        self.socket.as_mut().is_some_and(Socket::has_unread)
    }

    /// Whether it may use the pool.
    pub fn is_authenticated(&self) -> bool {
        !self.special.has(Special::STRANGER)
    }

    /// Lets it use the pool.
    pub fn authenticate(&mut self) {
        self.special.clear(Special::STRANGER);
    }

    /// Bytes that it is owed and that wait here.
    pub fn waiting_bytes(&self) -> usize {
        self.output.len() + self.replies.parked_len()
    }

    /// Wakes its task.
    pub fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
