//! Keeps each pool's certificates fresh: reads their files again when they change.
//!
//! A file that does not do leaves the old certificates in force and is told in the log, once.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;

use super::TlsError;
use super::files::{self, Connector};
use crate::config::{Config, Pool};

/// What is in force for one pool.
#[derive(Debug, Default)]
pub struct InForce {
    acceptor: ArcSwapOption<ServerConfig>,
    connector: ArcSwapOption<Connector>,
}

impl InForce {
    /// What handshakes with clients take; `None` where no address speaks TLS.
    pub fn acceptor(&self) -> Option<Arc<ServerConfig>> {
        self.acceptor.load_full()
    }

    /// What handshakes with shards take; `None` where they speak plainly.
    pub fn connector(&self) -> Option<Arc<Connector>> {
        self.connector.load_full()
    }

    /// Puts what the pool's files hold in force, all of it or nothing.
    fn load(&self, pool: &Pool) -> Result<(), TlsError> {
        let (acceptor, connector) = (files::acceptor(pool)?, files::connector(pool)?);
        self.acceptor.store(acceptor);
        self.connector.store(connector.map(Arc::new));
        Ok(())
    }
}

/// All pools' certificates, shared by the control thread and the workers.
#[derive(Debug)]
pub struct Certificates {
    pools: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    pool: Pool,
    in_force: Arc<InForce>,
    /// What the files looked like when they were read last.
    seen: Mutex<Vec<Option<Look>>>,
}

/// What tells that a file is another now: device, inode, length, and both times.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look([i64; 7]);

impl Certificates {
    /// Reads the files of all pools.
    ///
    /// # Errors
    /// The first file that does not do.
    pub fn load(config: &Config) -> Result<Self, TlsError> {
        let keep = |pool: &Pool| {
            let kept =
                Kept { pool: pool.clone(), in_force: Arc::default(), seen: Mutex::default() };
            kept.look_anew();
            kept.in_force.load(pool).map(|()| kept)
        };
        Ok(Self { pools: config.pools.iter().map(keep).collect::<Result<_, _>>()? })
    }

    /// What is in force for pool `index`, now and later.
    pub fn of_pool(&self, index: usize) -> Arc<InForce> {
        Arc::clone(&self.pools[index].in_force)
    }

    /// Whether any pool has files to look after.
    pub fn has_files(&self) -> bool {
        self.pools.iter().any(|kept| !kept.pool.tls.files().is_empty())
    }

    /// Reads all files again, whether they changed or not.
    pub fn reload(&self) {
        for kept in &self.pools {
            if !kept.pool.tls.files().is_empty() {
                kept.look_anew();
                kept.reload();
            }
        }
    }

    /// Reads the files of those pools again where one changed.
    pub fn reload_changed(&self) {
        for kept in &self.pools {
            if kept.look_anew() {
                kept.reload();
            }
        }
    }

    /// Looks for changes as long as it is polled.
    pub async fn watch(self: Arc<Self>) {
        if !self.has_files() {
            return;
        }
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            self.reload_changed();
        }
    }
}

impl Kept {
    /// Notes what the files look like now; whether that is different from before.
    fn look_anew(&self) -> bool {
        let looks: Vec<_> = self.pool.tls.files().into_iter().map(|(_, file)| look(file)).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = *seen != looks;
        *seen = looks;
        differs
    }

    fn reload(&self) {
        let pool = &self.pool.name;
        match self.in_force.load(&self.pool) {
            Ok(()) => tracing::warn!(pool, "certificates were read again and are in force"),
            Err(error) => tracing::error!(
                pool,
                "certificates were not replaced, the old ones stay in force: {error}"
            ),
        }
    }
}

fn look(file: &PathBuf) -> Option<Look> {
    let found = fs::metadata(file).ok()?;
    Some(Look([
        found.dev() as i64,
        found.ino() as i64,
        found.size() as i64,
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    ]))
}

/// The time between two looks at the files: a handful of system calls.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
