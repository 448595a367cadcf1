//! What a reload does to the running proxy, once all of the new configuration is known to do.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task;

use super::Order;
use super::changes::{Kind, PoolChange};
use super::layout::{self, Laid};
use super::posts::{self, Post};
use crate::admin::stats::StatsSource;
use crate::client::listener::Listener;
use crate::config::{Config, Pool, Tls};
use crate::route::Ring;
use crate::secret::Secret;
use crate::server::Desk;
use crate::shard::monitor::{Monitor, Turnover};
use crate::tls::keeper::Certificates;
use crate::worker::{Reshaped, Shared};

/// All of the running proxy that a reload touches.
pub(crate) struct Control {
    pub(crate) desk: Rc<RefCell<Desk>>,
    pub(crate) monitor: Rc<RefCell<Monitor>>,
    pub(crate) posts: RefCell<Vec<Post>>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) stats: StatsSource,
    /// When each shard that is gone went, by pool and shard.
    pub(crate) gone: RefCell<HashMap<(usize, usize), Instant>>,
}

/// One pool's part of a reload.
struct Step {
    laid: Laid,
    change: PoolChange,
    pool: Arc<Pool>,
    ring: Arc<Ring>,
    outdates_links: bool,
}

impl Control {
    /// Does what it is ordered, one after the other.
    pub(crate) async fn serve(self: Rc<Self>, mut orders: UnboundedReceiver<Order>) {
        while let Some(Order { config, certificates, done }) = orders.recv().await {
            // Whoever ordered it may be gone.
            let _ = done.send(self.reload(&config, &certificates).await);
        }
    }

    async fn reload(
        &self,
        new: &Config,
        certificates: &Certificates,
    ) -> Result<Vec<PoolChange>, String> {
        let free = self.free_places().await;
        let (running, rings) = self.desk.borrow().homes();
        let laid = layout::lay_out(&running, new, |pool, shard| free.contains(&(pool, shard)))?;
        let steps: Vec<Step> =
            laid.into_iter().map(|laid| Step::new(laid, &running, &rings)).collect();
        let wanting = steps.iter().filter(|step| step.laid.from.is_some());
        let wanting = wanting.map(|step| (step.laid.index, &*step.pool));
        let opened = posts::open(&self.posts.borrow(), wanting, &self.shared.gate);
        let opened = opened.map_err(|why| why.to_string())?;
        // Nothing can fail from here on.
        for step in &steps {
            self.adopt_certificates(step, certificates);
        }
        let steps: Vec<Step> = steps.into_iter().filter(|step| step.change.is_any()).collect();
        self.grow(&steps).await;
        self.switch(&steps);
        let mut present = self.posts.borrow_mut();
        posts::settle(&mut present, opened, |listener, post| {
            task::spawn_local(self.let_in(listener, post));
        });
        drop(present);
        self.empty_pools(&steps);
        Ok(steps.into_iter().map(|step| step.change).collect())
    }

    /// The clients of pools that are gone leave, each between two commands; those of pools that are
    /// back stay.
    fn empty_pools(&self, steps: &[Step]) {
        for step in steps {
            let (shared, pool) = (Arc::clone(&self.shared), step.laid.index);
            match step.change.kind {
                Kind::Stayed => {}
                Kind::Added => shared.stop_draining(Some(pool)),
                Kind::Removed => drop(task::spawn_local(async move {
                    shared.drain(Some(pool), POOL_EMPTY_AFTER).await;
                })),
            }
        }
    }

    fn adopt_certificates(&self, step: &Step, fresh: &Certificates) {
        match step.laid.from {
            Some(from) => self.certificates.adopt(step.laid.index, fresh, from),
            None => self.certificates.retire(step.laid.index),
        }
    }

    /// Gives the new shards their places, everywhere; who has which keys stays as it is until
    /// [`switch`](Self::switch).
    async fn grow(&self, steps: &[Step]) {
        let mut reshaped = Vec::with_capacity(steps.len());
        for step in steps {
            let (index, pool) = (step.laid.index, Arc::clone(&step.pool));
            let commons = self.shared.commons(index, pool.script_cache);
            commons.scripts.set_limit(pool.script_cache);
            self.desk.borrow_mut().enter(index, &pool, &step.ring);
            let Turnover { anew, removed } = &step.laid.turnover;
            let turnover =
                Turnover { anew: [&anew[..], &step.laid.back].concat(), removed: removed.clone() };
            let tls = self.certificates.of_pool(index);
            self.monitor.borrow_mut().follow(index, (&pool, &step.ring), &turnover, &tls);
            self.note_gone(index, &turnover);
            let (ring, outdates_links) = (Arc::clone(&step.ring), step.outdates_links);
            let anew = anew.as_slice().into();
            reshaped.push(Reshaped {
                pool: index,
                config: pool,
                ring,
                anew,
                outdates_links,
                commons,
            });
        }
        let reshaped: Arc<[Reshaped]> = reshaped.into();
        let counters = self.shared.ask_all({
            let reshaped = Arc::clone(&reshaped);
            move |worker| reshaped.iter().map(|pool| worker.adopt(pool)).last()
        });
        let counters: Vec<_> = counters.await.into_iter().flatten().collect();
        if !counters.is_empty() {
            self.desk.borrow_mut().count_by(&counters);
            let desk = self.desk.borrow();
            let pools = desk.pools.iter().enumerate().map(|(index, pool)| (index, &**pool));
            let pools = pools.filter(|(_, pool)| pool.shard_count() > 0);
            self.stats.follow(pools, counters, self.monitor.borrow().counters());
        }
        self.until_heard(reshaped).await;
    }

