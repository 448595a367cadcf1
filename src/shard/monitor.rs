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

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::answer::Answer;
use super::doors::Doors;
use super::health::{Change, Failure, Rules, ShardHealth, State};
use super::heartbeat::{Beat, Target};
use super::inquiry::{Inquiries, Told};
use super::pool_judge::PoolJudge;
use super::rejoin::{News, Returns};
use crate::admin::counters::HealthCounters;
use crate::config::{Address, Config, Server};
use crate::tls::keeper::Certificates;
use crate::worker::Shared;

/// The health of all pools; see the module.
pub struct Monitor {
    pools: Vec<Watched>,
    targets: Vec<Target>,
    counters: Arc<HealthCounters>,
    doors: Arc<Doors>,
    returns: Returns,
    news: Option<mpsc::UnboundedReceiver<News>>,
    tell: mpsc::UnboundedSender<Told>,
    told: Option<mpsc::UnboundedReceiver<Told>>,
}

struct Watched {
    name: String,
    judge: PoolJudge,
    shards: Vec<Shard>,
}

struct Shard {
    /// As an operator finds it in the configuration.
    label: String,
    nudge: Arc<Notify>,
    /// The last answer while out, so that only a new one is logged.
    heard: Option<Answer>,
}

impl Monitor {
    /// Watches every shard of every pool. Nothing happens before [`run`](Self::run).
    pub fn new(config: &Config, certificates: &Certificates) -> Self {
        let now = Instant::now();
        let targets = config.pools.iter().enumerate().flat_map(|(p, pool)| {
            let servers = pool.servers.iter().enumerate();
            let tls = certificates.of_pool(p);
            servers.map(move |(s, server)| Target::new((p, s), pool, server, Arc::clone(&tls)))
        });
        let watched = config.pools.iter().map(|pool| Watched {
            name: pool.name.clone(),
            judge: PoolJudge::new(Rules::from(pool), pool.servers.len(), now),
            shards: pool.servers.iter().map(Shard::new).collect(),
        });
        let (tell, told) = mpsc::unbounded_channel();
        let sizes: Vec<usize> = config.pools.iter().map(|pool| pool.servers.len()).collect();
        let (returns, news) = Returns::new(config);
        Self {
            returns,
            news: Some(news),
            targets: targets.collect(),
            pools: watched.collect(),
            counters: Arc::new(HealthCounters::new(&sizes)),
            doors: Arc::new(Doors::new(config)),
            tell,
            told: Some(told),
        }
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
        // Set once: there is one monitor.
        let _ = shared.health_counters.set(self.counters());
        self.returns.set_workers(shared);
    }

    /// Runs until `shutdown` completes. `publish` gets the index of a pool and the health of its
    /// shards, once for each pool at the start and then at each change.
    pub async fn run(
        mut self,
        mut failures: mpsc::UnboundedReceiver<Failure>,
        mut publish: impl FnMut(usize, Vec<ShardHealth>),
        shutdown: impl Future<Output = ()>,
    ) {
        // Nobody takes it any more.
        self.told = None;
        for (index, pool) in self.pools.iter().enumerate() {
            publish(index, pool.judge.health());
        }
        let (_heartbeats, mut beats) = self.start_heartbeats();
        self.returns.watch_limits();
        let (_, unused) = mpsc::unbounded_channel();
        let mut news = self.news.take().unwrap_or(unused);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let mut told = None;
            let changed = tokio::select! {
                () = &mut shutdown => return,
                Some(beat) = beats.recv() => self.take_beat(&beat),
                Some(failure) = failures.recv() => self.take_failure(&failure),
                Some(news) = news.recv() => self.returns.take(news).map(|(pool, done)| {
                    told = Some(done);
                    pool
                }),
                else => return,
            };
            if let Some(pool) = changed {
                let health = self.pools[pool].judge.health();
                publish(pool, self.returns.published(pool, health));
            }
            // Whoever asked for it may rely on it now; gone is who gave up.
            let _ = told.map(|told| told.send(()));
        }
    }

    /// The tasks end when the set is dropped.
    fn start_heartbeats(&mut self) -> (JoinSet<()>, mpsc::Receiver<Beat>) {
        let (sender, beats) = mpsc::channel(BEATS_WAITING);
        let mut tasks = JoinSet::new();
        for target in self.targets.drain(..) {
            let pool = &self.pools[target.pool];
            let shard = &pool.shards[target.shard];
            let label = format!("{} of pool {}", shard.label, pool.name);
            let place = (target.pool, target.shard);
            let alone = pool.shards.len() == 1;
            let inquiries = Inquiries::new(place, label, alone, self.tell.clone());
            let nudge = Arc::clone(&shard.nudge);
            tasks.spawn(target.keep_asking(nudge, sender.clone(), inquiries));
        }
        (tasks, beats)
    }

    /// The pool's index when something changed; so for failures.
    fn take_beat(&mut self, beat: &Beat) -> Option<usize> {
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
                State::Down => {}
            }
        }
        if !changes.is_empty() && pool.judge.live() == 0 {
            error!("pool {}: none of its shards is in, all its requests fail", pool.name);
        }
        (!changes.is_empty()).then_some(index)
    }
}

impl Watched {
    fn log(&self, change: &Change) {
        let (shard, pool) = (&self.shards[change.shard].label, &self.name);
        match change.to {
            State::Live | State::Returning => {
                info!("shard {shard} of pool {pool} readmitted after {}", change.cause)
            }
            State::Down => warn!("shard {shard} of pool {pool} down after {}", change.cause),
            State::Ejected => warn!("shard {shard} of pool {pool} ejected after {}", change.cause),
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
            info!("shard {} of pool {} still out: {news}", shard.label, self.name);
            shard.heard = Some(answer.clone());
        }
    }
}

impl Shard {
    fn new(server: &Server) -> Self {
        Self { label: label(server), nudge: Arc::default(), heard: None }
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
