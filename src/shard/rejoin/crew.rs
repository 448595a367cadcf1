//! What a return asks of the workers: to hold what concerns its keys, and to tell when what was in
//! flight is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::Trouble;
use crate::client::standstill::Standstill;
use crate::route::ring::Ring;
use crate::worker::Shared;

/// The workers, as a return of one pool sees them.
#[derive(Clone)]
pub(super) struct Crew {
    pub(super) shared: Arc<Shared>,
    pub(super) pool: usize,
}

impl Crew {
    /// From now on nothing is sent that concerns keys which move with the ring `after`.
    pub(super) async fn halt(&self, after: &Ring) {
        let (pool, after) = (self.pool, Arc::new(after.clone()));
        let until = Instant::now() + SAFETY;
        let standstill = Standstill { after, until };
        self.shared.ask_all(move |worker| worker.halt(pool, standstill.clone())).await;
    }

    /// What was held goes on.
    pub(super) fn go_on(&self) {
        let pool = self.pool;
        self.shared.tell_all(move |worker| worker.go_on(pool));
    }

    /// Waits until what is in flight now is answered.
    pub(super) async fn drain(&self, limit: Duration) -> Result<(), Trouble> {
        timeout(limit, self.drained()).await.map_err(|_| {
            Trouble(format!("requests in flight were not answered within {} ms", limit.as_millis()))
        })
    }

    async fn drained(&self) {
        let (pool, started) = (self.pool, Instant::now());
        for marks in self.shared.ask_all(move |worker| worker.mark_ends(pool)).await {
            for mark in marks {
                // A link that failed has answered too.
                let _ = mark.await;
            }
        }
        loop {
            // One that waits for something to happen would wait for ever.
            let waits = started.elapsed() < BLOCKED_AFTER;
            let busy = self.shared.ask_all(move |worker| worker.is_busy_apart(pool, waits)).await;
            if !busy.contains(&true) {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A worker goes on by itself after this time, many times the longest hold: it is for the case that
/// the control thread is gone.
pub(super) const SAFETY: Duration = Duration::from_secs(10);
/// A blocking command that is not answered after this time waits for somebody to write, whose write
/// is recorded.
const BLOCKED_AFTER: Duration = Duration::from_millis(20);
