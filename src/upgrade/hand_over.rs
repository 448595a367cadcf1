//! The running process's side: it hands its sockets to a new one that asks, and goes when that one
//! serves. If it does not come to that, nothing has happened.
//!
//! The runtime knows unix sockets of streams; these are of packets, and it need not know that.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, fchmod};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::gate::{Close, Gate, Listening};
use super::inherited::Inherited;
use super::wire;

/// Where new processes ask.
#[derive(Debug)]
pub struct Counter {
    socket: UnixListener,
    gate: Arc<Gate>,
    /// Keeps the socket among those that are handed over.
    _listening: Arc<Listening>,
}

impl Counter {
    /// Listens on `path`, for processes of the same user alone; on the socket of the process
    /// before, if that was taken over. Must be called within a runtime.
    ///
    /// # Errors
    /// When the path cannot be had.
    pub fn open(path: &Path, inherited: &mut Inherited, gate: &Arc<Gate>) -> Result<Self, String> {
        let opened = match inherited.take_unix(path, None) {
            Some(handed) => Ok(handed.socket),
            None => open(path),
        };
        let counter = opened.and_then(|socket| {
            let listening = gate.enter(&socket, Some(path.to_owned()), false)?;
            let socket = UnixListener::from_std(socket.into())?;
            Ok(Self { socket, gate: Arc::clone(gate), _listening: listening })
        });
        counter.map_err(|error| {
            format!(
                "upgrade_socket {} cannot be listened on: {error}; name a path in a directory \
                 that circlet may write to",
                path.display()
            )
        })
    }

    /// Serves until the sockets are in other hands.
    pub async fn serve(self) {
        loop {
            match self.socket.accept().await {
                Ok((connection, _)) => match self.hand_over(&connection).await {
                    Ok(pid) => return info!("process {pid} serves in this one's place"),
                    Err(error) => {
                        self.gate.set_files_stay(false);
                        warn!("nothing was handed over, going on: {error}");
                    }
                },
                Err(error) => {
                    warn!("the upgrade socket cannot accept: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Hands over to the process at the other end; its id when it serves.
    async fn hand_over(&self, connection: &UnixStream) -> io::Result<i32> {
        let pid = wire::trusted_peer(connection)?;
        match timeout(WORD_TIME, hear(connection)).await?? {
            words if words == wire::ASK => {}
            words => return Err(io::Error::other(format!("process {pid} says {words:?}"))),
        }
        info!("process {pid} takes over");
        // From here on it may have them, whatever becomes of it.
        self.gate.set_files_stay(true);
        let sockets = self.gate.sockets();
        for socket in &sockets {
            let words = if socket.is_lent() { wire::LENT } else { wire::OWN };
            say(connection, words, Some(socket)).await?;
        }
        say(connection, &format!("{} {}", wire::ALL, sockets.len()), None).await?;
        drop(sockets);
        match timeout(START_TIME, hear(connection)).await?? {
            words if words == wire::SERVING => {}
            words if words.is_empty() => {
                return Err(io::Error::other(format!("process {pid} ended before it served")));
            }
            words => return Err(io::Error::other(format!("process {pid} says {words:?}"))),
        }
        self.gate.close(Close::HandedOver).await;
        // It serves, whether it hears this or not.
        let _ = say(connection, wire::CLOSED, None).await;
        Ok(pid)
    }
}

async fn hear(connection: &UnixStream) -> io::Result<String> {
    let receive = || Ok(wire::receive(connection)?.0);
    connection.async_io(Interest::READABLE, receive).await
}

async fn say(
    connection: &UnixStream,
    words: &str,
    socket: Option<&Arc<Listening>>,
) -> io::Result<()> {
    let send = || wire::send(connection, words, socket.map(|socket| socket.as_fd()));
    timeout(WORD_TIME, connection.async_io(Interest::WRITABLE, send)).await?
}

/// A file that an earlier process left behind is replaced; one of another kind is not.
fn open(path: &Path) -> io::Result<OwnedFd> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // Before there is a file: whoever can connect can take the sockets.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen(&socket, WAITING)?;
    Ok(socket)
}

/// How long the other process may take for a word.
const WORD_TIME: Duration = Duration::from_secs(5);
/// How long it may take to start: to resolve names, for one.
const START_TIME: Duration = Duration::from_secs(60);
/// New processes that wait for their turn.
const WAITING: i32 = 4;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
