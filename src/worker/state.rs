//! All that one thread holds.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use slab::Slab;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::drain::Drain;
use super::handshakes::Handshakes;
use super::identities::KEEP_UNUSED;
use super::journal::WorkerJournal;
use super::samples::Samples;
use super::timers::Timers;
use super::timing::Said;
use super::{PoolState, Shared};
use crate::admin::counters::WorkerCounters;
use crate::client::session::Session;
use crate::client::split::SplitBuffers;
use crate::hotkeys::HotKeys;
use crate::outbox::SpareBuffers;
use crate::resp::RequestScanner;
use crate::shard::health::Failure;
use crate::shard::link::Link;
use crate::subscription::{Audience, Hubs};

/// See the module [`crate::worker`].
#[derive(Debug)]
pub struct Worker {
    /// The pools, as in the configuration.
    pub pools: Vec<PoolState>,
    /// Clients' connections by number.
    pub sessions: Slab<Box<Session>>,
    /// Connections to shards by number.
    pub links: Slab<Box<Link>>,
    /// Who is to be flushed.
    pub ready: Ready,
    /// Buffers that connections borrow.
    pub spare: SpareBuffers,
    /// Milliseconds since the worker started.
    pub clock: Clock,
    /// Seconds since the worker started, ticked by a timer.
    pub seconds: u32,
    /// What the worker counts.
    pub counters: Arc<WorkerCounters>,
    /// Tells the control thread of shards that fail.
    pub failures: UnboundedSender<Failure>,
    /// Where sockets are read into.
    pub(crate) scratch: Vec<u8>,
    /// The scanner of commands that arrive whole.
    pub(crate) scanner: RequestScanner,
    /// Working space of commands whose keys live on several shards.
    pub(crate) split: SplitBuffers,
    /// Which keys are asked for most, and which are big.
    pub(crate) hotkeys: HotKeys,
    /// Procedures that wait for a reply.
    pub(crate) askers: Slab<oneshot::Sender<Bytes>>,
    /// PUBLISHes in flight whose reply is to be corrected, by session and sequence number.
    pub(crate) published: HashMap<(u32, u32), Audience>,
    /// Which timers run.
    pub(super) timers: Timers,
    /// Where the next look for idle sessions begins.
    pub(super) idle_from: usize,
    /// Sessions that are to leave.
    pub(super) drain: Drain,
    /// Clients that are in the midst of a TLS handshake.
    pub(super) handshakes: Handshakes,
    /// Commands that are not counted yet.
    pub(super) said: Said,
    /// When replies were read that have not been written on yet, in microseconds of the clock.
    pub(super) turn_began: Option<u32>,
    /// How many turns of the loop have ended.
    pub(super) turns: u32,
    /// Requests that take longer than so many microseconds are slow ones; `u32::MAX`: none is.
    pub slow_after: u32,
    /// What is written down of single requests.
    pub(crate) journal: WorkerJournal,
    /// Requests that are sampled.
    pub(super) samples: Samples,
    /// Replies dropped because their request had timed out.
    pub(super) late_replies: u64,
    /// Bytes read into the scratch buffer since the last that the process was told of.
    pub(super) read: usize,
    /// Where the next look for memory that a burst left begins.
    pub(super) give_back_from: usize,
    /// Tasks in the middle of something large that wait until memory is not short any more.
    pub(super) waiting_for_memory: Vec<Waker>,
    /// Which worker it is.
    pub(crate) index: usize,
    /// What the workers know of each other.
    pub(crate) shared: Arc<Shared>,
    /// This very worker, for the tasks that it starts.
    pub(crate) this: Weak<RefCell<Worker>>,
}

impl Worker {
    /// A worker for `pools`, shared by the tasks of its thread.
    pub fn new(
        mut pools: Vec<PoolState>,
        counters: Arc<WorkerCounters>,
        failures: UnboundedSender<Failure>,
        index: usize,
        shared: Arc<Shared>,
    ) -> Rc<RefCell<Self>> {
        for (index, pool) in pools.iter_mut().enumerate() {
            pool.hubs = Hubs::new(pool.config.servers.len(), shared.subscriptions.of_pool(index));
            pool.commons = shared.commons(index, pool.config.script_cache);
        }
        let worker = Rc::new_cyclic(|this: &Weak<RefCell<Self>>| {
            RefCell::new(Self {
                pools,
                sessions: Slab::new(),
                links: Slab::new(),
                ready: Ready::default(),
                spare: SpareBuffers::default(),
                clock: Clock::default(),
                seconds: 0,
                counters,
                failures,
                scratch: vec![0; SCRATCH],
                scanner: RequestScanner::default(),
                split: SplitBuffers::default(),
                hotkeys: HotKeys::default(),
                askers: Slab::new(),
                published: HashMap::new(),
                timers: Timers::default(),
                idle_from: 0,
                drain: Drain::default(),
                handshakes: Handshakes::default(),
                said: Said::default(),
                turn_began: None,
                turns: 0,
                slow_after: u32::MAX,
                journal: WorkerJournal::default(),
                samples: Samples::default(),
                late_replies: 0,
                read: 0,
                give_back_from: 0,
                waiting_for_memory: Vec::new(),
                index,
                shared,
                this: this.clone(),
            })
        });
        worker.borrow_mut().follow_journal();
        worker
    }
}

