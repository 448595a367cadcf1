//! What the workers of a process know of each other: who is connected where, and how to ask.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::{Message, Worker};
use crate::access::Meters;
use crate::admin::counters::HealthCounters;
use crate::admin::memory::Shortage;
use crate::journal::{Journal, JournalSettings};
use crate::reload::{Reloader, Reloads};
use crate::shard::doors::Doors;
use crate::shard::rejoin::suspicion::Suspicions;
use crate::shard::scripts::ScriptCache;
use crate::subscription::Registries;
use crate::tls::keeper::Certificates;
use crate::upgrade::gate::Gate;

/// Shared by all workers; nothing on the way of a forwarded command looks at it.
#[derive(Debug)]
pub struct Shared {
    /// All connected clients by their number (CLIENT ID).
    pub clients: DashMap<u64, ClientPlace>,
    /// What clients listen to, by pool.
    pub subscriptions: Registries,
    /// When the process began to serve.
    pub started: Instant,
    /// The same for people and for LASTSAVE's kind.
    pub started_at: SystemTime,
    /// What tells this run of the process from all others: 40 hexadecimal digits, as in Redis.
    pub run_id: String,
    /// Which shards let in who says no password.
    pub doors: Arc<Doors>,
    /// What TLS handshakes of each pool take.
    pub certificates: Arc<Certificates>,
    /// What makes shards that are out suspect as a whole.
    pub suspicions: Suspicions,
    /// What the monitor counts; another one when pools or shards have come.
    pub health_counters: ArcSwap<HealthCounters>,
    /// What has the configuration reloaded, where there is a file.
    pub reloader: OnceLock<Reloader>,
    /// How often the configuration was reloaded.
    pub reloads: Arc<Reloads>,
    /// Whether the process has little memory left.
    pub shortage: Shortage,
    /// What the process listens on, and whether it is about to end.
    pub gate: Arc<Gate>,
    /// What is written down of single requests.
    pub journal: Journal,
    /// What the workers share of each pool.
    commons: RwLock<Vec<Arc<Commons>>>,
    inboxes: Vec<UnboundedSender<Message>>,
}

/// What all workers have in common of one pool.
#[derive(Debug)]
pub struct Commons {
    /// Its scripts.
    pub scripts: ScriptCache,
    /// What its users and addresses use up.
    pub meters: Meters,
}

impl Commons {
    /// Nothing yet, with room for so many bytes of scripts.
    pub fn new(script_cache: u64) -> Self {
        Self::of(ScriptCache::new(script_cache))
    }

    fn of(scripts: ScriptCache) -> Self {
        Self { scripts, meters: Meters::default() }
    }
}

/// Where a client's session is.
#[derive(Debug, Clone, Copy)]
pub struct ClientPlace {
    /// Index of the worker.
    pub worker: usize,
    /// The session's number there.
    pub session: u32,
    /// Index of the pool it talks to.
    pub pool: usize,
}

impl Shared {
    /// For the workers behind these inboxes; a cache of scripts for each pool.
    pub fn new(
        inboxes: Vec<UnboundedSender<Message>>,
        scripts: Vec<ScriptCache>,
        doors: Arc<Doors>,
        certificates: Arc<Certificates>,
    ) -> Self {
        let (started, started_at) = (Instant::now(), SystemTime::now());
        let run_id = (0..40).map(|_| fastrand::digit(16)).collect();
        Self {
            clients: DashMap::new(),
            subscriptions: Registries::default(),
            started,
            started_at,
            run_id,
            commons: RwLock::new(scripts.into_iter().map(Commons::of).map(Arc::new).collect()),
            doors,
            certificates,
            suspicions: Suspicions::default(),
            health_counters: ArcSwap::default(),
            reloader: OnceLock::new(),
            reloads: Arc::default(),
            shortage: Shortage::default(),
            gate: Arc::default(),
            journal: Journal::default(),
            inboxes,
        }
    }

    /// Has all workers write down of single requests what the settings say.
    ///
    /// # Errors
    /// See [`Journal::set`].
    pub fn set_journal(&self, settings: &JournalSettings) -> Result<(), String> {
        self.journal.set(settings)?;
        self.tell_all(Worker::follow_journal);
        Ok(())
    }

    /// What the workers share of pool `index`; of one that is new, a beginning with room for so many
    /// bytes of scripts.
    pub fn commons(&self, index: usize, script_cache: u64) -> Arc<Commons> {
        let mut commons = self.commons.write().unwrap_or_else(PoisonError::into_inner);
        while commons.len() <= index {
            commons.push(Arc::new(Commons::new(script_cache)));
        }
        Arc::clone(&commons[index])
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.inboxes.len()
    }

    /// Lets worker `index` do something when it gets to it, its own worker included.
    pub fn tell(&self, index: usize, what: impl FnOnce(&mut Worker) + Send + 'static) {
        // A worker that has ended needs no telling.
        let _ = self.inboxes[index].send(Message::Call(Call(Box::new(what))));
    }

    /// Lets every worker do something.
    pub fn tell_all(&self, what: impl Fn(&mut Worker) + Send + Clone + 'static) {
        for index in 0..self.inboxes.len() {
            self.tell(index, what.clone());
        }
    }

    /// Asks every worker; the answers of those that still run, in their order.
    pub async fn ask_all<T: Send + 'static>(
        &self,
        question: impl Fn(&mut Worker) -> T + Send + Clone + 'static,
    ) -> Vec<T> {
        let mut answers = Vec::with_capacity(self.inboxes.len());
        for index in 0..self.inboxes.len() {
            let (teller, answer) = oneshot::channel();
            let question = question.clone();
            self.tell(index, move |worker| {
                let _ = teller.send(question(worker));
            });
            answers.push(answer);
        }
        let mut told = Vec::with_capacity(answers.len());
        for answer in answers {
            told.extend(answer.await.ok());
        }
        told
    }
}

/// Something for a worker to do.
pub struct Call(pub(super) Box<dyn FnOnce(&mut Worker) + Send>);

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Call")
    }
}
