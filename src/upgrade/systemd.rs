//! systemd: sockets that it hands in, and what it wants to be told. Without it nothing happens here.

use std::os::fd::OwnedFd;
use std::time::Duration;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{AddressFamily, SocketType};
use sd_notify::NotifyState;

use super::inherited::{Handed, Inherited};

/// Whether systemd hands sockets in.
pub fn has_sockets() -> bool {
    std::env::var_os("LISTEN_FDS").is_some()
}

/// The listening sockets that systemd hands in (`LISTEN_FDS`). To be called once, before the process
/// has threads: the variables go.
///
/// # Errors
/// What is wrong with one of them.
pub fn sockets() -> Result<Inherited, String> {
    let mut handed = ListenFd::from_env();
    let mut inherited = Inherited::default();
    for index in 0..handed.len() {
        let socket = take(&mut handed, index).ok_or_else(|| {
            format!(
                "socket {index} of those that systemd hands in is none of a pool's: a \
                 `ListenStream=` of TCP or of a path is"
            )
        })?;
        rustix::io::ioctl_fionbio(&socket, true).map_err(|error| error.to_string())?;
        inherited.push(Handed { socket, is_lent: true });
    }
    Ok(inherited)
}

fn take(handed: &mut ListenFd, index: usize) -> Option<OwnedFd> {
    let stream = SocketType::STREAM.as_raw() as i32;
    let domains = [AddressFamily::INET, AddressFamily::UNIX];
    let socket = domains.into_iter().find_map(|domain| {
        let taken = handed.take_custom::<OwnedFd>(index, domain.as_raw().into(), stream, "stream");
        taken.ok().flatten()
    })?;
    socket_acceptconn(&socket).is_ok_and(|listens| listens).then_some(socket)
}

/// The process serves. Should it have taken over from another, it is the service's main process from
/// now on.
pub fn serving() {
    let pid = NotifyState::MainPid(std::process::id());
    tell(&[NotifyState::Ready, pid, NotifyState::Status("serving")]);
}

/// The process ends when its clients have.
pub fn draining() {
    tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// Another process serves in this one's place; the service goes on.
pub fn relieved() {
    tell(&[NotifyState::Status("another process has taken over")]);
}

/// The configuration is read anew, until [`serving`] says that it is over.
pub fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// Tells the watchdog that the control thread lives, twice as often as it asks for.
pub async fn feed_watchdog() {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(period.max(Duration::from_millis(2)) / 2);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

/// Nothing hangs on whether it hears it.
fn tell(news: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(news);
}
