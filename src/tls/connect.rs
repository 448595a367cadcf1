//! The handshake with a shard.

use std::io;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Shaken;

use super::files::Connector;
use super::stream::TlsStream;
use crate::config::Address;

/// Shakes hands with the shard at `address` over `stream`. Bound its time.
///
/// # Errors
/// Why not, in words for errors and the log.
pub async fn connect(
    connector: &Connector,
    address: &Address,
    stream: TcpStream,
) -> Result<Shaken<TcpStream>, String> {
    let Some(name) = connector.name_of(address) else {
        return Err(format!("{address} is no name to check: write server_tls_name"));
    };
    let shaken = TlsConnector::from(connector.config.clone()).connect(name, stream).await;
    shaken.map_err(|error| explain(&error))
}

/// The connection as workers use it, when the greeting is over too.
pub fn settle(shaken: Shaken<TcpStream>) -> TlsStream {
    let (stream, connection) = shaken.into_inner();
    TlsStream::new(stream, connection.into())
}

/// What an error of a TLS connection says, without the number that Rust appends.
pub fn explain(error: &io::Error) -> String {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the shard closed the connection".to_owned(),
        _ => error.to_string(),
    };
    let is_plain = error
        .get_ref()
        .and_then(|source| source.downcast_ref::<rustls::Error>())
        .is_some_and(|source| matches!(source, rustls::Error::InvalidMessage(_)));
    let text = text.split(" (os error").next().unwrap_or_default();
    match is_plain {
        true => format!("{text}; does the shard speak TLS at this port (tls-port)?"),
        false => text.to_owned(),
    }
}
