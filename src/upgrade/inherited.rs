//! Listening sockets that this process did not open: from systemd, or from the process before it.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::net::{SocketAddrAny, SocketAddrUnix, getsockname, listen, sockopt};

/// Sockets that wait for whoever is configured to listen there.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Handed>);

/// A listening socket from elsewhere.
#[derive(Debug)]
pub struct Handed {
    /// The socket; non-blocking.
    pub socket: OwnedFd,
    /// Whether systemd keeps it open.
    pub is_lent: bool,
}

impl Inherited {
    /// Adds a socket.
    pub fn push(&mut self, handed: Handed) {
        self.0.push(handed);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether another circlet has these sockets too, so that files of unix sockets are not this
    /// process's until it serves.
    pub fn are_shared(&self) -> bool {
        self.0.iter().any(|one| !one.is_lent)
    }

    /// The socket that listens on one of the addresses of `host`, with room for `backlog`
    /// connections that wait, where one is given.
    ///
    /// # Errors
    /// When the host has no address.
    pub fn take_tcp(
        &mut self,
        host: &str,
        port: u16,
        backlog: Option<u32>,
    ) -> io::Result<Option<Handed>> {
        if self.is_empty() {
            return Ok(None);
        }
        let wanted: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
        let is_wanted = |one: &Handed| {
            let own = getsockname(&one.socket).ok().and_then(|own| SocketAddr::try_from(own).ok());
            own.is_some_and(|own| wanted.iter().any(|wanted| serves(one, own, *wanted)))
        };
        Ok(self.take(is_wanted, backlog))
    }

    /// The socket that listens on this path.
    pub fn take_unix(&mut self, path: &Path, backlog: Option<u32>) -> Option<Handed> {
        let is_wanted = |one: &Handed| match getsockname(&one.socket).map(SocketAddrUnix::try_from)
        {
            Ok(Ok(own)) => own.path_bytes() == Some(path.as_os_str().as_bytes()),
            _ => false,
        };
        self.take(is_wanted, backlog)
    }

    /// Where those listen that nobody has taken.
    pub fn rest(&self) -> Vec<String> {
        self.0.iter().map(|one| shown(&one.socket)).collect()
    }

    fn take(
        &mut self,
        is_wanted: impl Fn(&Handed) -> bool,
        backlog: Option<u32>,
    ) -> Option<Handed> {
        let index = self.0.iter().position(is_wanted)?;
        let handed = self.0.swap_remove(index);
        if let Some(backlog) = backlog {
            // With another queue it serves as well.
            let _ = listen(&handed.socket, backlog.min(i32::MAX as u32) as i32);
        }
        Some(handed)
    }
}

/// Whether a socket with the address `own` hears who connects to `wanted`. systemd's
/// `ListenStream=22121` is `[::]:22121`, which takes IPv4 as well.
fn serves(one: &Handed, own: SocketAddr, wanted: SocketAddr) -> bool {
    let takes_all = own.ip().is_unspecified()
        && own.is_ipv6()
        && wanted.ip() == IpAddr::from([0, 0, 0, 0])
        && own.port() == wanted.port();
    own == wanted || (takes_all && sockopt::ipv6_v6only(&one.socket).is_ok_and(|only| !only))
}

fn shown(socket: &OwnedFd) -> String {
    let own: Option<SocketAddrAny> = getsockname(socket).ok();
    let unix = own.as_ref().and_then(|own| SocketAddrUnix::try_from(own.clone()).ok());
    if let Some(path) = unix.as_ref().and_then(SocketAddrUnix::path_bytes) {
        return String::from_utf8_lossy(path).into_owned();
    }
    let tcp = own.and_then(|own| SocketAddr::try_from(own).ok());
    tcp.map_or_else(|| "an address of an unknown kind".into(), |own| own.to_string())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn with(socket: impl Into<OwnedFd>) -> Inherited {
        Inherited(vec![Handed { socket: socket.into(), is_lent: false }])
    }

    #[test]
    fn a_socket_is_found_by_its_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut inherited = with(listener);
        assert!(inherited.take_tcp("127.0.0.1", port ^ 1, None).unwrap().is_none());
        assert!(inherited.take_tcp("0.0.0.0", port, None).unwrap().is_none());
        assert_eq!(inherited.rest(), [format!("127.0.0.1:{port}")]);
        assert!(inherited.take_tcp("localhost", port, Some(5)).unwrap().is_some());
        assert!(inherited.is_empty());
    }

    #[test]
    fn a_socket_for_all_addresses_serves_ipv4_too() {
        let Ok(listener) = TcpListener::bind("[::]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        let mut inherited = with(listener);
        assert!(inherited.take_tcp("127.0.0.1", port, None).unwrap().is_none());
        assert!(inherited.take_tcp("0.0.0.0", port, None).unwrap().is_some());
    }

    #[test]
    fn a_unix_socket_is_found_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.sock");
        let mut inherited = with(UnixListener::bind(&path).unwrap());
        assert!(inherited.take_unix(&folder.path().join("other.sock"), None).is_none());
        assert_eq!(inherited.rest(), [path.display().to_string()]);
        assert!(inherited.take_unix(&path, None).is_some());
    }
}
