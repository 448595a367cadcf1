//! Which shards are on their way back, and how far.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tracing::info;

use super::bounds;
use super::course::Course;
use super::crew::Crew;
use super::suspicion::Why;
use crate::config::{Distribution, Pool, Rejoin};
use crate::route::ring::{ALL, NOTHING, Ring, Share};
use crate::shard::health::{Change, ShardHealth, State};
use crate::worker::Shared;

/// What a return tells the control thread.
#[derive(Debug)]
pub enum News {
    /// The shard has this share of its keys from now on; `done` when the workers were told.
    Share {
        /// Index of the pool.
        pool: usize,
        /// Which attempt says so.
        serial: u64,
        /// The share.
        share: Share,
        /// To be answered.
        done: oneshot::Sender<()>,
    },
    /// All is done.
    Over {
        /// Index of the pool.
        pool: usize,
        /// Which attempt says so.
        serial: u64,
    },
}

/// The returns of all pools. One shard of a pool returns at a time; others wait their turn.
pub struct Returns {
    pools: Vec<OfPool>,
    shared: Option<Arc<Shared>>,
    news: mpsc::UnboundedSender<News>,
    tasks: JoinSet<()>,
    serial: u64,
}

struct OfPool {
    settings: Arc<Pool>,
    ring: Arc<Ring>,
    /// In the order in which they answered; the first is at work.
    waiting: Vec<Return>,
    /// The task of the first, and its number.
    running: Option<(AbortHandle, u64)>,
    /// As published last, for [`bounds`].
    shares: Arc<Mutex<Vec<Share>>>,
    /// The task that keeps records within their limit.
    watcher: Option<AbortHandle>,
    /// Whether entries are marked as returned though the switch has not come.
    unswitched: Arc<AtomicBool>,
}

struct Return {
    shard: usize,
    share: Share,
}

