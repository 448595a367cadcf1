//! The whole proxy: listeners, workers, health; what a process or a program embedding circlet runs.
//!
//! ```text
//!   listener ─ accept ─► the worker with the fewest sessions      (control thread)
//!   monitor  ─ health, ring ─► all workers
//!   workers  ─ failures ─► monitor
//! ```
//!
//! The control thread serves no request. Workers share nothing but what they are told here.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use crate::admin::counters::WorkerCounters;
use crate::admin::stats::StatsSource;
use crate::admin::{heap, memory};
use crate::client::listener::{ListenError, Listener};
use crate::config::{Config, Pool};
use crate::hotkeys;
use crate::reload::{Control, Order, Reloader, Source};
use crate::route::ring::{Ring, Share};
use crate::shard::health::{Failure, ShardHealth};
use crate::shard::inquiry::Told;
use crate::shard::lessons::Lessons;
use crate::shard::monitor::Monitor;
use crate::shard::scripts::ScriptCache;
use crate::tls::TlsError;
use crate::tls::keeper::Certificates;
use crate::upgrade::inherited::Inherited;
use crate::worker::{self, Handle, Incoming, Message, Setup, Shared};

/// A proxy that listens already and serves once it is run.
pub struct Server {
    pools: Vec<Arc<Pool>>,
    rings: Vec<Arc<Ring>>,
    /// Each with the index of its pool.
    listeners: Vec<(usize, Listener)>,
    certificates: Arc<Certificates>,
    workers: Vec<Handle>,
    monitor: Monitor,
    failures: UnboundedReceiver<Failure>,
    stats: StatsSource,
    shared: Arc<Shared>,
    options: Options,
    orders: (UnboundedSender<Order>, UnboundedReceiver<Order>),
}

/// What the process decides for all pools.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Worker threads; at least 1.
    pub threads: usize,
    /// How many clients may be connected to all pools together; 0 is no limit but the process's
    /// open files.
    pub max_clients: u32,
    /// How many bytes of memory the process may use; 0 is half of what the machine or the container
    /// has.
    pub max_memory: u64,
    /// How many commands a second each worker looks at for hot and big keys; 0 is none.
    pub hotkeys_samples: u32,
}

impl Default for Options {
    /// A worker for each core, no limit of clients, and the usual look at keys.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, max_clients: 0, max_memory: 0, hotkeys_samples: hotkeys::SAMPLES }
    }
}

/// Why a proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A pool's address cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A certificate or key does not do.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system has no thread or no descriptor to give.
    #[error("cannot start a worker thread: {0}; fewer `threads` or higher limits may help")]
    Worker(#[from] io::Error),
}

impl Server {
    /// Opens the listening sockets and starts the workers. Must be called within a tokio runtime
    /// with IO and time.
    pub fn start(config: Config, options: Options) -> Result<Self, StartError> {
        Self::start_with(config, options, &mut Inherited::default())
    }

    /// The same, with listening sockets that are open already.
    pub fn start_with(
        config: Config,
        options: Options,
        inherited: &mut Inherited,
    ) -> Result<Self, StartError> {
        heap::set_up();
        let certificates = Arc::new(Certificates::load(&config)?);
        let mut monitor = Monitor::new(&config, &certificates);
        let mut stats = StatsSource::new(&config, Vec::new(), monitor.counters());
        let pools: Vec<Arc<Pool>> = config.pools.into_iter().map(Arc::new).collect();
        let rings: Vec<Arc<Ring>> = pools.iter().map(|pool| Arc::new(Ring::new(pool))).collect();
        let (report, failures) = unbounded_channel();
        let (inboxes, outboxes): (Vec<_>, Vec<_>) =
            (0..options.threads.max(1)).map(|_| unbounded_channel()).unzip();
        let scripts = pools.iter().map(|pool| ScriptCache::new(pool.script_cache)).collect();
        let shared = Arc::new(Shared::new(
            inboxes.clone(),
            scripts,
            monitor.doors(),
            Arc::clone(&certificates),
        ));
        monitor.set_workers(Arc::clone(&shared));
        shared.gate.set_files_stay(inherited.are_shared());
        let mut listeners = Vec::new();
        for (index, pool) in pools.iter().enumerate() {
            let opened = Listener::open(pool, inherited, &shared.gate)?;
            listeners.extend(opened.into_iter().map(|opened| (index, opened)));
        }
        stats.ask(Arc::clone(&shared));
        let shards: Vec<usize> = pools.iter().map(|pool| pool.servers.len()).collect();
        let mut server = Self {
            listeners,
            certificates,
            workers: Vec::new(),
            pools,
            rings,
            monitor,
            failures,
            stats,
            shared,
            options,
            orders: unbounded_channel(),
        };
        let mut all_counters = Vec::with_capacity(inboxes.len());
        for (index, (messages, inbox)) in inboxes.into_iter().zip(outboxes).enumerate() {
            let counters = Arc::new(WorkerCounters::new(&shards));
            all_counters.push(Arc::clone(&counters));
            let pools = server.pools.iter().cloned().zip(server.rings.iter().cloned()).collect();
            let (failures, shared) = (report.clone(), Arc::clone(&server.shared));
            let setup = Setup { index, pools, counters, failures, shared, inbox };
            server.workers.push(worker::start(setup, messages)?);
        }
        let pools = server.pools.iter().enumerate().map(|(index, pool)| (index, &**pool));
        server.stats.follow(pools, all_counters, server.monitor.counters());
        let samples = options.hotkeys_samples;
        server.shared.tell_all(move |worker| worker.hotkeys.begin(samples));
        Ok(server)
    }

