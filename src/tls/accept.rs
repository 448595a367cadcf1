//! The handshake with a client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::stream::TlsStream;
use super::turns::by_turns;

/// Shakes hands with a client, for no longer than [`PATIENCE`], in turns with others.
///
/// # Errors
/// Whatever goes wrong, in words for the log; an alert has told the client if it speaks TLS.
pub async fn accept(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    turns: &Semaphore,
) -> Result<TlsStream, String> {
    let handshake = by_turns(turns, TlsAcceptor::from(config).accept(stream));
    match timeout(PATIENCE, handshake).await {
        Ok(Ok(shaken)) => {
            let (stream, connection) = shaken.into_inner();
            Ok(TlsStream::new(stream, connection.into()))
        }
        Ok(Err(error)) => Err(explain(&error)),
        Err(_) => Err(format!("not finished within {} s", PATIENCE.as_secs())),
    }
}

fn explain(error: &io::Error) -> String {
    let source = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    match source {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("{error}; does the client speak TLS? Without it, `listen` is for it")
        }
        _ => match error.kind() {
            io::ErrorKind::UnexpectedEof => "the client left in the midst of it".into(),
            _ => error.to_string(),
        },
    }
}

/// A handshake takes two round trips and some milliseconds; a client that needs longer than this
/// is slow on purpose.
pub const PATIENCE: Duration = Duration::from_secs(10);
