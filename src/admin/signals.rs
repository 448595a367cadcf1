//! The signals that a running proxy answers, as twemproxy does.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::log::Logging;

/// Answers signals until one of them ends the process, and returns that one's name.
///
/// TTIN and TTOU turn the log level, HUP reopens the log's file, USR1 and USR2 are logged; INT and
/// TERM end. Needs a tokio runtime with signals.
///
/// # Errors
/// When the handlers cannot be installed.
pub async fn until_stopped(logging: Arc<Logging>) -> io::Result<&'static str> {
    let [mut int, mut term] = [on(SignalKind::interrupt())?, on(SignalKind::terminate())?];
    let [mut hup, mut usr1] = [on(SignalKind::hangup())?, on(SignalKind::user_defined1())?];
    let mut usr2 = on(SignalKind::user_defined2())?;
    let mut ttin = on(SignalKind::from_raw(SIGTTIN))?;
    let mut ttou = on(SignalKind::from_raw(SIGTTOU))?;
    loop {
        tokio::select! {
            _ = int.recv() => return Ok("SIGINT"),
            _ = term.recv() => return Ok("SIGTERM"),
            _ = hup.recv() => reopen(&logging),
            _ = ttin.recv() => {
                let level = logging.level_up();
                info!("signal {SIGTTIN} (SIGTTIN) received, up logging level to {level}");
            }
            _ = ttou.recv() => {
                let level = logging.level_down();
                info!("signal {SIGTTOU} (SIGTTOU) received, down logging level to {level}");
            }
            _ = usr1.recv() => info!("signal 10 (SIGUSR1) received"),
            _ = usr2.recv() => info!("signal 12 (SIGUSR2) received"),
        }
    }
}

fn on(kind: SignalKind) -> io::Result<Signal> {
    signal(kind)
}

fn reopen(logging: &Logging) {
    info!("signal 1 (SIGHUP) received, reopening log file");
    if let Err(error) = logging.reopen() {
        tracing::error!("the log file cannot be reopened, going on with the old one: {error}");
    }
}

const SIGTTIN: i32 = rustix::process::Signal::TTIN.as_raw();
const SIGTTOU: i32 = rustix::process::Signal::TTOU.as_raw();
