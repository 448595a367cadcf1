//! The new process's side: it asks the one that runs for its sockets, and tells it when it serves.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use tracing::{info, warn};

use super::gate::Gate;
use super::inherited::{Handed, Inherited};
use super::wire;

/// A process that handed its sockets over and goes on serving until it is told.
#[derive(Debug)]
pub struct Predecessor {
    connection: OwnedFd,
    /// Its id.
    pub pid: i32,
}

/// Why nothing could be taken over.
#[derive(Debug, thiserror::Error)]
#[error(
    "the circlet behind {path} does not hand its sockets over: {source}; it goes on serving. Try \
     again, or stop it first"
)]
pub struct TakeOverError {
    path: String,
    source: io::Error,
}

/// Takes over from the process that listens on `path`; `None` where no process does.
///
/// # Errors
/// When there is one that does not hand over within [`PATIENCE`].
pub fn take_over(
    path: &Path,
    inherited: &mut Inherited,
) -> Result<Option<Predecessor>, TakeOverError> {
    let asked = ask(path, inherited);
    asked.map_err(|source| TakeOverError { path: path.display().to_string(), source })
}

fn ask(path: &Path, inherited: &mut Inherited) -> io::Result<Option<Predecessor>> {
    let connection =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&connection, Timeout::Recv, Some(PATIENCE))?;
    set_socket_timeout(&connection, Timeout::Send, Some(PATIENCE))?;
    match connect(&connection, &SocketAddrUnix::new(path)?) {
        Ok(()) => {}
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let pid = wire::trusted_peer(&connection)?;
    wire::send(&connection, wire::ASK, None)?;
    let mut count = 0;
    loop {
        let (words, socket) = wire::receive(&connection)?;
        match (&words[..], socket) {
            (wire::OWN, Some(socket)) => inherited.push(Handed { socket, is_lent: false }),
            (wire::LENT, Some(socket)) => inherited.push(Handed { socket, is_lent: true }),
            (words, None) if words == format!("{} {count}", wire::ALL) => break,
            ("", None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            (words, _) => return Err(io::Error::other(format!("it says {words:?}"))),
        }
        count += 1;
    }
    Ok(Some(Predecessor { connection, pid }))
}

impl Predecessor {
    /// Tells it that this process serves, and waits until it lets nobody in any more. Files of unix
    /// sockets are this process's from then on. Must be called within a runtime.
    pub async fn relieve(self, gate: Arc<Gate>) {
        let pid = self.pid;
        gate.set_files_stay(false);
        // Its words may take a while, and this thread has other things to do.
        match tokio::task::spawn_blocking(move || self.tell()).await {
            Ok(Ok(())) => info!("took over from process {pid}, whose clients leave now"),
            Ok(Err(error)) => warn!("process {pid}, from which this one took over: {error}"),
            Err(_) => {}
        }
    }

    fn tell(self) -> io::Result<()> {
        wire::send(&self.connection, wire::SERVING, None)?;
        match &wire::receive(&self.connection)?.0[..] {
            wire::CLOSED => Ok(()),
            "" => Err(io::Error::other("it has ended")),
            words => Err(io::Error::other(format!("it says {words:?}"))),
        }
    }
}

/// How long the other process may take for an answer: it has nothing to do for it.
const PATIENCE: Duration = Duration::from_secs(3);
