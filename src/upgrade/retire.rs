//! How a process ends: it lets its clients finish, within a time.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::gate::{Close, Listening};
use super::systemd;
use crate::worker::Shared;

/// The times of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long clients are still let in after it was announced.
    pub delay: Duration,
    /// How long they may take to come to an end.
    pub timeout: Duration,
}

impl Default for Patience {
    /// That of Redis's `shutdown-timeout`.
    fn default() -> Self {
        Self { delay: Duration::ZERO, timeout: Duration::from_secs(10) }
    }
}

/// Ends the service: announces it, lets nobody in any more, and waits for all clients to leave.
pub async fn end(shared: Arc<Shared>, patience: Patience) {
    systemd::draining();
    shared.gate.announce();
    if !patience.delay.is_zero() {
        info!("still serving for {} ms (drain_delay)", patience.delay.as_millis());
        tokio::time::sleep(patience.delay).await;
    }
    shared.gate.close(Close::Ending).await;
    leave(&shared, patience.timeout).await;
}

/// Ends a process in whose place another serves; never, while there is none.
pub async fn relieved(shared: Arc<Shared>, patience: Patience) {
    shared.gate.handed_over().await;
    systemd::relieved();
    leave(&shared, patience.timeout).await;
}

/// Enters a socket that is no pool's among those that are handed over.
///
/// # Errors
/// A sentence for the operator when there is no descriptor left.
pub fn enter(shared: &Shared, socket: impl AsFd) -> Result<Arc<Listening>, String> {
    let entered = shared.gate.enter(socket, None, false);
    entered.map_err(|error| format!("cannot start: {error}; raise the limit of open files"))
}

/// Serves what is no pool until another process does.
pub async fn until_handed_over(socket: Arc<Listening>, serve: impl Future<Output = ()>) {
    tokio::select! {
        () = serve => {}
        () = socket.gate().handed_over() => {}
    }
}

async fn leave(shared: &Shared, timeout: Duration) {
    let clients = shared.clients.len();
    info!("nobody is let in any more; {clients} clients leave, each between two commands");
    match shared.drain(None, timeout).await {
        0 => info!("all clients have left"),
        closed => warn!(
            "{closed} clients disconnected in the middle of what they did: drain_timeout, {} ms",
            timeout.as_millis()
        ),
    }
}
