//! A connection on which many questions are asked at a time, and their answers awaited.

use std::future::poll_fn;
use std::io;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use crate::resp::{ReplyLimits, ReplyScanner, Scan, write};
use crate::shard::connect::{self, Target};
use crate::socket::Socket;

/// A connection to a shard or to a proxy.
#[derive(Debug)]
pub struct Conversation {
    socket: Socket,
    received: BytesMut,
    whom: String,
}

/// Who does not answer as it should, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{whom}: {what}")]
pub struct SurveyError {
    /// Who was asked, as the person who reads it knows it.
    pub whom: String,
    /// What happened.
    pub what: String,
}

impl Conversation {
    /// Connects and greets. `whom` is what errors call the other side.
    pub async fn open(target: &Target, whom: &str) -> Result<Self, SurveyError> {
        match connect::open(target).await {
            Ok(socket) => {
                Ok(Self { socket, received: BytesMut::with_capacity(READ), whom: whom.to_owned() })
            }
            Err(fault) => Err(SurveyError { whom: whom.to_owned(), what: fault.cause() }),
        }
    }

    /// Says one command; its reply as it stands on the wire.
    pub async fn ask(&mut self, command: &[&[u8]]) -> Result<Bytes, SurveyError> {
        let mut replies = self.ask_all(&[command.to_vec()]).await?;
        replies.pop().ok_or_else(|| self.error("no reply"))
    }

    /// Says all commands, [`AT_A_TIME`] in one piece; their replies, in order.
    pub async fn ask_all(&mut self, commands: &[Vec<&[u8]>]) -> Result<Vec<Bytes>, SurveyError> {
        let mut replies = Vec::with_capacity(commands.len());
        for piece in commands.chunks(AT_A_TIME) {
            let mut bytes = Vec::new();
            for command in piece {
                write::command(&mut bytes, command);
            }
            let exchanged = timeout(PATIENCE, async {
                self.send(&bytes).await.map_err(|error| self.error(error))?;
                for _ in piece {
                    replies.push(self.read_reply().await?);
                }
                Ok(())
            });
            match exchanged.await {
                Ok(done) => done?,
                Err(_) => return Err(self.error(format!("no answer in {PATIENCE:?}"))),
            }
        }
        Ok(replies)
    }

    /// An error that names the other side.
    pub fn error(&self, what: impl ToString) -> SurveyError {
        SurveyError { whom: self.whom.clone(), what: what.to_string() }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        poll_fn(|cx| {
            loop {
                let written = match rest {
                    [] => self.socket.try_flush().map(|flushed| flushed.then_some(0)),
                    _ => match self.socket.try_write(rest) {
                        Ok(count) => Ok(Some(count)),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                        Err(error) => Err(error),
                    },
                };
                match written? {
                    Some(0) if rest.is_empty() => return Poll::Ready(Ok(())),
                    Some(count) => rest = &rest[count..],
                    None => ready!(self.socket.poll_write_ready(cx))?,
                }
            }
        })
        .await
    }

    async fn read_reply(&mut self) -> Result<Bytes, SurveyError> {
        let mut scanner = ReplyScanner::default();
        loop {
            if !self.received.is_empty() {
                match scanner.scan(&self.received, &LIMITS) {
                    Ok(Scan::Done(length)) => return Ok(self.received.split_to(length).freeze()),
                    Ok(Scan::More(_)) => {}
                    Err(error) => return Err(self.error(error)),
                }
            }
            let (socket, received) = (&mut self.socket, &mut self.received);
            received.reserve(READ);
            match poll_fn(|cx| socket.poll_read_onto(cx, received, READ)).await {
                Ok(0) => return Err(self.error("it closes the connection")),
                Ok(_) => {}
                Err(error) => return Err(self.error(error)),
            }
        }
    }
}

/// Commands of one piece: enough that their way counts for little, and so few that neither side
/// has to read before it may go on writing.
const AT_A_TIME: usize = 100;
/// For the answers to one piece. A server that serves others too answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Keys may be long; what is asked for here is not.
const LIMITS: ReplyLimits = ReplyLimits { reply: 256 << 20, nesting: 8 };
const READ: usize = 64 << 10;
