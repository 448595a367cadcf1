//! Timers that run only while a pool has what they are for: `timeout`, `client_idle_timeout`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::{Worker, idle};

/// Which timers run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    timeouts: bool,
    idle: bool,
}

impl Worker {
    /// Starts the timers that pools have a need for by now; each ends when none has any more.
    pub(super) fn start_timers(&mut self) {
        let Some(worker) = self.this.upgrade() else { return };
        if self.timeout_period().is_some() && !self.timers.timeouts {
            self.timers.timeouts = true;
            tokio::task::spawn_local(sweep_timeouts(Rc::clone(&worker)));
        }
        if self.has_idle_limit() && !self.timers.idle {
            self.timers.idle = true;
            tokio::task::spawn_local(sweep_idle(worker));
        }
    }

    fn timeout_period(&self) -> Option<Duration> {
        let shortest = self.pools.iter().filter_map(|pool| pool.timeout).min()?;
        Some(Duration::from_millis(u64::from(shortest / 8).clamp(1, 100)))
    }

    fn has_idle_limit(&self) -> bool {
        self.pools.iter().any(|pool| !pool.config.client_idle_timeout.is_zero())
    }
}

async fn sweep_timeouts(worker: Rc<RefCell<Worker>>) {
    loop {
        let period = worker.borrow().timeout_period();
        let Some(period) = period else { break };
        tokio::time::sleep(period).await;
        worker.borrow_mut().sweep_timeouts();
    }
    worker.borrow_mut().timers.timeouts = false;
}

async fn sweep_idle(worker: Rc<RefCell<Worker>>) {
    while worker.borrow().has_idle_limit() {
        tokio::time::sleep(Duration::from_secs(1) / idle::TURNS as u32).await;
        worker.borrow_mut().sweep_idle();
    }
    worker.borrow_mut().timers.idle = false;
}
