//! The process as the system sees it: running in the background, and its pid file.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use rustix::fs::Mode;

/// What a call of [`detach`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detached {
    /// This process started another that goes on, and should exit.
    Elsewhere,
    /// This process is the one in the background.
    Here,
}

/// Goes into the background like a daemon: no terminal, no session that could get one, umask 0,
/// the standard streams on /dev/null; the working directory stays.
///
/// A process with threads cannot fork safely, so the program starts itself twice instead: the
/// first child leaves the session, the second can never gain a terminal. Each comes here again
/// and finds its stage in the environment.
///
/// # Errors
/// When the program cannot be started again.
pub fn detach() -> io::Result<Detached> {
    match env::var(STAGE).as_deref() {
        Ok("2") => {
            rustix::process::umask(Mode::empty());
            Ok(Detached::Here)
        }
        Ok(_) => {
            rustix::process::setsid()?;
            start_again("2")
        }
        Err(_) => start_again("1"),
    }
}

const STAGE: &str = "CIRCLET_DETACH_STAGE";

fn start_again(stage: &str) -> io::Result<Detached> {
    let mut arguments = env::args_os();
    // Not `current_exe()`: the file may have been replaced since.
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(STAGE, stage);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(Detached::Elsewhere)
}

/// The file that holds this process's id as long as this value lives.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file, over an older one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
        write!(file, "{}", process::id())?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for PidFile {
    /// Removes the file, unless another process has put its own id there.
    fn drop(&mut self) {
        let ours = fs::read_to_string(&self.path).is_ok_and(|id| id == process::id().to_string());
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("the pid file {} cannot be removed: {error}", self.path.display());
        }
    }
}

/// Raises this process's limit of open files as far as it may: every client and every link is
/// one.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!("the limit of open files stays at {:?}: {error}", limit.current);
    }
}