    /// The TCP port of pool `index`, for programs that listen on port 0.
    pub fn port(&self, index: usize) -> Option<u16> {
        self.port_where(index, false)
    }

    /// The port of pool `index` where clients speak TLS.
    pub fn tls_port(&self, index: usize) -> Option<u16> {
        self.port_where(index, true)
    }

    fn port_where(&self, index: usize, speaks_tls: bool) -> Option<u16> {
        let mut listeners = self.listeners.iter();
        let found = listeners
            .find(|(pool, listener)| *pool == index && listener.speaks_tls() == speaks_tls);
        found.and_then(|(_, listener)| listener.port())
    }

    /// The certificates, to be read again when one wishes; they are as well when files change.
    pub fn certificates(&self) -> Arc<Certificates> {
        Arc::clone(&self.certificates)
    }

    /// What the workers know of each other, and the way to ask them.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// What has the running proxy take over another configuration; `source` says which.
    pub fn reloader(&self, source: Arc<Source>) -> Reloader {
        let reloads = Arc::clone(&self.shared.reloads);
        let reloader = Reloader::new(source, self.orders.0.clone(), reloads);
        // Clients ask the first, of which a process has no more.
        let _ = self.shared.reloader.set(reloader.clone());
        reloader
    }

    /// What the stats port tells.
    pub fn stats(&self) -> StatsSource {
        self.stats.clone()
    }

    /// Serves until `shutdown` completes, then ends all sessions and workers.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { pools, rings, listeners, certificates, workers, stats, shared, .. } = self;
        let Self { mut monitor, failures, orders: (_, orders), .. } = self;
        let told = monitor.take_told();
        let accepted = vec![0; pools.len()];
        let (max_clients, held) = (self.options.max_clients, BTreeSet::new());
        let desk = Desk {
            pools,
            rings,
            workers,
            accepted,
            next_id: 1,
            max_clients,
            shared: Arc::clone(&shared),
            held,
        };
        let control = Rc::new(Control {
            desk: Rc::new(RefCell::new(desk)),
            monitor: Rc::new(RefCell::new(monitor)),
            posts: RefCell::default(),
            certificates: Arc::clone(&certificates),
            shared: Arc::clone(&shared),
            stats,
            gone: RefCell::default(),
        });
        let (desk, monitor) = (Rc::clone(&control.desk), Rc::clone(&control.monitor));
        let tasks = LocalSet::new();
        tasks.spawn_local(certificates.watch());
        for (pool, listener) in listeners {
            tasks.spawn_local(control.open_post(pool, listener));
        }
        tasks.spawn_local(memory::watch(self.options.max_memory, Arc::clone(&shared)));
        tasks.spawn_local(memory::give_back_after_peaks(shared));
        if let Some(told) = told {
            tasks.spawn_local(teach(told, Rc::clone(&desk)));
        }
        tasks.spawn_local(Rc::clone(&control).serve(orders));
        let publish = |pool: usize, health| desk.borrow().publish(pool, health);
        tasks.run_until(Monitor::watch(&monitor, failures, publish, shutdown)).await;
        drop(tasks);
        for worker in desk.borrow_mut().workers.drain(..) {
            worker.stop();
        }
    }
}

/// Where connections are handed out and news go to all workers.
pub(crate) struct Desk {
    pub(crate) pools: Vec<Arc<Pool>>,
    /// Of each pool, with all its shards in.
    rings: Vec<Arc<Ring>>,
    workers: Vec<Handle>,
    /// Connections that each pool ever got.
    accepted: Vec<u64>,
    next_id: u64,
    /// Of all pools together; 0 is no limit.
    max_clients: u32,
    shared: Arc<Shared>,
    /// Pools in the midst of a reload, of which nothing is published before it is done.
    held: BTreeSet<usize>,
}

