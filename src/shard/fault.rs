//! Why a link to a shard failed, and what the clients whose requests were on it read.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::resp::ReplyError;

/// Why a link failed. The first words of its `Display` are what twemproxy says in that case,
/// because clients match on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFault {
    /// Nobody listens at the shard's address.
    Refused,
    /// No connection within `connect_timeout`.
    ConnectTimeout,
    /// No reply within `timeout`.
    ReplyTimeout,
    /// The shard closed the connection.
    Closed,
    /// The address cannot be resolved.
    Resolve(Arc<str>),
    /// The shard cannot be spoken to by TLS, or is not who it should be.
    Tls(Arc<str>),
    /// The kernel said so.
    Io(Arc<str>),
    /// The shard sent what is no reply, or one that nobody asked for.
    Garbage(Arc<str>),
    /// The shard refused what a link says first (AUTH, HELLO, SELECT); its own error.
    Handshake(Arc<str>),
    /// The shard refused who a client said it is; its own error.
    Denied(Arc<str>),
    /// The shard is out; the cause.
    Out(Arc<str>),
    /// The process stops.
    Shutdown,
    /// `max_memory` is near, and the link held a large reply in part.
    NoMemory,
    /// Its session ended or left something on it: a private link is closed.
    Abandoned,
}

impl LinkFault {
    /// The fault behind an error of the socket.
    pub fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Self::Refused,
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            _ => Self::Io(describe(error).into()),
        }
    }

    /// The fault of bytes that are no reply.
    pub fn of_reply(error: &ReplyError) -> Self {
        Self::Garbage(error.to_string().into())
    }

    /// Whether the shard is to blame, so that its health must hear of it.
    pub fn blames_shard(&self) -> bool {
        !matches!(
            self,
            Self::Denied(_) | Self::Out(_) | Self::Shutdown | Self::Abandoned | Self::NoMemory
        )
    }

    /// Whether the other side has ended the connection, as far as can be told.
    pub fn ends_connection(&self) -> bool {
        let resets = ["Connection reset by peer", "Broken pipe"];
        match self {
            Self::Closed => true,
            Self::Io(why) => resets.contains(&&**why),
            _ => false,
        }
    }

    /// The text of the error reply, its code first.
    pub fn reply(&self, shard: &str, pool: &str) -> String {
        match self {
            // A shard's own error keeps its code: clients act on WRONGPASS and LOADING.
            Self::Handshake(error) | Self::Denied(error) => {
                format!("{error} (said by shard '{shard}' of pool '{pool}' to a new link)")
            }
            _ => format!("ERR {self} (shard '{shard}' of pool '{pool}'{})", self.detail()),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Refused => String::new(),
            Self::ConnectTimeout => " did not accept a connection within connect_timeout".into(),
            Self::ReplyTimeout => {
                " did not reply within timeout; whether the command ran is unknown".into()
            }
            Self::Closed => " closed the link; whether the command ran is unknown".into(),
            Self::Resolve(why) | Self::Tls(why) | Self::Out(why) => format!(": {why}"),
            Self::Io(why) | Self::Garbage(why) => {
                format!(": {why}; whether the command ran is unknown")
            }
            Self::Handshake(_) | Self::Denied(_) => String::new(),
            Self::Shutdown => ": circlet is shutting down".into(),
            Self::NoMemory => {
                ": a large reply was dropped because the memory of circlet is short (its setting \
                 max_memory sets the limit); whether the command ran is unknown"
                    .into()
            }
            Self::Abandoned => " was left by its client".into(),
        }
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused | Self::Out(_) => "Connection refused",
            Self::ConnectTimeout | Self::ReplyTimeout => "Connection timed out",
            Self::Closed => "unknown",
            Self::Resolve(_) => "Host is down",
            Self::Tls(_) => "TLS handshake failed",
            Self::Io(why) => why,
            Self::Garbage(_) => "Invalid argument",
            Self::Handshake(error) | Self::Denied(error) => error,
            Self::NoMemory => "Cannot allocate memory",
            Self::Shutdown | Self::Abandoned => "Connection refused",
        })
    }
}

impl LinkFault {
    /// For a log line: what happened, without twemproxy's wording.
    pub fn cause(&self) -> String {
        match self {
            Self::Closed => "the shard closed the connection".into(),
            Self::ReplyTimeout => "no reply within timeout".into(),
            Self::ConnectTimeout => "no connection within connect_timeout".into(),
            Self::Tls(why) => format!("TLS handshake failed: {why}"),
            Self::Resolve(why) | Self::Garbage(why) | Self::Out(why) => why.to_string(),
            _ => self.to_string(),
        }
    }
}

/// The words of `strerror`, without the number that Rust appends.
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
