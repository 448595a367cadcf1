//! Whom a connection comes from: the other end of its socket, or whom a proxy in front of us told
//! of in a PROXY protocol header (version 1 or 2).
//!
//! ```text
//!   client 203.0.113.9:4711 ─► haproxy 10.0.0.5 ──"PROXY TCP4 203.0.113.9 …"──► circlet
//! ```
//!
//! [`Session::addresses`] and [`Session::peer_ip`] are what everything else asks.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};

use super::session::Session;
use crate::socket::Socket;

/// Both ends of a connection as a proxy told them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    peer: End,
    own: End,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Ip(SocketAddr),
    Unix(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{path}:0"),
        }
    }
}

impl Session {
    /// The address of the client and our own, as CLIENT LIST shows them.
    pub fn addresses(&self) -> (String, String) {
        match &self.origin {
            Some(origin) => (origin.peer.to_string(), origin.own.to_string()),
            None => self.socket.as_ref().map(Socket::addresses).unwrap_or_default(),
        }
    }

    /// The client's IP address; `None` for one that came through a unix socket, or has left.
    pub fn peer_ip(&self) -> Option<IpAddr> {
        match &self.origin {
            Some(origin) => match &origin.peer {
                End::Ip(address) => Some(address.ip().to_canonical()),
                End::Unix(_) => None,
            },
            None => self.socket.as_ref().and_then(socket_ip),
        }
    }

    /// Whether the client came through a unix socket, here or at the proxy in front.
    pub fn is_unix(&self) -> bool {
        match &self.origin {
            Some(origin) => matches!(origin.peer, End::Unix(_)),
            None => matches!(self.socket, Some(Socket::Unix(_))),
        }
    }
}

/// The IP address of a socket's other end.
pub fn socket_ip(socket: &Socket) -> Option<IpAddr> {
    Some(socket.tcp()?.peer_addr().ok()?.ip().to_canonical())
}

/// How far a header was understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Header {
    /// It takes so many bytes, and tells this; `None` when the proxy speaks for itself (a health
    /// check) or does not know.
    Whole(usize, Option<Box<Origin>>),
    /// All bytes belong to it, and more are to come.
    Partial,
}

/// Why bytes are no header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// They start as no header does.
    #[error("a PROXY protocol header was expected")]
    Missing,
    /// It is longer than one may be.
    #[error("the PROXY protocol header is longer than {0} bytes")]
    TooLong(usize),
    /// It starts well, and then makes no sense.
    #[error("the PROXY protocol header cannot be understood: {0}")]
    Malformed(String),
    /// It did not come within [`super::proxied::HEADER_TIME`].
    #[error("no whole PROXY protocol header came in time")]
    Late,
}

/// Understands the header at the start of `bytes`.
///
/// # Errors
/// The bytes are no header, and would not become one if more came.
pub fn parse(bytes: &[u8]) -> Result<Header, HeaderFault> {
    let starts_like = |prefix: &[u8]| bytes.iter().zip(prefix).all(|(one, other)| one == other);
    match () {
        () if starts_like(v2::PROTOCOL_PREFIX) => parse_binary(bytes),
        () if starts_like(b"PROXY ") => parse_text(bytes),
        () => Err(HeaderFault::Missing),
    }
}

fn parse_text(bytes: &[u8]) -> Result<Header, HeaderFault> {
    let searched = &bytes[..bytes.len().min(LONGEST_TEXT)];
    let Some(at) = searched.windows(2).position(|pair| pair == b"\r\n") else {
        return match bytes.len() < LONGEST_TEXT {
            true => Ok(Header::Partial),
            false => Err(HeaderFault::TooLong(LONGEST_TEXT)),
        };
    };
    let length = at + 2;
    let header = v1::Header::try_from(&bytes[..length]).map_err(malformed)?;
    let both = match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(ends) => Some((
            SocketAddr::from((ends.source_address, ends.source_port)),
            SocketAddr::from((ends.destination_address, ends.destination_port)),
        )),
        v1::Addresses::Tcp6(ends) => Some((
            SocketAddr::from((ends.source_address, ends.source_port)),
            SocketAddr::from((ends.destination_address, ends.destination_port)),
        )),
    };
    Ok(Header::Whole(length, both.map(of_ip)))
}

fn parse_binary(bytes: &[u8]) -> Result<Header, HeaderFault> {
    if let [high, low] = bytes.get(14..16).unwrap_or_default()
        && LONGEST_BINARY < 16 + usize::from(u16::from_be_bytes([*high, *low]))
    {
        return Err(HeaderFault::TooLong(LONGEST_BINARY));
    }
    let header = match v2::Header::try_from(bytes) {
        Ok(header) => header,
        Err(v2::ParseError::Incomplete(_) | v2::ParseError::Partial(..)) => {
            return Ok(Header::Partial);
        }
        Err(error) => return Err(malformed(error)),
    };
    let is_told = header.command == v2::Command::Proxy && header.protocol != v2::Protocol::Datagram;
    let origin = match header.addresses {
        _ if !is_told => None,
        v2::Addresses::Unspecified => None,
        v2::Addresses::IPv4(ends) => Some(of_ip((
            SocketAddr::from((ends.source_address, ends.source_port)),
            SocketAddr::from((ends.destination_address, ends.destination_port)),
        ))),
        v2::Addresses::IPv6(ends) => Some(of_ip((
            SocketAddr::from((ends.source_address, ends.source_port)),
            SocketAddr::from((ends.destination_address, ends.destination_port)),
        ))),
        v2::Addresses::Unix(ends) => {
            let (peer, own) = (End::Unix(path(&ends.source)), End::Unix(path(&ends.destination)));
            Some(Box::new(Origin { peer, own }))
        }
    };
    Ok(Header::Whole(header.len(), origin))
}

fn of_ip((peer, own): (SocketAddr, SocketAddr)) -> Box<Origin> {
    Box::new(Origin { peer: End::Ip(peer), own: End::Ip(own) })
}

/// A path as it may stand in a line of CLIENT LIST.
fn path(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let shown = String::from_utf8_lossy(&bytes[..end]);
    shown.chars().map(|c| if c.is_control() || c == ' ' { '?' } else { c }).collect()
}

fn malformed(error: impl fmt::Display) -> HeaderFault {
    HeaderFault::Malformed(error.to_string())
}

/// The longest header of version 1, as the protocol's text says.
const LONGEST_TEXT: usize = 107;
/// The longest of version 2 that we take: addresses need 232 bytes, and what proxies add (names,
/// the client's certificate) fits. The protocol would allow 64 KiB.
pub const LONGEST_BINARY: usize = 4096;

#[cfg(test)]
#[path = "origin/tests.rs"]
mod tests;
