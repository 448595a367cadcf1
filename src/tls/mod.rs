//! TLS: circlet's own certificate before clients, and what it wants to see of shards'.
//!
//! ```text
//!   files ──► Material of a pool ──► Acceptor  ──► handshake ──► Socket::Tls ──► session
//!     ▲           │ (ArcSwap)   └──► Connector ──► handshake ──► Socket::Tls ──► link
//!     └─ keeper ──┘  reads them again when they change, or at SIGHUP
//! ```
//!
//! What is open stays as it began: a reload concerns handshakes only. Handshakes go through
//! tokio-rustls; what follows goes through [`stream::TlsStream`], which knows how workers write.

pub mod accept;
pub mod certificate;
pub mod connect;
pub mod exposure;
pub mod files;
pub mod keeper;
pub mod stream;
pub mod turns;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};

use crate::config::Protocols;

/// Why a pool's TLS cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pool {pool}, key {key}: {} {wrong}", .file.display())]
pub struct TlsError {
    /// The pool's name.
    pub pool: String,
    /// The key that names the file.
    pub key: &'static str,
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, and the remedy.
    pub wrong: String,
}

impl TlsError {
    fn new(pool: &str, key: &'static str, file: &Path, wrong: impl Into<String>) -> Self {
        Self { pool: pool.to_owned(), key, file: file.to_owned(), wrong: wrong.into() }
    }
}

/// The cryptography that all connections use, whatever else the process has loaded.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn versions(protocols: Protocols) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
    match protocols {
        Protocols::Both => BOTH,
        Protocols::Tls13 => &BOTH[..1],
        Protocols::Tls12 => &BOTH[1..],
    }
}
