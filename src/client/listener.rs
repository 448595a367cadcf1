//! The listening sockets of the pools.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::net::SocketFlags;
use socket2::{Domain, SockAddr, Type};
use tokio::net::{TcpListener, UnixListener};

use crate::config::{Listen, Pool};
use crate::upgrade::gate::{Close, Gate, Listening, Turnstile};
use crate::upgrade::inherited::Inherited;
use crate::worker::Incoming;

/// A pool's listening socket, opened here or elsewhere.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// Also among those that a new process gets.
    listening: Arc<Listening>,
    /// From the start on: a gate that closes waits for all that there are.
    turnstile: Turnstile,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    /// Clients speak TLS there.
    Tls(TcpListener),
    Unix(UnixListener),
}

/// Why a pool cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("pool '{pool}' cannot listen on {address}: {source}{}", remedy(.source))]
pub struct ListenError {
    pool: String,
    address: String,
    source: io::Error,
}

impl Listener {
    /// Opens the pool's sockets as its configuration says, the one for TLS last; those that are
    /// `inherited` are open already. Must be called within a runtime.
    pub fn open(
        pool: &Pool,
        inherited: &mut Inherited,
        gate: &Arc<Gate>,
    ) -> Result<Vec<Self>, ListenError> {
        let mut open = |listen: &Listen, tcp: fn(TcpListener) -> Socket| {
            Self::open_at(pool, listen, inherited, gate, tcp)
                .map_err(|source| ListenError::new(pool, listen, source))
        };
        let plain = pool.listen.as_ref().map(|listen| open(listen, Socket::Tcp)).transpose()?;
        let tls = pool.tls.listen.as_ref().map(|listen| open(listen, Socket::Tls)).transpose()?;
        Ok(plain.into_iter().chain(tls).collect())
    }

    fn open_at(
        pool: &Pool,
        listen: &Listen,
        inherited: &mut Inherited,
        gate: &Arc<Gate>,
        tcp: fn(TcpListener) -> Socket,
    ) -> io::Result<Self> {
        let backlog = Some(pool.backlog);
        let (handed, file) = match listen {
            Listen::Tcp { host, port } => (inherited.take_tcp(host, *port, backlog)?, None),
            Listen::Unix { path, .. } => (inherited.take_unix(path, backlog), Some(path.clone())),
        };
        let is_lent = handed.as_ref().is_some_and(|handed| handed.is_lent);
        let opened = handed.map(|handed| handed.socket);
        let socket: OwnedFd = match listen {
            Listen::Tcp { host, port } => {
                opened.map_or_else(|| open_tcp(host, *port, pool.backlog, pool.reuseport), Ok)?
            }
            Listen::Unix { path, permissions } => {
                opened.map_or_else(|| open_unix(path, *permissions, pool.backlog), Ok)?
            }
        };
        let listening = gate.enter(&socket, file, is_lent)?;
        let socket = match listen {
            Listen::Tcp { .. } => tcp(TcpListener::from_std(socket.into())?),
            Listen::Unix { .. } => Socket::Unix(UnixListener::from_std(socket.into())?),
        };
        Ok(Self { socket, listening, turnstile: gate.turnstile() })
    }

    /// The port, of a TCP socket.
    pub fn port(&self) -> Option<u16> {
        match &self.socket {
            Socket::Tcp(listener) | Socket::Tls(listener) => {
                listener.local_addr().ok().map(|address| address.port())
            }
            Socket::Unix(_) => None,
        }
    }

    /// Whether clients speak TLS there.
    pub fn speaks_tls(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    /// The next client's connection.
    pub async fn accept(&self) -> io::Result<Incoming> {
        match &self.socket {
            Socket::Tcp(listener) => Ok(Incoming::Tcp(listener.accept().await?.0.into_std()?)),
            Socket::Tls(listener) => Ok(Incoming::Tls(listener.accept().await?.0.into_std()?)),
            Socket::Unix(listener) => Ok(Incoming::Unix(listener.accept().await?.0.into_std()?)),
        }
    }

    /// Done when nobody is to be let in any more: then it is to be [closed](Self::close).
    pub async fn closed(&self) -> Close {
        self.turnstile.closed().await
    }

    /// Lets nobody in any more. Those who wait to be are returned, unless another process has the
    /// socket too and will serve them.
    pub fn close(self, why: Close) -> Vec<Incoming> {
        if why == Close::HandedOver || self.listening.is_lent() {
            return Vec::new();
        }
        let next = || match &self.socket {
            Socket::Tcp(listener) => Ok(Incoming::Tcp(accept_now(listener)?.into())),
            Socket::Tls(listener) => Ok(Incoming::Tls(accept_now(listener)?.into())),
            Socket::Unix(listener) => Ok(Incoming::Unix(accept_now(listener)?.into())),
        };
        std::iter::from_fn(|| io::Result::ok(next())).collect()
    }
}

impl ListenError {
    fn new(pool: &Pool, listen: &Listen, source: io::Error) -> Self {
        let address = match listen {
            Listen::Tcp { host, port } => format!("{host}:{port}"),
            Listen::Unix { path, .. } => path.display().to_string(),
        };
        Self { pool: pool.name.clone(), address, source }
    }
}

/// Without the runtime, which may not have heard yet of one that has just come.
fn accept_now(listener: &impl AsFd) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::accept_with(listener, flags)?)
}

fn open_tcp(host: &str, port: u16, backlog: u32, reuseport: bool) -> io::Result<OwnedFd> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match open_address(address, backlog, reuseport) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn open_address(address: SocketAddr, backlog: u32, reuseport: bool) -> io::Result<OwnedFd> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if reuseport {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog.min(i32::MAX as u32) as i32)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A socket file that an earlier process left behind is replaced, as twemproxy does; a file of
/// another kind is not.
fn open_unix(path: &Path, permissions: Option<u32>, backlog: u32) -> io::Result<OwnedFd> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if let Some(permissions) = permissions {
        fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
    }
    socket.listen(backlog.min(i32::MAX as u32) as i32)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process listens there: stop it or choose another `listen`"
        }
        io::ErrorKind::PermissionDenied => {
            "; use a port from 1024 up or a directory that circlet may write to"
        }
        io::ErrorKind::AddrNotAvailable => "; the address is none of this machine",
        _ => "",
    }
}
