//! A client's connection, as one of hundreds in one thread.

use std::io::{Cursor, ErrorKind};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Reply, read_reply};

/// A connection that reads replies one at a time.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Nothing can be whole before so many bytes are there.
    least: usize,
    /// How long anything may take.
    patience: Duration,
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// The other side ended the connection, or did not take it.
    Closed(String),
    /// Nothing came, for longer than anything may take.
    Silent,
    /// What came is not RESP.
    Malformed(String),
}

impl Connection {
    pub async fn open(host: &str, port: u16, patience: Duration) -> Result<Connection, Broken> {
        let attempt = timeout(patience, TcpStream::connect((host, port))).await;
        let stream = attempt.map_err(|_| Broken::Silent)?.map_err(closed)?;
        stream.set_nodelay(true).map_err(closed)?;
        Ok(Connection { stream, unread: Vec::new(), least: 1, patience })
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        match timeout(self.patience, self.stream.write_all(bytes)).await {
            Err(_) => Err(Broken::Silent),
            Ok(done) => done.map_err(closed),
        }
    }

    /// The next reply.
    pub async fn reply(&mut self) -> Result<Reply, Broken> {
        self.reply_within(self.patience).await
    }

    /// The next reply, if it comes before `limit` is over.
    pub async fn reply_within(&mut self, limit: Duration) -> Result<Reply, Broken> {
        match timeout(limit, self.next()).await {
            Err(_) => Err(Broken::Silent),
            Ok(reply) => reply,
        }
    }

    /// Sends a command and reads its reply.
    pub async fn ask(&mut self, words: &[&str]) -> Result<Reply, Broken> {
        self.send(&crate::harness::encode(words)).await?;
        self.reply().await
    }

    /// Whether bytes are there that nobody asked for.
    pub fn surplus(&mut self) -> Option<String> {
        let mut chunk = [0; 256];
        if let Ok(count) = self.stream.try_read(&mut chunk) {
            self.unread.extend_from_slice(&chunk[..count]);
        }
        let shown = &self.unread[..self.unread.len().min(80)];
        (!shown.is_empty()).then(|| shown.escape_ascii().to_string())
    }

    /// Says that nothing more will be sent.
    pub async fn close_writing(&mut self) {
        // An error says that the other side closed first.
        let _ = self.stream.shutdown().await;
    }

    /// Resets the connection (RST, not FIN).
    pub fn reset(self) {
        let _ = set_socket_linger(&self.stream, Some(Duration::ZERO));
    }

    async fn next(&mut self) -> Result<Reply, Broken> {
        loop {
            if self.unread.len() >= self.least
                && let Some(reply) = self.parse()?
            {
                return Ok(reply);
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) => return Err(Broken::Closed("closed".into())),
                Ok(_) => {}
                Err(error) => return Err(closed(error)),
            }
        }
    }

    fn parse(&mut self) -> Result<Option<Reply>, Broken> {
        let mut cursor = Cursor::new(&self.unread[..]);
        match read_reply(&mut cursor, &mut Vec::new()) {
            Ok(reply) => {
                let taken = cursor.position() as usize;
                self.unread.drain(..taken);
                self.least = 1;
                Ok(Some(reply))
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.least = bulk_size(&self.unread).unwrap_or(self.unread.len() + 1);
                Ok(None)
            }
            Err(error) => Err(Broken::Malformed(error.to_string())),
        }
    }
}

/// How long a whole bulk string is that begins here.
fn bulk_size(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().take(16).position(|byte| *byte == b'\n')?;
    let digits = std::str::from_utf8(bytes[..end].strip_prefix(b"$")?).ok()?;
    let length: usize = digits.trim_end().parse().ok()?;
    Some(end + 1 + length + 2)
}

fn closed(error: std::io::Error) -> Broken {
    Broken::Closed(error.to_string())
}
