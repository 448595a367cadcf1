//! The listening sockets of the pools.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use crate::config::{Listen, Pool};
use crate::worker::Incoming;

/// A pool's listening socket. A unix socket's file goes with it.
#[derive(Debug)]
pub enum Listener {
    /// Listens on a TCP address.
    Tcp(TcpListener),
    /// Listens on a TCP address where clients speak TLS.
    Tls(TcpListener),
    /// Listens on a path.
    Unix(UnixListener, PathBuf),
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
    /// Opens the pool's sockets as its configuration says, the one for TLS last. Must be called
    /// within a runtime.
    pub fn open(pool: &Pool) -> Result<Vec<Self>, ListenError> {
        let plain = pool.listen.as_ref().map(|listen| Self::open_at(pool, listen, Self::Tcp));
        let tls = pool.tls.listen.as_ref().map(|listen| Self::open_at(pool, listen, Self::Tls));
        plain.into_iter().chain(tls).collect()
    }

    fn open_at(
        pool: &Pool,
        listen: &Listen,
        tcp: fn(TcpListener) -> Self,
    ) -> Result<Self, ListenError> {
        let (address, opened) = match listen {
            Listen::Tcp { host, port } => {
                let opened = open_tcp(host, *port, pool.backlog, pool.reuseport);
                (format!("{host}:{port}"), opened.map(tcp))
            }
            Listen::Unix { path, permissions } => {
                let opened = open_unix(path, *permissions, pool.backlog);
                (path.display().to_string(), opened.map(|it| Self::Unix(it, path.clone())))
            }
        };
        opened.map_err(|source| ListenError { pool: pool.name.clone(), address, source })
    }

    /// The port, of a TCP socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener) => {
                listener.local_addr().ok().map(|address| address.port())
            }
            Self::Unix(..) => None,
        }
    }

    /// Whether clients speak TLS there.
    pub fn speaks_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The next client's connection.
    pub async fn accept(&self) -> io::Result<Incoming> {
        match self {
            Self::Tcp(listener) => Ok(Incoming::Tcp(listener.accept().await?.0.into_std()?)),
            Self::Tls(listener) => Ok(Incoming::Tls(listener.accept().await?.0.into_std()?)),
            Self::Unix(listener, _) => Ok(Incoming::Unix(listener.accept().await?.0.into_std()?)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = fs::remove_file(path);
        }
    }
}

fn open_tcp(host: &str, port: u16, backlog: u32, reuseport: bool) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match open_address(address, backlog, reuseport) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn open_address(address: SocketAddr, backlog: u32, reuseport: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if reuseport {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog.min(i32::MAX as u32) as i32)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// A socket file that an earlier process left behind is replaced, as twemproxy does; a file of
/// another kind is not.
fn open_unix(path: &Path, permissions: Option<u32>, backlog: u32) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if let Some(permissions) = permissions {
        fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
    }
    socket.listen(backlog.min(i32::MAX as u32) as i32)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
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