impl Returns {
    /// None, and where they will tell of themselves.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<News>) {
        let (news, told) = mpsc::unbounded_channel();
        let (pools, tasks) = (Vec::new(), JoinSet::new());
        (Self { pools, shared: None, news, tasks, serial: 0 }, told)
    }

    /// The workers, without which nothing can be done about keys written elsewhere.
    pub fn set_workers(&mut self, shared: Arc<Shared>) {
        self.shared = Some(shared);
    }

    /// Begins to watch that records stay within their limits.
    pub fn watch_limits(&mut self) {
        (0..self.pools.len()).for_each(|pool| self.watch_limit(pool));
    }

    fn watch_limit(&mut self, pool: usize) {
        let Some(shared) = &self.shared else { return };
        let of_pool = &mut self.pools[pool];
        if let Some(watcher) = of_pool.watcher.take() {
            watcher.abort();
        }
        if matches!(of_pool.settings.rejoin, Rejoin::Clean | Rejoin::Move) {
            let (settings, shares) = (Arc::clone(&of_pool.settings), Arc::clone(&of_pool.shares));
            let watch = bounds::watch(settings, pool, shares, Arc::clone(shared));
            of_pool.watcher = Some(self.tasks.spawn(watch));
        }
    }

    /// Goes on by a pool's new configuration, in which the shards in `others` are gone or new. A
    /// return under way begins again from its records.
    pub fn follow(
        &mut self,
        pool: usize,
        (settings, ring): (&Arc<Pool>, &Arc<Ring>),
        others: &[usize],
    ) {
        if pool == self.pools.len() {
            self.pools.push(OfPool::new(Arc::clone(settings), Arc::clone(ring)));
        } else {
            let of_pool = &mut self.pools[pool];
            of_pool.settings = Arc::clone(settings);
            of_pool.ring = Arc::clone(ring);
            of_pool.waiting.retain(|one| !others.contains(&one.shard));
            if let Some(shared) = &self.shared {
                others.iter().for_each(|&home| shared.suspicions.settle(pool, home, u64::MAX));
            }
            if of_pool.running.is_some() {
                self.begin_again(pool);
            }
        }
        self.watch_limit(pool);
    }

    /// The health of a pool's shards as it is to be published: what the judges say, but for shards
    /// on their way back.
    pub fn published(&self, pool: usize, mut health: Vec<ShardHealth>) -> Vec<ShardHealth> {
        let of_pool = &self.pools[pool];
        for one in of_pool.waiting.iter().filter(|one| one.share != ALL) {
            health[one.shard].state = State::Returning;
            health[one.shard].share = one.share;
        }
        let mut shares = of_pool.shares.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *shares = health.iter().map(|shard| shard.share).collect();
        drop(shares);
        health
    }

    /// Takes note of shards that went out or answer again, before that is published. `health` is as
    /// the judges see it.
    pub fn changed(&mut self, pool: usize, health: &[ShardHealth], changes: &[Change]) {
        let has_workers = self.shared.is_some();
        let of_pool = &mut self.pools[pool];
        if changes.is_empty() || !of_pool.returns_slowly(has_workers) {
            return;
        }
        for change in changes.iter().filter(|change| change.to != State::Live) {
            of_pool.waiting.retain(|one| one.shard != change.shard);
            let is_other = |shard: &usize| *shard != change.shard && health[*shard].is_configured();
            let absent = (0..health.len()).filter(is_other);
            for home in absent.filter(|home| of_pool.is_absent(*home, health)) {
                if let Some(shared) = &self.shared {
                    // What was written at the one that went for the other cannot be asked for.
                    shared.suspicions.enter(pool, home, Why::Unrecorded);
                }
            }
        }
        let came = changes
            .iter()
            .filter(|change| (change.from, change.to) == (State::Ejected, State::Live));
        for change in came {
            of_pool.waiting.push(Return { shard: change.shard, share: NOTHING });
        }
        let is_there =
            |shard: usize| health[shard].is_configured() && !of_pool.is_absent(shard, health);
        let others = (0..health.len()).any(is_there);
        if !others && !of_pool.waiting.is_empty() {
            let name = &of_pool.settings.name;
            info!(
                pool = name,
                "pool {name}: nobody else is in, so the shards that answer serve at once"
            );
            of_pool.waiting.clear();
            if let Some(shared) = &self.shared {
                (0..health.len()).for_each(|home| shared.suspicions.settle(pool, home, u64::MAX));
            }
        }
        self.published(pool, health.to_vec());
        self.begin_again(pool);
    }

    /// Takes in what a return tells; the pool's index when something is to be published, and whom
    /// to tell when that is done.
    pub fn take(&mut self, news: News) -> Option<(usize, oneshot::Sender<()>)> {
        match news {
            News::Share { pool, serial, share, done } => {
                let of_pool = &mut self.pools[pool];
                if of_pool.running.as_ref().is_none_or(|(_, running)| *running != serial) {
                    return None;
                }
                of_pool.waiting.first_mut()?.share = share;
                of_pool.unswitched.store(false, Ordering::SeqCst);
                Some((pool, done))
            }
            News::Over { pool, serial } => {
                let of_pool = &mut self.pools[pool];
                if of_pool.running.as_ref().is_some_and(|(_, running)| *running == serial) {
                    of_pool.waiting.remove(0);
                    of_pool.running = None;
                    self.begin_again(pool);
                }
                None
            }
        }
    }

    /// Who is in has changed, or who is first: what was under way is begun again from its records.
    fn begin_again(&mut self, pool: usize) {
        let of_pool = &mut self.pools[pool];
        let crew = self.shared.clone().map(|shared| Crew { shared, pool });
        if let Some((task, _)) = of_pool.running.take() {
            task.abort();
            if let Some(crew) = &crew {
                crew.go_on();
            }
        }
        let Some(first) = of_pool.waiting.first() else { return };
        self.serial += 1;
        let course = Course {
            settings: Arc::clone(&of_pool.settings),
            ring: Arc::clone(&of_pool.ring),
            pool,
            home: first.shard,
            serial: self.serial,
            shares: of_pool.shares.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone(),
            unswitched: Arc::clone(&of_pool.unswitched),
            crew,
            news: self.news.clone(),
        };
        of_pool.running = Some((self.tasks.spawn(course.run()), self.serial));
    }
}

impl OfPool {
    fn new(settings: Arc<Pool>, ring: Arc<Ring>) -> Self {
        Self {
            ring,
            waiting: Vec::new(),
            running: None,
            shares: Arc::new(Mutex::new(vec![ALL; settings.servers.len()])),
            watcher: None,
            unswitched: Arc::default(),
            settings,
        }
    }

    fn returns_slowly(&self, has_workers: bool) -> bool {
        let does_more = self.settings.rejoin != Rejoin::Keep && has_workers;
        self.settings.auto_eject_hosts
            && self.settings.distribution != Distribution::Random
            && (does_more || !self.settings.slow_start.is_zero())
    }

    /// Whether a shard is out, or on its way back.
    fn is_absent(&self, shard: usize, health: &[ShardHealth]) -> bool {
        let is_returning = self.waiting.iter().any(|one| one.shard == shard && one.share != ALL);
        is_returning || health[shard].state != State::Live
    }
}
