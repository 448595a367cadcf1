//! The signals that a running proxy answers, as twemproxy does.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::log::Logging;

/// The signals, caught from here on.
///
/// Made before the pid file is written: whoever can read the pid may send signals at once, and one
/// that nobody catches would end the process and leave the file behind.
#[derive(Debug)]
pub struct Signals {
    int: Signal,
    term: Signal,
    hup: Signal,
    ttin: Signal,
    ttou: Signal,
    usr1: Signal,
    usr2: Signal,
}

/// How the process is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// When its clients have left (TERM).
    Gently,
    /// At once (INT).
    AtOnce,
}

impl Signals {
    /// Catches the signals. Must be called in the context of the tokio runtime that will wait.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            ttin: signal(SignalKind::from_raw(SIGTTIN))?,
            ttou: signal(SignalKind::from_raw(SIGTTOU))?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Answers signals until one of them ends the process.
    ///
    /// TTIN and TTOU turn the log level, HUP reopens the log's file and calls `reload`, USR1 and
    /// USR2 are logged; INT and TERM end it.
    pub async fn until_stopped(&mut self, logging: &Logging, reload: impl Fn()) -> End {
        loop {
            tokio::select! {
                _ = self.int.recv() => return ended("SIGINT", End::AtOnce),
                _ = self.term.recv() => return ended("SIGTERM", End::Gently),
                _ = self.hup.recv() => {
                    reopen(logging);
                    reload();
                }
                _ = self.ttin.recv() => {
                    let level = logging.level_up();
                    info!("signal {SIGTTIN} (SIGTTIN) received, up logging level to {level}");
                }
                _ = self.ttou.recv() => {
                    let level = logging.level_down();
                    info!("signal {SIGTTOU} (SIGTTOU) received, down logging level to {level}");
                }
                _ = self.usr1.recv() => info!("signal 10 (SIGUSR1) received"),
                _ = self.usr2.recv() => info!("signal 12 (SIGUSR2) received"),
            }
        }
    }
}

fn ended(signal: &str, end: End) -> End {
    info!("{signal} received");
    end
}

fn reopen(logging: &Logging) {
    info!("signal 1 (SIGHUP) received, reopening log file");
    if let Err(error) = logging.reopen() {
        tracing::error!("the log file cannot be reopened, going on with the old one: {error}");
    }
}

const SIGTTIN: i32 = rustix::process::Signal::TTIN.as_raw();
const SIGTTOU: i32 = rustix::process::Signal::TTOU.as_raw();
