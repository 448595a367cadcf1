//! The access log: one JSON line for each sampled and each slow request.
//!
//! ```text
//!   workers ─ try_send ─► bounded queue ─► a thread of its own ─► file or standard output
//!                └─ full: counted, and told in the log
//! ```
//!
//! A worker never waits for a disk: where lines come faster than they are written, some are left out.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use crate::admin::log::{Output, Timestamp};

/// One line.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Access {
    /// When the reply was there, as RFC 3339 has it.
    pub time: String,
    /// Why it is written: `sampled` or `slow`.
    pub why: &'static str,
    /// The pool.
    pub pool: String,
    /// The client's number (CLIENT ID).
    pub client: u64,
    /// Where it connects from.
    pub address: String,
    /// Its user.
    pub user: String,
    /// The database it has selected.
    pub db: u32,
    /// The command, as COMMAND INFO has it.
    pub command: String,
    /// Its first key, as `log_redact_keys` wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The shard that took longest, if one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Where that shard listens.
    #[serde(skip)]
    pub server: String,
    /// How many requests to shards it took.
    pub parts: u32,
    /// Bytes of the request; 0 where it is not known any more.
    pub request_bytes: u64,
    /// Bytes of the replies of shards.
    pub reply_bytes: u64,
    /// Microseconds from its arrival until it was written to the shard.
    pub queued_us: u64,
    /// Microseconds from then until the reply was read.
    pub shard_us: u64,
    /// Microseconds from its arrival until its reply was paired with it.
    pub total_us: u64,
    /// The code of the error that was the reply (`WRONGTYPE`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The way to the thread that writes.
#[derive(Debug)]
pub struct AccessLog {
    lines: Option<SyncSender<Access>>,
    state: Arc<State>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    left_out: AtomicU64,
    reopen: AtomicBool,
}

impl AccessLog {
    /// Opens the file at `path`, or standard output if that is `-`, and starts the thread.
    ///
    /// # Errors
    /// When the file cannot be opened or no thread can be had.
    pub fn open(path: &Path) -> io::Result<Self> {
        let sink = match path.as_os_str() == "-" {
            true => Sink::Stdout,
            false => Sink::File(Output::open(Some(path))?),
        };
        let (lines, queue) = sync_channel(QUEUE);
        let state = Arc::<State>::default();
        let writing = Arc::clone(&state);
        let writer = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_all(&queue, &sink, &writing))?;
        Ok(Self { lines: Some(lines), state, writer: Some(writer) })
    }

    /// Has a line written, if there is room in the queue.
    pub fn write(&self, line: Access) {
        let is_queued = self.lines.as_ref().is_some_and(|lines| lines.try_send(line).is_ok());
        if !is_queued {
            self.state.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were left out because the disk did not keep up.
    pub fn left_out(&self) -> u64 {
        self.state.left_out.load(Ordering::Relaxed)
    }

    /// Has the file opened anew under its name before the next line is written.
    pub fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Release);
    }
}

impl Drop for AccessLog {
    /// Waits until what is queued is written.
    fn drop(&mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

enum Sink {
    File(Output),
    Stdout,
}

impl Sink {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(output) => {
                output.file().map_or(Ok(()), |file: Arc<File>| (&*file).write_all(bytes))
            }
            Self::Stdout => io::stdout().write_all(bytes),
        }
    }

    fn reopen(&self) {
        if let Self::File(output) = self
            && let Err(error) = output.reopen()
        {
            tracing::error!(%error, "the access log cannot be reopened, going on with the old one");
        }
    }
}

/// The thread's life: as many lines as are there, up to [`TOGETHER`], are one write.
fn write_all(queue: &Receiver<Access>, sink: &Sink, state: &State) {
    let (mut bytes, mut told) = (Vec::new(), 0);
    loop {
        match queue.recv_timeout(IDLE) {
            Ok(line) => {
                append(&mut bytes, &line);
                queue.try_iter().take(TOGETHER).for_each(|line| append(&mut bytes, &line));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if state.reopen.swap(false, Ordering::Acquire) {
            sink.reopen();
        }
        if !bytes.is_empty()
            && let Err(error) = sink.write(&bytes)
        {
            tracing::error!(%error, "the access log cannot be written");
        }
        bytes.clear();
        let left_out = state.left_out.load(Ordering::Relaxed);
        if left_out > told {
            let more = left_out - told;
            tracing::warn!(
                left_out = more,
                "lines of the access log were left out: it is not written as fast as they come; a larger access_log_sample makes them fewer"
            );
            told = left_out;
        }
    }
}

fn append(bytes: &mut Vec<u8>, line: &Access) {
    let before = bytes.len();
    match serde_json::to_writer(&mut *bytes, line) {
        Ok(()) => bytes.push(b'\n'),
        Err(_) => bytes.truncate(before),
    }
}

/// The present moment, for [`Access::time`].
pub fn now() -> String {
    format!("{:#}", Timestamp(std::time::SystemTime::now()))
}

/// Lines that wait for the thread: a quarter of a second of 16,000 a second.
const QUEUE: usize = 4096;
/// Lines in one write.
const TOGETHER: usize = 256;
/// How often the thread looks whether it is to reopen the file while there are no lines.
const IDLE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::OpenOptionsExt;

    fn line(command: &str) -> Access {
        Access { time: now(), why: "sampled", command: command.into(), ..Access::default() }
    }

    #[test]
    fn lines_are_json_and_the_file_is_opened_anew_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (path, renamed) = (folder.path().join("access"), folder.path().join("access.1"));
        let log = AccessLog::open(&path).unwrap();
        log.write(line("get"));
        while fs::read_to_string(&path).unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        fs::rename(&path, &renamed).unwrap();
        log.reopen();
        while !path.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        log.write(line("set"));
        drop(log);
        let read = |path| -> serde_json::Value {
            serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
        };
        assert_eq!(read(&renamed)["command"], "get");
        let new = read(&path);
        assert_eq!((&new["command"], new.get("shard")), (&"set".into(), None));
    }

    #[test]
    fn a_disk_that_hangs_costs_lines_and_no_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        // Open for reading, and not read from: writes block once the pipe is full.
        let pipe =
            fs::OpenOptions::new().read(true).write(true).custom_flags(0).open(&path).unwrap();
        let log = AccessLog::open(&path).unwrap();
        let started = std::time::Instant::now();
        for _ in 0..QUEUE + 10_000 {
            log.write(line("get"));
        }
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(log.left_out() > 0);
        let reading = std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = io::Read::read_to_end(&mut &pipe, &mut rest);
        });
        drop(log);
        drop(reading);
    }
}
