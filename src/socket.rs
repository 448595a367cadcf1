//! A stream socket, TCP or unix, as workers use it.
//!
//! Reads go through `poll_read`: a read that comes back short tells the runtime that the socket
//! is drained, so the next one costs no system call. Writes are tried at once and only wait
//! when the kernel's buffer is full.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected stream socket.
#[derive(Debug)]
pub enum Socket {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Reads into `buffer`; 0 is the end of the stream.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buffer);
        let polled = match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut read),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, &mut read),
        };
        polled.map_ok(|()| read.filled().len())
    }

    /// Appends at most `limit` bytes to `buffer`; 0 is the end of the stream.
    pub fn poll_read_onto(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let mut limited = buffer.limit(limit);
        match self {
            Self::Tcp(stream) => tokio_util::io::poll_read_buf(Pin::new(stream), cx, &mut limited),
            Self::Unix(stream) => tokio_util::io::poll_read_buf(Pin::new(stream), cx, &mut limited),
        }
    }

    /// Writes what the kernel takes at once.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// Writes what the kernel takes at once of several slices.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Unix(stream) => stream.try_write_vectored(slices),
        }
    }

    /// The address of the other side, of a TCP connection.
    pub fn peer(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(|address| address.ip()),
            Self::Unix(_) => None,
        }
    }

    /// The address of the other side and our own, as Redis writes them in CLIENT LIST.
    pub fn addresses(&self) -> (String, String) {
        match self {
            Self::Tcp(stream) => {
                let shown = |address: io::Result<SocketAddr>| {
                    address.map_or_else(|_| String::new(), |address| address.to_string())
                };
                (shown(stream.peer_addr()), shown(stream.local_addr()))
            }
            Self::Unix(stream) => {
                let own = stream.local_addr().ok();
                let path = own.as_ref().and_then(|address| address.as_pathname());
                let shown = path.map_or_else(String::new, |path| format!("{}:0", path.display()));
                (shown.clone(), shown)
            }
        }
    }

    /// The number of its file descriptor, as CLIENT LIST tells it.
    pub fn descriptor(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }

    /// Whether a write may succeed; otherwise the task is woken when it may.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Unix(stream) => stream.poll_write_ready(cx),
        }
    }
}
