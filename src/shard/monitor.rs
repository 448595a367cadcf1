//! Health is decided here: hears heartbeats and workers, publishes who is in.
//!
//! ```text
//! heartbeat of each shard ── Beat ────┐
//!           ▲                         ▼
//!           └── nudge ─────────── Monitor ──▶ publish, log line, HealthCounters
//!                                     ▲
//! workers ─────────── Failure ────────┘
//! ```
//! Runs on the control thread. A failure that a worker met makes the shard's heartbeat ask at
//! once, so that a dead shard is out after milliseconds and not after `server_failure_limit`
//! intervals; a healthy one answers, and the failure is forgotten.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tracing::{error, info, warn};

use super::answer::Answer;
use super::doors::Doors;
use super::health::{Change, Failure, Rules, ShardHealth, State};
use super::heartbeat::{Beat, Target};
use super::inquiry::{Inquiries, Told};
use super::pool_judge::PoolJudge;
use super::rejoin::{News, Returns};
use crate::admin::counters::HealthCounters;
use crate::config::{Address, Config, Pool, Server};
use crate::route::Ring;
use crate::tls::keeper::{Certificates, InForce};
use crate::worker::Shared;

/// The health of all pools; see the module.
pub struct Monitor {
    pools: Vec<Watched>,
    counters: Arc<HealthCounters>,
    doors: Arc<Doors>,
    returns: Returns,
    news: Option<mpsc::UnboundedReceiver<News>>,
    tell: mpsc::UnboundedSender<Told>,
    told: Option<mpsc::UnboundedReceiver<Told>>,
    beat: mpsc::Sender<Beat>,
    beats: Option<mpsc::Receiver<Beat>>,
    /// They end when this is dropped.
    heartbeats: JoinSet<()>,
    is_running: bool,
    /// The workers, once they are known.
    shared: Option<Arc<Shared>>,
}

struct Watched {
    name: String,
    judge: PoolJudge,
    shards: Vec<Shard>,
}

struct Shard {
    /// Its name, as fields of the log and metrics have it.
    name: String,
    /// As an operator finds it in the configuration.
    label: String,
    nudge: Arc<Notify>,
    /// The last answer while out, so that only a new one is logged.
    heard: Option<Answer>,
    /// Whom its heartbeat asks; `None` for one that is gone.
    target: Option<Target>,
    heartbeat: Option<AbortHandle>,
    /// The last serial number of a target.
    serials: u32,
}

/// What a reload has made of a pool's servers: the indices of those that are new, and gone.
#[derive(Debug, Clone, Default)]
pub struct Turnover {
    /// In places that are new, or were others' before.
    pub anew: Vec<usize>,
    /// Gone.
    pub removed: Vec<usize>,
}

