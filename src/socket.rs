//! A stream socket, TCP, unix or TLS, as workers use it.
//!
//! Reads go through `poll_read`: a read that comes back short tells the runtime that the socket
//! is drained, so the next one costs no system call. Writes are tried at once and only wait
//! when the kernel's buffer is full. A TLS connection keeps what the kernel does not take of records
//! that are encrypted already: only after [`Socket::try_flush`] is all gone that was written.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, BytesMut};
use rustix::io::ioctl_fionread;
use rustix::net::sockopt::set_tcp_cork;
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::tls::stream::TlsStream;

/// A connected stream socket.
#[derive(Debug)]
pub enum Socket {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// A TCP connection that speaks TLS.
    Tls(Box<TlsStream>),
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
            Self::Tls(stream) => return stream.poll_read(cx, buffer),
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
            Self::Tls(stream) => stream.poll_read_onto(cx, buffer, limit),
        }
    }

    /// Writes what the kernel takes at once.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Tls(stream) => stream.try_write_vectored(&[IoSlice::new(bytes)]),
        }
    }

    /// Writes what the kernel takes at once of several slices.
    pub fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Unix(stream) => stream.try_write_vectored(slices),
            Self::Tls(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Writes what was taken already and waits here; `Ok(true)` when nothing is left.
    #[inline]
    pub fn try_flush(&mut self) -> io::Result<bool> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(true),
            Self::Tls(stream) => stream.try_flush(),
        }
    }

    /// The TCP connection, if it is one or runs over one.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Tls(stream) => Some(stream.tcp()),
            Self::Unix(_) => None,
        }
    }

    /// The address of the other side and our own, as Redis writes them in CLIENT LIST.
    pub fn addresses(&self) -> (String, String) {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.tcp(),
            Self::Unix(stream) => {
                let own = stream.local_addr().ok();
                let path = own.as_ref().and_then(|address| address.as_pathname());
                let shown = path.map_or_else(String::new, |path| format!("{}:0", path.display()));
                return (shown.clone(), shown);
            }
        };
        let shown = |address: io::Result<SocketAddr>| {
            address.map_or_else(|_| String::new(), |address| address.to_string())
        };
        (shown(stream.peer_addr()), shown(stream.local_addr()))
    }

    /// The number of its file descriptor, as CLIENT LIST tells it.
    pub fn descriptor(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
            Self::Tls(stream) => stream.tcp().as_raw_fd(),
        }
    }

    /// Whether anything came that was not read. A connection that cannot tell has nothing.
    pub fn has_unread(&mut self) -> bool {
        let waiting = match self {
            Self::Tcp(stream) => ioctl_fionread(stream),
            Self::Unix(stream) => ioctl_fionread(stream),
            Self::Tls(stream) => match stream.has_unread() {
                true => return true,
                false => ioctl_fionread(stream.tcp()),
            },
        };
        waiting.is_ok_and(|count| count > 0)
    }

    /// Has the other side's writes fail from now on, where the system can do that (unix sockets):
    /// then the end of the stream is read behind what was sent before. Whether it could.
    pub fn receives_no_more(&mut self) -> bool {
        match self {
            Self::Unix(stream) => shutdown(stream, Shutdown::Read).is_ok(),
            Self::Tcp(_) | Self::Tls(_) => false,
        }
    }

    /// Keeps the last packet back, for [`Self::finish`] to send it with the end of the stream.
    pub fn hold_last(&mut self) {
        if let Some(stream) = self.tcp() {
            // Without it the end comes in a packet of its own.
            let _ = set_tcp_cork(stream, true);
        }
    }

    /// Sends the end of the stream. What comes afterwards is not looked at.
    pub fn finish(&mut self) {
        // A connection that is broken has ended already.
        let _ = match self {
            Self::Tcp(stream) => shutdown(stream, Shutdown::Write),
            Self::Unix(stream) => shutdown(stream, Shutdown::Write),
            Self::Tls(stream) => {
                stream.say_goodbye();
                shutdown(stream.tcp(), Shutdown::Write)
            }
        };
    }

    /// Whether a write may succeed; otherwise the task is woken when it may.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Unix(stream) => stream.poll_write_ready(cx),
            Self::Tls(stream) => stream.tcp().poll_write_ready(cx),
        }
    }
}
