//! Reload of the configuration while circlet serves.
//!
//! ```text
//!   HUP, POST /reload, a changed file
//!     └─► source ─ the whole file, its certificates ─► plan ─ what becomes of whom ─► listen
//!           └ wrong ─► the old one stays, and the reason is told      │
//!                                              apply ◄────────────────┘
//!            monitor ─ heartbeats ┤ workers ─ adopt ┤ ring ┤ listeners ┤ statistics
//! ```
//!
//! Nothing is touched before all of the new configuration is known to do. What then happens is
//! nowhere told to a client: indices of pools and shards stay ([`layout`]), links and sessions go on,
//! and what is under way ends where it began.

mod apply;
pub mod changes;
pub mod layout;
pub mod posts;
pub mod watch;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

pub(crate) use apply::Control;
use changes::PoolChange;

use crate::config::Config;
use crate::tls::keeper::Certificates;

/// Gives the configuration as it is written now, and what of the process's settings is written
/// differently from how it runs; or why it does not do.
pub type Source = dyn Fn() -> Result<Read, String> + Send + Sync;

/// What was read for a reload.
#[derive(Debug)]
pub struct Read {
    /// The configuration, validated.
    pub config: Config,
    /// The files that it was read from.
    pub files: Vec<PathBuf>,
    /// Settings of the process that are others now, as "threads (2, written: 4)".
    pub needs_restart: Vec<String>,
}

/// What a reload did.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What has become of each pool that is not as it was.
    pub pools: Vec<PoolChange>,
    /// What is written and takes a restart to be done.
    pub needs_restart: Vec<String>,
}

/// For a log or a person: a line for each pool.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Report {
    /// A line for each pool that has changed and for what needs a restart, or one that says that
    /// nothing has changed.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.pools.iter().map(PoolChange::to_string).collect();
        if lines.is_empty() {
            lines.push("nothing has changed".to_owned());
        }
        if !self.needs_restart.is_empty() {
            let all = self.needs_restart.join(", ");
            lines.push(format!("not changed, for it needs a restart: {all}"));
        }
        lines
    }
}

/// How often reloads were done, and refused.
#[derive(Debug, Default)]
pub struct Reloads {
    done: AtomicU64,
    refused: AtomicU64,
}

impl Reloads {
    /// Reloads that were done, those that changed nothing included.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Reloads of a configuration that did not do.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Has a running proxy take over the configuration as it is written now.
#[derive(Clone)]
pub struct Reloader {
    source: Arc<Source>,
    orders: mpsc::UnboundedSender<Order>,
    reloads: Arc<Reloads>,
    /// Of the configuration in force.
    files: Arc<Mutex<Vec<PathBuf>>>,
}

/// A configuration on its way to the running proxy.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) config: Config,
    pub(crate) certificates: Certificates,
    pub(crate) done: oneshot::Sender<Result<Vec<PoolChange>, String>>,
}

impl Reloader {
    pub(crate) fn new(
        source: Arc<Source>,
        orders: mpsc::UnboundedSender<Order>,
        reloads: Arc<Reloads>,
    ) -> Self {
        Self { source, orders, reloads, files: Arc::default() }
    }

    /// The configuration in force was read from these files.
    pub fn with_files(self, files: Vec<PathBuf>) -> Self {
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        self
    }

    /// The files that the configuration in force was read from.
    pub fn files(&self) -> Vec<PathBuf> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reloads; `by` says in the log who wanted it. Reloads wait for each other.
    ///
    /// # Errors
    /// Why the configuration does not do, in lines for a person; the old one is in force.
    pub async fn reload(&self, by: &str) -> Result<Report, String> {
        let outcome = self.try_reload().await;
        match &outcome {
            Ok(report) => {
                self.reloads.done.fetch_add(1, Ordering::Relaxed);
                for line in report.lines() {
                    tracing::info!("configuration reloaded ({by}): {line}");
                }
            }
            Err(why) => {
                self.reloads.refused.fetch_add(1, Ordering::Relaxed);
                for line in why.lines() {
                    tracing::error!("configuration not reloaded ({by}), the old one stays: {line}");
                }
            }
        }
        outcome
    }

    async fn try_reload(&self) -> Result<Report, String> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || {
            let read = source()?;
            let certificates = Certificates::load(&read.config).map_err(|why| why.to_string())?;
            Ok::<_, String>((read, certificates))
        });
        let (Read { config, files, needs_restart }, certificates) =
            read.await.map_err(|_| "the configuration could not be read".to_owned())??;
        let (done, told) = oneshot::channel();
        let stopping = || "circlet is shutting down".to_owned();
        let order = Order { config, certificates, done };
        self.orders.send(order).map_err(|_| stopping())?;
        let pools = told.await.map_err(|_| stopping())??;
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        let mut report = Report { pools, needs_restart };
        let of_pools = report.pools.iter_mut().flat_map(|pool| {
            let name = pool.name.clone();
            pool.needs_restart.iter().map(move |key| format!("{key} of pool {name}"))
        });
        let of_pools: Vec<String> = of_pools.collect();
        report.needs_restart.extend(of_pools);
        Ok(report)
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloader")
    }
}