impl Monitor {
    /// Watches every shard of every pool. Nothing happens before [`run`](Self::run).
    pub fn new(config: &Config, certificates: &Certificates) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let (beat, beats) = mpsc::channel(BEATS_WAITING);
        let (returns, news) = Returns::new();
        let mut monitor = Self {
            returns,
            news: Some(news),
            pools: Vec::new(),
            counters: Arc::new(HealthCounters::new(&[])),
            doors: Arc::new(Doors::new(&Config { pools: Vec::new() })),
            tell,
            told: Some(told),
            beat,
            beats: Some(beats),
            heartbeats: JoinSet::new(),
            is_running: false,
            shared: None,
        };
        for (index, pool) in config.pools.iter().enumerate() {
            let tls = certificates.of_pool(index);
            let (pool, ring) = (Arc::new(pool.clone()), Arc::new(Ring::new(pool)));
            monitor.follow(index, (&pool, &ring), &Turnover::default(), &tls);
        }
        monitor
    }

    /// What the stats port shows of ejections.
    pub fn counters(&self) -> Arc<HealthCounters> {
        Arc::clone(&self.counters)
    }

    /// Which shards let in who says no password.
    pub fn doors(&self) -> Arc<Doors> {
        Arc::clone(&self.doors)
    }

    /// What the shards will tell of their commands; to be taken once, before [`run`](Self::run).
    pub fn take_told(&mut self) -> Option<mpsc::UnboundedReceiver<Told>> {
        self.told.take()
    }

    /// The workers, who have a part in the return of a shard; to be set before [`run`](Self::run).
    pub fn set_workers(&mut self, shared: Arc<Shared>) {
        shared.health_counters.store(self.counters());
        self.shared = Some(Arc::clone(&shared));
        self.returns.set_workers(shared);
    }

    /// Watches pool `index` as it is configured now, which may be new: shards that stay keep their
    /// health. What has become of it is to be published.
    pub fn follow(
        &mut self,
        index: usize,
        (config, ring): (&Arc<Pool>, &Arc<Ring>),
        turnover: &Turnover,
        tls: &Arc<InForce>,
    ) {
        let (now, rules) = (Instant::now(), Rules::from(&**config));
        let Turnover { anew, removed } = turnover;
        if index == self.pools.len() {
            let judge = PoolJudge::new(rules, 0, now);
            self.pools.push(Watched { name: config.name.clone(), judge, shards: Vec::new() });
        }
        self.counters = Arc::new(self.counters.grown(index, config.servers.len(), anew));
        if let Some(shared) = &self.shared {
            shared.health_counters.store(self.counters());
        }
        self.doors.follow(index, config.servers.len(), anew, removed);
        self.returns.follow(index, (config, ring), &[&anew[..], removed].concat());
        let pool = &mut self.pools[index];
        pool.judge.follow(rules, config.servers.len(), now);
        anew.iter().for_each(|&shard| pool.judge.begin_anew(shard, rules, now));
        removed.iter().for_each(|&shard| pool.judge.remove(shard, now));
        pool.judge.spare_waits(now);
        for (place, server) in config.servers.iter().enumerate() {
            if place == pool.shards.len() {
                pool.shards.push(Shard::default());
            }
            let shard = &mut pool.shards[place];
            shard.name = server.name.clone();
            shard.label = label(server);
            let target = Target::new((index, place), config, server, Arc::clone(tls));
            shard.aim((!server.is_removed).then_some(target), anew.contains(&place));
        }
        if self.is_running {
            self.start_heartbeats(index);
        }
    }

    /// The health of a pool's shards, as it is to be published.
    pub fn health(&self, pool: usize) -> Vec<ShardHealth> {
        self.returns.published(pool, self.pools[pool].judge.health())
    }

    /// Runs until `shutdown` completes. `publish` gets the index of a pool and the health of its
    /// shards, once for each pool at the start and then at each change.
    pub async fn run(
        self,
        failures: mpsc::UnboundedReceiver<Failure>,
        publish: impl FnMut(usize, Vec<ShardHealth>),
        shutdown: impl Future<Output = ()>,
    ) {
        Self::watch(&RefCell::new(self), failures, publish, shutdown).await;
    }

    /// As [`run`](Self::run), for one that is reached meanwhile, to [`follow`](Self::follow) a reload.
    pub async fn watch(
        monitor: &RefCell<Self>,
        mut failures: mpsc::UnboundedReceiver<Failure>,
        mut publish: impl FnMut(usize, Vec<ShardHealth>),
        shutdown: impl Future<Output = ()>,
    ) {
        let (mut beats, mut news) = monitor.borrow_mut().begin();
        let pools = monitor.borrow().pools.len();
        for pool in 0..pools {
            let health = monitor.borrow().pools[pool].judge.health();
            publish(pool, health);
        }
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let mut told = None;
            let changed = tokio::select! {
                () = &mut shutdown => return,
                Some(beat) = beats.recv() => monitor.borrow_mut().take_beat(&beat),
                Some(failure) = failures.recv() => monitor.borrow_mut().take_failure(&failure),
                Some(news) = news.recv() => monitor.borrow_mut().returns.take(news).map(|(pool, done)| {
                    told = Some(done);
                    pool
                }),
                else => return,
            };
            if let Some(pool) = changed {
                let health = monitor.borrow().health(pool);
                publish(pool, health);
            }
            // Whoever asked for it may rely on it now; gone is who gave up.
            let _ = told.map(|told| told.send(()));
        }
    }

    fn begin(&mut self) -> (mpsc::Receiver<Beat>, mpsc::UnboundedReceiver<News>) {
        // Nobody takes it any more.
        self.told = None;
        self.is_running = true;
        (0..self.pools.len()).for_each(|pool| self.start_heartbeats(pool));
        self.returns.watch_limits();
        let (_, no_beats) = mpsc::channel(1);
        let (_, no_news) = mpsc::unbounded_channel();
        (self.beats.take().unwrap_or(no_beats), self.news.take().unwrap_or(no_news))
    }

    /// Starts those of a pool's heartbeats that do not run.
    fn start_heartbeats(&mut self, index: usize) {
        // Those of shards that are gone have ended; nobody asks for their end.
        while self.heartbeats.try_join_next().is_some() {}
        let pool = &mut self.pools[index];
        let alone = pool.shards.iter().filter(|shard| shard.target.is_some()).count() == 1;
        for shard in &mut pool.shards {
            let (None, Some(target)) = (&shard.heartbeat, &shard.target) else { continue };
            let label = format!("{} of pool {}", shard.label, pool.name);
            let place = (target.pool, target.shard);
            let inquiries = Inquiries::new(place, label, alone, self.tell.clone());
            let (nudge, beat) = (Arc::clone(&shard.nudge), self.beat.clone());
            let heartbeat = target.clone().keep_asking(nudge, beat, inquiries);
            shard.heartbeat = Some(self.heartbeats.spawn(heartbeat));
        }
    }

    /// The pool's index when something changed; so for failures.
    fn take_beat(&mut self, beat: &Beat) -> Option<usize> {
        let is_asked = |shard: &Shard| {
            shard.target.as_ref().is_some_and(|target| target.serial == beat.serial)
        };
        if !is_asked(&self.pools[beat.pool].shards[beat.shard]) {
            // Asked of a server that was there before.
            return None;
        }
        self.doors.note(beat.pool, beat.shard, &beat.answer);
        let pool = &mut self.pools[beat.pool];
        let changes = pool.judge.heartbeat(beat.shard, &beat.answer, beat.at);
        if changes.is_empty() {
            pool.log_news(beat.shard, &beat.answer);
        } else {
            pool.shards[beat.shard].heard = Some(beat.answer.clone());
        }
        self.record(beat.pool, &changes)
    }

    fn take_failure(&mut self, failure: &Failure) -> Option<usize> {
        let pool = self.pools.get_mut(failure.pool)?;
        let changes = pool.judge.request_failed(failure, Instant::now());
        if pool.judge.is_live(failure.shard) {
            pool.shards[failure.shard].nudge.notify_one();
        }
        self.record(failure.pool, &changes)
    }

    fn record(&mut self, index: usize, changes: &[Change]) -> Option<usize> {
        self.returns.changed(index, &self.pools[index].judge.health(), changes);
        let pool = &self.pools[index];
        for change in changes {
            pool.log(change);
            match change.to {
                State::Ejected => self.counters.ejected(index, change.shard, SystemTime::now()),
                State::Live | State::Returning => self.counters.readmitted(index, change.shard),
                State::Down | State::Removed => {}
            }
        }
        if !changes.is_empty() && pool.judge.live() == 0 {
            error!(
                pool = pool.name,
                "pool {}: none of its shards is in, all its requests fail", pool.name
            );
        }
        (!changes.is_empty()).then_some(index)
    }
}