    /// Waits, though not for long, until the new shards have confirmed what clients listen to: what
    /// is published there is not lost then.
    async fn until_heard(&self, reshaped: Arc<[Reshaped]>) {
        let until = Instant::now() + HEARD_WITHIN;
        while Instant::now() < until {
            let reshaped = Arc::clone(&reshaped);
            let are_heard = move |worker: &mut crate::worker::Worker| {
                reshaped.iter().all(|pool| worker.is_heard(pool))
            };
            if self.shared.ask_all(are_heard).await.into_iter().all(|is_heard| is_heard) {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The keys live where the new configuration has them from here on.
    fn switch(&self, steps: &[Step]) {
        for step in steps {
            let index = step.laid.index;
            self.desk.borrow_mut().switch(index, &step.ring);
            let health = self.monitor.borrow().health(index);
            self.desk.borrow().publish(index, health);
        }
    }

    fn note_gone(&self, pool: usize, turnover: &Turnover) {
        let mut gone = self.gone.borrow_mut();
        gone.retain(|&(of, shard), _| of != pool || !turnover.anew.contains(&shard));
        gone.extend(turnover.removed.iter().map(|&shard| ((pool, shard), Instant::now())));
    }

    /// The places of shards that are gone for a while and that no worker knows of any more.
    async fn free_places(&self) -> Vec<(usize, usize)> {
        let old: Vec<(usize, usize)> = {
            let gone = self.gone.borrow();
            let is_old = |since: &Instant| since.elapsed() >= FREE_AFTER;
            gone.iter().filter(|(_, since)| is_old(since)).map(|(place, _)| *place).collect()
        };
        if old.is_empty() {
            return old;
        }
        let asked: Arc<[(usize, usize)]> = old.clone().into();
        let used = self.shared.ask_all(move |worker| {
            asked.iter().copied().filter(|&(pool, shard)| worker.uses(pool, shard)).collect()
        });
        let used: Vec<Vec<(usize, usize)>> = used.await;
        old.into_iter().filter(|place| !used.iter().flatten().any(|used| used == place)).collect()
    }

    /// Enters a socket that was opened at the start, and returns the task that lets clients in.
    pub(crate) fn open_post(
        &self,
        pool: usize,
        listener: Listener,
    ) -> impl Future<Output = ()> + use<> {
        let speaks_tls = listener.speaks_tls();
        let config = Arc::clone(&self.desk.borrow().pools[pool]);
        let address = if speaks_tls { &config.tls.listen } else { &config.listen };
        let address = address.clone().expect("a socket listens where its pool says");
        let post = Post::new(pool, address, speaks_tls);
        let serving = self.let_in(listener, &post);
        self.posts.borrow_mut().push(post);
        serving
    }

    /// The task that lets clients in at a post.
    fn let_in(&self, listener: Listener, post: &Post) -> impl Future<Output = ()> + use<> {
        let (desk, failing) = (Rc::clone(&self.desk), Rc::clone(&self.desk));
        post.serve(
            listener,
            move |stream, pool| desk.borrow_mut().admit(stream, pool),
            async move |error, pool| {
                let name = failing.borrow().pools[pool].name.clone();
                tracing::warn!(
                    pool = name,
                    %error,
                    "a client could not be accepted; raise the limit of open files if it is that"
                );
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            },
        )
    }
}

impl Step {
    fn new(laid: Laid, running: &[Arc<Pool>], rings: &[Arc<Ring>]) -> Self {
        let old = running.get(laid.index);
        let mut pool = laid.pool.clone();
        if let Some(old) = old {
            pool.redis_db = old.redis_db;
        }
        let (pool, ring) = (Arc::new(pool), Arc::new(Ring::new(&laid.pool)));
        let change = match old {
            _ if laid.from.is_none() => PoolChange::removed(&laid.pool),
            Some(old) if old.shard_count() > 0 => {
                let before = (&**old, &*rings[laid.index]);
                PoolChange::between(before, (&laid.pool, &ring))
            }
            _ => PoolChange::added(&laid.pool),
        };
        let outdates_links = old.is_some_and(|old| {
            change.kind == Kind::Stayed && how_to_speak(old) != how_to_speak(&laid.pool)
        });
        Self { laid, change, pool, ring, outdates_links }
    }
}

/// What decides how a link to a shard begins.
fn how_to_speak(pool: &Pool) -> (Option<&Secret>, Tls) {
    let to_clients = Tls::default();
    let to_shards = Tls {
        listen: to_clients.listen,
        cert_file: to_clients.cert_file,
        key_file: to_clients.key_file,
        ca_cert_file: to_clients.ca_cert_file,
        auth_clients: to_clients.auth_clients,
        user: to_clients.user,
        ..pool.tls.clone()
    };
    (pool.redis_auth.as_ref(), to_shards)
}

/// The clients of a pool that is gone have so long to come to an end of what they do: as those of a
/// process that ends.
const POOL_EMPTY_AFTER: Duration = Duration::from_secs(10);
/// Without descriptors left, accepting again at once would only spin.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);
/// What may know a shard by its index without a link to it (a procedure between two requests) is over
/// after this time.
const FREE_AFTER: Duration = Duration::from_secs(60);
/// A shard that does not confirm subscriptions holds up a reload for so long.
const HEARD_WITHIN: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
