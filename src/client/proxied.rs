//! Takes in connections that come through a proxy which says whom it speaks for: its header is
//! read before the session starts, and not a byte more.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;

use super::origin::{self, Header, HeaderFault, LONGEST_BINARY, Origin};
use crate::config::Pool;
use crate::resp::Request;
use crate::socket::Socket;
use crate::worker::Worker;

/// Has a connection served, once the proxy has said whom it speaks for where one that the pool
/// trusts is at the other end.
pub(crate) fn admit(
    worker: &Rc<RefCell<Worker>>,
    mut socket: Socket,
    pool: usize,
    id: u64,
    serve: impl FnOnce(&Rc<RefCell<Worker>>, Socket, Option<Box<Origin>>) + 'static,
) {
    let config = Arc::clone(&worker.borrow().pools[pool].config);
    let trusted = config.proxy_protocol_from.as_ref();
    if !trusted.is_some_and(|trusted| trusted.contain(origin::socket_ip(&socket))) {
        return serve(worker, socket, None);
    }
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        match origin_of(&socket).await {
            Ok(origin) => serve(&worker, socket, origin),
            Err(fault) => {
                refuse(&config, &mut socket, id, fault.as_ref());
                worker.borrow().never_served(pool);
            }
        }
    });
}

/// Reads the header off a connection; what follows it stays in the socket.
///
/// # Errors
/// There is no header; the reason is `None` when the connection ended before its first byte, as a
/// proxy's health checks do.
async fn origin_of(socket: &Socket) -> Result<Option<Box<Origin>>, Option<HeaderFault>> {
    let reading = tokio::time::timeout(HEADER_TIME, read_header(socket));
    reading.await.unwrap_or(Err(Some(HeaderFault::Late)))
}

async fn read_header(socket: &Socket) -> Result<Option<Box<Origin>>, Option<HeaderFault>> {
    // A part of a header is taken at once, or it would be read again and again.
    let mut header = Vec::new();
    let mut piece = vec![0; LONGEST_BINARY];
    loop {
        let count = receive(socket, &mut piece, RecvFlags::PEEK).await.unwrap_or(0);
        if count == 0 {
            let fault = HeaderFault::Malformed("the connection ended within it".into());
            return Err((!header.is_empty()).then_some(fault));
        }
        let before = header.len();
        header.extend_from_slice(&piece[..count]);
        let (taken, whole) = match origin::parse(&header)? {
            Header::Whole(length, origin) => (length - before, Some(origin)),
            Header::Partial => (count, None),
        };
        // These bytes are there: they were seen.
        let _ = receive(socket, &mut piece[..taken], RecvFlags::empty()).await;
        if let Some(origin) = whole {
            return Ok(origin);
        }
    }
}

async fn receive(socket: &Socket, into: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    loop {
        let received = match socket {
            Socket::Tcp(stream) => {
                stream.readable().await?;
                stream.try_io(Interest::READABLE, || Ok(recv(stream, &mut *into, flags)?.1))
            }
            Socket::Unix(stream) => {
                stream.readable().await?;
                stream.try_io(Interest::READABLE, || Ok(recv(stream, &mut *into, flags)?.1))
            }
            // The header comes before the handshake.
            Socket::Tls(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => return received,
        }
    }
}

/// Says why, to the log and to the other side.
fn refuse(pool: &Pool, socket: &mut Socket, id: u64, fault: Option<&HeaderFault>) {
    let peer = socket.addresses().0;
    match fault {
        None => tracing::debug!(pool = pool.name, client = id, peer, "came and said nothing"),
        Some(fault) => {
            tracing::warn!(
                pool = pool.name,
                client = id,
                peer,
                %fault,
                "client refused: proxy_protocol_from names its address, so it has to send one"
            );
            // One packet into an empty buffer; a client that is gone misses nothing.
            let _ = socket.try_write(format!("-ERR {fault}\r\n").as_bytes());
        }
    }
}

impl Worker {
    /// Counts a connection that came and went without a session: otherwise it would count for
    /// client_connections for ever.
    pub(crate) fn never_served(&self, pool: usize) {
        self.counters.pools[pool].total_connections.add(1);
    }

    /// Ends a session that speaks for another without our trust. Served on, its client would read
    /// the error about the header as the reply to its first command.
    pub(crate) fn refuse_proxy_header(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        let pool = &self.pools[usize::from(session.pool)];
        let peer = session.addresses().0;
        tracing::warn!(
            pool = pool.config.name,
            client = session.id,
            peer,
            "client disconnected: it sent a PROXY protocol header, and proxy_protocol_from does \
             not name its address"
        );
        self.counters.pools[usize::from(session.pool)].client_err.add(1);
        self.say(number, |writer| writer.error(UNTRUSTED));
        self.finish_session(number);
    }
}

/// Whether a line that is no command is the start of a PROXY protocol header. PROXY with another
/// word than a header's is the command.
pub(super) fn is_header(request: &Request<'_>) -> bool {
    // Version 2 starts with two blank lines and this one.
    request.arg(0) == b"\0"
        || request.arg(0) == b"PROXY"
            && request.len() > 1
            && [&b"TCP4"[..], b"TCP6", b"UNKNOWN"].contains(&request.arg(1))
}

const UNTRUSTED: &str = "ERR PROXY protocol header refused: proxy_protocol_from of this pool does \
     not name your address";
/// How long a proxy may take for its header: it has all of it when it connects.
pub(crate) const HEADER_TIME: Duration = Duration::from_secs(3);