impl Worker {
    /// A second has passed.
    pub(super) fn tick(&mut self) {
        self.seconds += 1;
        self.tick_journal();
        self.end_lasting_strangers();
        self.sample_round_trips();
        self.hotkeys.tick(Instant::now());
        self.give_back_memory();
        for pool in 0..self.pools.len() {
            self.drop_unused_identities(pool, KEEP_UNUSED);
            self.drop_unused_hubs(pool);
            self.close_removed(pool);
        }
        self.renew_outdated();
    }
}

/// Connections that have bytes to write, and the task that writes them.
#[derive(Debug, Default)]
pub struct Ready {
    /// Numbers of sessions.
    pub sessions: Vec<u32>,
    /// Numbers of links.
    pub links: Vec<u32>,
    /// Wakes the flush task.
    pub waker: Option<Waker>,
    scheduled: bool,
}

impl Ready {
    /// Puts session `number` on the list, once.
    #[inline]
    pub fn session(&mut self, session: &mut Session, number: u32) {
        if !session.dirty {
            session.dirty = true;
            self.sessions.push(number);
            self.schedule();
        }
    }

    /// Puts link `number` on the list, once.
    #[inline]
    pub fn link(&mut self, link: &mut Link, number: u32) {
        if !link.dirty {
            link.dirty = true;
            self.links.push(number);
            self.schedule();
        }
    }

    /// Ready when there is something to flush; otherwise wakes the flush task when there is.
    pub fn poll_scheduled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waker.is_none() {
            self.waker = Some(cx.waker().clone());
        }
        if self.scheduled { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Takes note that the flush task runs.
    pub fn flushing(&mut self) {
        self.scheduled = false;
    }

    fn schedule(&mut self) {
        if !self.scheduled {
            self.scheduled = true;
            if let Some(waker) = &self.waker {
                waker.wake_by_ref();
            }
        }
    }
}

/// The time, read once a batch at most.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    now: u32,
    micros: u32,
    arrival: u32,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), now: 0, micros: 0, arrival: 0 }
    }
}

impl Clock {
    /// Milliseconds from the worker's start to the last `refresh`.
    #[inline]
    pub fn now(&self) -> u32 {
        self.now
    }

    /// The same in microseconds, which begin anew after 71 minutes.
    #[inline]
    pub fn micros(&self) -> u32 {
        self.micros
    }

    /// When the command that is handled now arrived, in microseconds; the last `refresh` for what
    /// circlet asks of itself.
    #[inline]
    pub fn arrival(&self) -> u32 {
        self.arrival
    }

    /// Puts the clock forward: a test lets time pass without waiting for it.
    pub fn skip(&mut self, millis: u32) {
        self.started =
            self.started.checked_sub(Duration::from_millis(millis.into())).unwrap_or(self.started);
    }

    /// The very moment, in microseconds, where the last `refresh` does not do.
    pub(crate) fn read(&self) -> u32 {
        micros(self.started.elapsed())
    }

    /// Reads the time.
    pub fn refresh(&mut self) {
        let elapsed = self.started.elapsed();
        let seconds = elapsed.as_secs() as u32;
        self.now = seconds.wrapping_mul(1_000).wrapping_add(elapsed.subsec_millis());
        self.micros = micros(elapsed);
        self.arrival = self.micros;
    }

    /// The commands that are handled next arrived at `moment`, which may be a while ago.
    pub fn set_arrival(&mut self, moment: u32) {
        self.arrival = moment;
    }
}

/// In 32 bits, which begin anew after 71 minutes.
fn micros(elapsed: Duration) -> u32 {
    (elapsed.as_secs() as u32).wrapping_mul(1_000_000).wrapping_add(elapsed.subsec_micros())
}

/// A read takes up to this many bytes: a 64 KiB value and its header come in one, and the buffer
/// stays in the second-level cache. twemproxy reads 16 KiB at a time.
const SCRATCH: usize = 128 * 1024;
