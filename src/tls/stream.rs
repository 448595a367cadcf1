//! A TLS connection as workers read and write it.
//!
//! ```text
//!   socket ─ one read ─► ciphertext ─► rustls ─► plaintext ─► the caller's buffer
//!                        └─ what no longer fits waits in `received`
//!   slices ─► rustls: records of up to 16 KiB ─► socket; what the kernel does not take waits there
//! ```
//!
//! A short read does not mean that nothing more is there: only `Pending` does. At most
//! [`WRITE_AHEAD`] bytes are taken before the kernel has taken those before them, so that a peer
//! that stops reading is felt as with TCP.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use rustls::Connection;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// See the module. Dropped, it says goodbye (close_notify) if there is room.
#[derive(Debug)]
pub struct TlsStream {
    stream: TcpStream,
    connection: Connection,
    /// Ciphertext that was read and not decrypted, as the caller had no room for more.
    received: Vec<u8>,
}

impl TlsStream {
    /// A connection whose handshake is over.
    pub fn new(stream: TcpStream, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(WRITE_AHEAD));
        Self { stream, connection, received: Vec::new() }
    }

    /// What it runs over.
    pub fn tcp(&self) -> &TcpStream {
        &self.stream
    }

    /// The peer's certificate, if it showed one; then it was verified.
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.connection.peer_certificates().and_then(<[_]>::first)
    }

    /// Reads into `buffer`; 0 is the end of the stream, by close_notify or without.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut into = Into { buffer, filled: 0, ended: false };
        if !self.received.is_empty() {
            let received = std::mem::take(&mut self.received);
            self.received = self.decrypt(&received, &mut into)?.to_vec();
        } else {
            self.decrypt(&[], &mut into)?;
        }
        while into.filled == 0 && !into.ended {
            let count = CIPHERTEXT.with_borrow_mut(|ciphertext| {
                let mut read = ReadBuf::new(ciphertext);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
                let rest = self.decrypt(read.filled(), &mut into)?;
                self.received.extend_from_slice(rest);
                Poll::Ready(io::Result::Ok(read.filled().len()))
            });
            if ready!(count)? == 0 {
                break;
            }
        }
        Poll::Ready(Ok(into.filled))
    }

    /// Appends at most `limit` bytes to `buffer`; 0 is the end of the stream.
    pub fn poll_read_onto(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.len();
        buffer.resize(before + limit.min(CIPHERTEXT_READ), 0);
        let read = self.poll_read(cx, &mut buffer[before..]);
        let count = match &read {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        buffer.truncate(before + count);
        read
    }

    /// Writes what there is room for of several slices; `WouldBlock` while earlier bytes wait.
    pub fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.push()?;
        let count = self.connection.writer().write_vectored(slices)?;
        match self.push() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Writes what waits here; `Ok(true)` when nothing is left.
    pub fn try_flush(&mut self) -> io::Result<bool> {
        match self.push() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether bytes came that the caller has not got. What is broken has none.
    pub fn has_unread(&mut self) -> bool {
        let state = self.connection.process_new_packets();
        !self.received.is_empty() || state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
    }

    /// Says that nothing more comes (close_notify), if there is room.
    pub fn say_goodbye(&mut self) {
        self.connection.send_close_notify();
        let _ = self.push();
    }

    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Kernel(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Decrypts as much as the caller has room for; returns the ciphertext that is left.
    fn decrypt<'a>(
        &mut self,
        mut ciphertext: &'a [u8],
        into: &mut Into<'_>,
    ) -> io::Result<&'a [u8]> {
        loop {
            match self.connection.reader().read(&mut into.buffer[into.filled..]) {
                Ok(0) if into.is_full() => return Ok(ciphertext),
                Ok(0) => {
                    into.ended = true;
                    return Ok(&[]);
                }
                Ok(count) => into.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if into.is_full() || ciphertext.is_empty() {
                return Ok(ciphertext);
            }
            self.connection.read_tls(&mut ciphertext)?;
            let state = self.connection.process_new_packets();
            // An alert, or the answer to a change of keys. What finds no room goes with the next
            // bytes.
            if self.connection.wants_write() {
                let _ = self.push();
            }
            state.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.say_goodbye();
    }
}

/// The caller's buffer.
struct Into<'a> {
    buffer: &'a mut [u8],
    filled: usize,
    ended: bool,
}

impl Into<'_> {
    fn is_full(&self) -> bool {
        self.filled == self.buffer.len()
    }
}

/// The socket as rustls writes to it.
struct Kernel<'a>(&'a TcpStream);

impl Write for Kernel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

thread_local! {
    /// Where the connections of a thread read into; none of them keeps a buffer of its own.
    static CIPHERTEXT: RefCell<Vec<u8>> = RefCell::new(vec![0; CIPHERTEXT_READ]);
}

/// A read takes up to this many bytes: four records of the largest size and their headers.
const CIPHERTEXT_READ: usize = 68 * 1024;
/// Bytes that are encrypted ahead of the kernel: four records, a system call's worth.
const WRITE_AHEAD: usize = 64 * 1024;