impl Watched {
    fn log(&self, change: &Change) {
        let Shard { name, label, .. } = &self.shards[change.shard];
        let (shard, pool) = (&**name, &*self.name);
        let cause = &*change.cause;
        match change.to {
            State::Live | State::Returning => {
                info!(pool, shard, cause, "shard {label} of pool {pool} readmitted after {cause}");
            }
            State::Down => {
                warn!(pool, shard, cause, "shard {label} of pool {pool} down after {cause}");
            }
            State::Ejected => {
                warn!(pool, shard, cause, "shard {label} of pool {pool} ejected after {cause}");
            }
            // A reload tells of it.
            State::Removed => {}
        }
    }

    /// A shard that is out and says something new: loading now where it refused connections.
    fn log_news(&mut self, index: usize, answer: &Answer) {
        if self.judge.is_live(index) {
            return;
        }
        let shard = &mut self.shards[index];
        if shard.heard.as_ref() != Some(answer) {
            let news = match answer {
                Answer::Good | Answer::Locked => "answers again",
                Answer::Refusal(text) | Answer::Busy(text) | Answer::Failure(text) => text,
            };
            let (label, pool) = (&*shard.label, &*self.name);
            info!(
                pool,
                shard = shard.name,
                cause = news,
                "shard {label} of pool {pool} still out: {news}"
            );
            shard.heard = Some(answer.clone());
        }
    }
}

impl Default for Shard {
    fn default() -> Self {
        let (nudge, label) = (Arc::default(), String::new());
        Self {
            name: String::new(),
            label,
            nudge,
            heard: None,
            target: None,
            heartbeat: None,
            serials: 0,
        }
    }
}

impl Shard {
    /// Has the heartbeat ask `target` from now on; a heartbeat that does that already goes on.
    fn aim(&mut self, target: Option<Target>, is_another: bool) {
        let before = self.target.take();
        let goes_on = matches!((&before, &target), (Some(old), Some(new)) if old.asks_like(new));
        if goes_on && !is_another {
            self.target = before;
            return;
        }
        if let Some(heartbeat) = self.heartbeat.take() {
            heartbeat.abort();
        }
        if is_another {
            (self.heard, self.nudge) = (None, Arc::default());
        }
        self.serials += 1;
        self.target = target.map(|target| target.with_serial(self.serials));
    }
}

/// The name, and the address where the name does not tell it.
fn label(server: &Server) -> String {
    let address = match &server.address {
        Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Address::Tcp { host, port } => format!("{host}:{port}"),
        Address::Unix(path) => path.display().to_string(),
    };
    match server.name.strip_suffix(':').unwrap_or(&server.name) {
        name if name == address => address,
        _ => format!("{} ({address})", server.name),
    }
}

/// Heartbeats that may wait to be judged; past it their tasks wait.
const BEATS_WAITING: usize = 256;