impl Desk {
    /// Gives a client to the worker with the fewest sessions; past `client_connections` or
    /// `max_clients` the client reads Redis's own error.
    pub(crate) fn admit(&mut self, stream: Incoming, pool: usize) {
        if self.is_full(pool) {
            self.log_refusal(pool, "client_connections or max_clients is reached");
            return refuse(stream, TOO_MANY_CLIENTS);
        }
        if self.shared.shortage.is_on() {
            self.log_refusal(pool, "memory is short (max_memory)");
            return refuse(stream, NO_MEMORY);
        }
        self.accepted[pool] += 1;
        let id = self.next_id;
        self.next_id += 1;
        if let Some(worker) = self.workers.iter_mut().min_by_key(|worker| worker.sessions()) {
            worker.assign(stream, pool, id);
        }
    }

    fn log_refusal(&self, pool: usize, cause: &str) {
        tracing::warn!(pool = self.pools[pool].name, cause, "client refused: {cause}");
    }

    fn is_full(&self, pool: usize) -> bool {
        let of_pool = u64::from(self.pools[pool].client_connections);
        let of_all = u64::from(self.max_clients);
        (of_pool > 0 && self.clients_of(pool) >= of_pool)
            || (of_all > 0 && self.workers.iter().map(Handle::sessions).sum::<u64>() >= of_all)
    }

    fn clients_of(&self, pool: usize) -> u64 {
        let ended: u64 = self.workers.iter().map(|worker| worker.ended_sessions(pool)).sum();
        self.accepted[pool].saturating_sub(ended)
    }

    /// Tells all workers of a pool's health, and which shards have its keys by that.
    pub(crate) fn publish(&self, pool: usize, health: Vec<ShardHealth>) {
        if self.held.contains(&pool) {
            return;
        }
        let shares: Vec<Share> = health.iter().map(|shard| shard.share).collect();
        let ring = Arc::new(self.rings[pool].with_shares(&shares));
        let shards: Arc<[ShardHealth]> = health.into();
        for worker in &self.workers {
            let (shards, ring) = (Arc::clone(&shards), Arc::clone(&ring));
            worker.tell(Message::Health { pool, shards, ring });
        }
    }

    /// The pools and their rings with all shards in.
    pub(crate) fn homes(&self) -> (Vec<Arc<Pool>>, Vec<Arc<Ring>>) {
        (self.pools.clone(), self.rings.clone())
    }

    /// A pool is this from now on; its keys stay where they are until [`switch`](Self::switch), and
    /// nothing is published of it.
    pub(crate) fn enter(&mut self, index: usize, pool: &Arc<Pool>, ring: &Arc<Ring>) {
        match self.pools.get_mut(index) {
            Some(known) => *known = Arc::clone(pool),
            None => {
                self.pools.push(Arc::clone(pool));
                self.rings.push(Arc::clone(ring));
                self.accepted.push(0);
            }
        }
        self.held.insert(index);
    }

    /// The pool's keys live where this ring has them.
    pub(crate) fn switch(&mut self, index: usize, ring: &Arc<Ring>) {
        self.held.remove(&index);
        // An unchanged plan stays the very same: nothing moves then.
        if !self.rings[index].places_like(ring) {
            self.rings[index] = Arc::clone(ring);
        }
    }

    /// The workers count in these from now on.
    pub(crate) fn count_by(&mut self, counters: &[Arc<WorkerCounters>]) {
        for (worker, counters) in self.workers.iter_mut().zip(counters) {
            worker.count_by(Arc::clone(counters));
        }
    }
}

/// Tells all workers what shards told of their commands.
async fn teach(mut told: UnboundedReceiver<Told>, desk: Rc<RefCell<Desk>>) {
    let mut lessons = Lessons::default();
    while let Some(told) = told.recv().await {
        if let Some((pool, learned)) = lessons.take(told) {
            for worker in &desk.borrow().workers {
                worker.tell(Message::Learned { pool, learned: Arc::clone(&learned) });
            }
        }
    }
}

fn refuse(stream: Incoming, error: &[u8]) {
    // One packet into an empty buffer; a client that is gone misses nothing.
    let _ = match stream {
        Incoming::Tcp(mut stream) => stream.write_all(error),
        Incoming::Unix(mut stream) => stream.write_all(error),
        // Before the handshake nothing can be said.
        Incoming::Tls(_) => Ok(()),
    };
}

/// Redis's own words when `maxclients` is reached.
const TOO_MANY_CLIENTS: &[u8] = b"-ERR max number of clients reached\r\n";
/// Redis has no such words: it evicts keys, or clients by `maxmemory-clients`.
const NO_MEMORY: &[u8] = b"-OOM the memory of circlet is short (its setting max_memory sets the \
                           limit): no new client is taken at present\r\n";
