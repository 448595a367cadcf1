//! Which commands a shard has: asked on the heartbeat's connection, between two heartbeats.
//!
//! ```text
//! heartbeat ─ rest ──────────────── heartbeat ─ rest …
//!               └─ COMMAND COUNT, COMMAND ─► Told ─► Lessons ─► every worker
//! ```
//! Asked on each new connection, for a shard that changed its version or its modules has restarted,
//! and once in [`LOOK_AGAIN`] heartbeats whether the number of commands is still the same, for MODULE
//! LOAD. An inquiry that takes longer than the rest keeps the connection, and the heartbeat opens
//! another: heartbeats are neither delayed by it nor failed.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};

use super::answer::printable;
use super::heartbeat::Connection;
use crate::command::learned::{self, Lesson, ReadError};
use crate::resp::{ReplyLimits, ReplyScanner, Scan};

/// What a shard told of its commands.
#[derive(Debug)]
pub struct Told {
    /// Index of the pool.
    pub pool: usize,
    /// Index of the shard.
    pub shard: usize,
    /// What the command table lacks.
    pub lesson: Lesson,
}

/// The inquiries of one shard's heartbeat.
pub(super) struct Inquiries {
    place: (usize, usize),
    /// As an operator finds the shard in the configuration.
    label: String,
    alone: bool,
    tell: UnboundedSender<Told>,
    running: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
    /// Heartbeats until the next question.
    wait: u32,
    /// The last inquiry cost its connection: a new connection is no reason to ask again.
    has_failed: bool,
    /// What COMMAND COUNT answered when COMMAND was asked last.
    count: Option<Bytes>,
    /// Why the shard does not tell, so that it is logged once.
    heard: Option<ReadError>,
}

/// The connection, if it is still in step, and what came of the questions.
type Outcome = (Option<Connection>, Result<Answers, ReadError>);

struct Answers {
    count: Bytes,
    /// `None` if the count has not changed.
    lesson: Option<Result<Lesson, ReadError>>,
}

impl Inquiries {
    pub(super) fn new(
        place: (usize, usize),
        label: String,
        alone: bool,
        tell: UnboundedSender<Told>,
    ) -> Self {
        let (running, count, heard) = (None, None, None);
        Self { place, label, alone, tell, running, wait: 0, has_failed: false, count, heard }
    }

    /// Asks, if it is time to, while the heartbeat rests; `connection` is the heartbeat's.
    pub(super) async fn during(
        &mut self,
        rest: impl Future<Output = ()>,
        connection: &mut Option<Connection>,
    ) {
        self.start(connection);
        let mut rest = pin!(rest);
        loop {
            let Some(running) = &mut self.running else { return rest.await };
            tokio::select! {
                () = &mut rest => return,
                (back, answers) = running => {
                    self.running = None;
                    match connection {
                        // Opened because the inquiry kept the one before: no other shard.
                        Some(opened) => opened.is_new = false,
                        None => *connection = back,
                    }
                    self.finish(answers);
                }
            }
        }
    }

    fn start(&mut self, connection: &mut Option<Connection>) {
        self.wait = self.wait.saturating_sub(1);
        let is_new = connection.as_ref().is_some_and(|connection| connection.is_new);
        let is_time = self.wait == 0 || (is_new && !self.has_failed);
        if self.running.is_some() || !is_time {
            return;
        }
        if let Some(mut connection) = connection.take() {
            connection.is_new = false;
            let known = self.count.clone().filter(|_| !is_new);
            let alone = self.alone;
            self.running = Some(Box::pin(async move {
                let asked = timeout(PATIENCE, ask(&mut connection, known, alone)).await;
                let answers = asked.unwrap_or_else(|_| fail("no answer in 10 s"));
                (answers.is_ok().then_some(connection), answers)
            }));
        }
    }

    fn finish(&mut self, answers: Result<Answers, ReadError>) {
        self.wait = LOOK_AGAIN;
        self.has_failed = answers.is_err();
        let Answers { count, lesson } = match answers {
            Ok(answers) => answers,
            Err(error) => return self.log_refusal(error),
        };
        match lesson {
            None => return,
            Some(Ok(lesson)) => self.learn(lesson),
            Some(Err(error)) => self.log_refusal(error),
        }
        self.count = Some(count);
    }

    fn learn(&mut self, lesson: Lesson) {
        let label = &self.label;
        if lesson.passed_over > 0 {
            warn!(
                "shard {label} tells of {} commands that cannot be learned: they are malformed or \
                 too many",
                lesson.passed_over
            );
        }
        self.heard = None;
        let (pool, shard) = self.place;
        // At the end of the process nobody listens any more.
        let _ = self.tell.send(Told { pool, shard, lesson });
    }

    fn log_refusal(&mut self, error: ReadError) {
        if self.heard.as_ref() != Some(&error) {
            info!(
                "shard {} does not tell its commands, so those of modules stay unknown: {}",
                self.label,
                printable(error.0.as_bytes())
            );
            self.heard = Some(error);
        }
    }
}

/// COMMAND COUNT, and COMMAND unless the count is the `known` one. After an error the connection
/// is of no more use.
async fn ask(
    connection: &mut Connection,
    known: Option<Bytes>,
    alone: bool,
) -> Result<Answers, ReadError> {
    let count = reply_to(connection, b"*2\r\n$7\r\nCOMMAND\r\n$5\r\nCOUNT\r\n").await?;
    if known.as_ref() == Some(&count) {
        return Ok(Answers { count, lesson: None });
    }
    let commands = reply_to(connection, b"*1\r\n$7\r\nCOMMAND\r\n").await?;
    // Some milliseconds, which other shards' heartbeats shall not wait for.
    let reading = spawn_blocking(move || learned::read(&commands, alone));
    let lesson = reading.await.or_else(|_| fail("its reply cannot be read"))?;
    Ok(Answers { count, lesson: Some(lesson) })
}

async fn reply_to(connection: &mut Connection, command: &[u8]) -> Result<Bytes, ReadError> {
    connection.send(command).await.map_err(|error| ReadError(error.to_string()))?;
    let stream = &mut connection.stream;
    let mut received = BytesMut::new();
    let mut scanner = ReplyScanner::default();
    loop {
        received.reserve(READ);
        match stream.read_buf(&mut received).await {
            Ok(0) => return fail("it closes the connection"),
            Ok(_) => {}
            Err(error) => return Err(ReadError(error.to_string())),
        }
        match scanner.scan(&received, &LIMITS) {
            Ok(Scan::Done(len)) if len == received.len() => return Ok(received.freeze()),
            Ok(Scan::Done(_)) => return fail("it answers more than it was asked"),
            Ok(Scan::More(_)) => {}
            Err(error) => return Err(ReadError(error.to_string())),
        }
    }
}

fn fail<T>(text: &str) -> Result<T, ReadError> {
    Err(ReadError(text.into()))
}

/// Heartbeats between two looks at the number of commands: a minute by default.
const LOOK_AGAIN: u32 = 60;
/// How long an inquiry may take: the heartbeats go on meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// Redis 7's reply has 230 KB, and nests 8 levels deep.
const LIMITS: ReplyLimits = ReplyLimits { reply: 4 * 1024 * 1024, nesting: 16 };
/// Bytes to be read at once, at least.
const READ: usize = 64 * 1024;
