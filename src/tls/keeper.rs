//! Keeps each pool's certificates fresh: reads their files again when they change.
//!
//! A file that does not do leaves the old certificates in force and is told in the log, once.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;

use super::TlsError;
use super::files::{self, Connector};
use crate::config::{Config, Pool, Tls};

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
    pools: RwLock<Vec<Arc<Kept>>>,
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
pub(crate) struct Look([i64; 7]);

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
        let kept = config.pools.iter().map(|pool| keep(pool).map(Arc::new));
        Ok(Self { pools: RwLock::new(kept.collect::<Result<_, _>>()?) })
    }

    /// Takes over what `fresh` read for its pool `from`, as that of pool `index`: it is in force from
    /// now on, wherever what was in force before is held on to.
    pub fn adopt(&self, index: usize, fresh: &Self, from: usize) {
        let fresh = Arc::clone(&fresh.kept()[from]);
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = pools.get_mut(index) else { return pools.push(fresh) };
        let in_force = Arc::clone(&known.in_force);
        in_force.acceptor.store(fresh.in_force.acceptor());
        in_force.connector.store(fresh.in_force.connector());
        let seen = Mutex::new(lock(&fresh.seen).clone());
        *known = Arc::new(Kept { pool: fresh.pool.clone(), in_force, seen });
    }

    fn kept(&self) -> Vec<Arc<Kept>> {
        self.pools.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is in force for pool `index`, now and later.
    pub fn of_pool(&self, index: usize) -> Arc<InForce> {
        Arc::clone(&self.pools.read().unwrap_or_else(PoisonError::into_inner)[index].in_force)
    }

    /// Pool `index` is gone: its files are looked after no longer.
    pub fn retire(&self, index: usize) {
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        let (pool, in_force) = (pools[index].pool.clone(), Arc::clone(&pools[index].in_force));
        let pool = Pool { tls: Tls::default(), ..pool };
        pools[index] = Arc::new(Kept { pool, in_force, seen: Mutex::default() });
    }

    /// Reads all files again, whether they changed or not.
    pub fn reload(&self) {
        for kept in self.kept() {
            if !kept.pool.tls.files().is_empty() {
                kept.look_anew();
                kept.reload();
            }
        }
    }

    /// Reads the files of those pools again where one changed.
    pub fn reload_changed(&self) {
        for kept in self.kept() {
            if kept.look_anew() {
                kept.reload();
            }
        }
    }

    /// Looks for changes as long as it is polled.
    pub async fn watch(self: Arc<Self>) {
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
        let mut seen = lock(&self.seen);
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

fn lock(seen: &Mutex<Vec<Option<Look>>>) -> MutexGuard<'_, Vec<Option<Look>>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a file looks like now; `None` if there is none.
pub(crate) fn look(file: &PathBuf) -> Option<Look> {
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
