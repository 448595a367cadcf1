//! `circlet demo`: three real Redis servers of our own, and the pool that makes one of them.
//!
//! ```text
//! circlet demo ──spawns──▶ circlet demo-shard ──execs──▶ redis-server   (three times)
//! ```
//!
//! The step in the middle asks the kernel to kill the shard when circlet ends, however it ends:
//! only the process itself can ask that, after it was forked and before it becomes redis-server.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

/// Where the demonstration listens when nobody else does: twemproxy's customary first port.
pub const DEMO_PORT: u16 = 22121;

/// Where its page is when nobody else listens there: the port that the docs' examples use.
pub const DEMO_ADMIN_PORT: u16 = 22223;

/// The hidden subcommand whose arguments [`exec_shard`] takes.
pub const SHARD_COMMAND: &str = "demo-shard";

/// Three shards without persistence, in a temporary directory. Dropped, all of it is gone.
#[derive(Debug)]
pub struct Demo {
    // Fields are dropped in this order: nobody writes to the directory when it is removed.
    shards: Vec<Shard>,
    port: u16,
    admin_port: u16,
    _directory: TempDir,
}

/// Why the demonstration cannot start. The text is for the person who typed `circlet demo`.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Neither Redis nor Valkey is on the PATH.
    #[error(
        "circlet demo needs redis-server or valkey-server, and neither is installed. On Debian or \
         Ubuntu: sudo apt-get install redis-server. Or `make run`, which installs it"
    )]
    NoServer,
    /// A range of ports is taken.
    #[error("circlet demo finds no free port on 127.0.0.1 from {0} upwards")]
    NoPort(u16),
    /// The operating system refuses something we need.
    #[error("circlet demo cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A shard ended, or did not answer in time.
    #[error("circlet demo: {program} on port {port} does not serve. It says:\n{log}")]
    Shard {
        /// The server's program.
        program: String,
        /// The port it was given.
        port: u16,
        /// The end of what it wrote.
        log: String,
    },
}

impl Demo {
    /// Starts the shards and waits until each answers.
    ///
    /// Call it on the main thread: the kernel kills the shards when the thread that started them
    /// ends, not the process.
    pub fn start() -> Result<Demo, DemoError> {
        let program = installed_server().ok_or(DemoError::NoServer)?;
        let directory = tempfile::Builder::new().prefix("circlet-demo-").tempdir();
        let directory = directory.map_err(system("make a temporary directory"))?;
        let port = free_port(DEMO_PORT)?;
        let mut shards: Vec<Shard> = Vec::new();
        for number in 1..=SHARDS {
            let after = shards.last().map_or(port + SHARD_PORTS_AFTER, |shard| shard.port + 1);
            shards.push(Shard::start(&program, &shard_name(number), after, directory.path())?);
        }
        let admin_port = free_port(DEMO_ADMIN_PORT)?;
        Ok(Demo { shards, port, admin_port, _directory: directory })
    }

    /// The admin address on which circlet is to listen. It was free a moment ago.
    pub fn admin_address(&self) -> String {
        format!("127.0.0.1:{}", self.admin_port)
    }

    /// The port of 127.0.0.1 on which circlet is to listen. It was free a moment ago.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The pool over the shards, as a nutcracker.yml. A shard that dies is ejected, so that a
    /// visitor who kills one sees the others take over. Commands over several shards are done in
    /// steps, so that whatever one tries works.
    pub fn nutcracker_yml(&self) -> String {
        let mut text = format!(
            "demo:\n  listen: 127.0.0.1:{}\n  redis: true\n  timeout: 1000\n  \
             auto_eject_hosts: true\n  server_retry_timeout: 2000\n  hash_tag: \"{{}}\"\n  \
             cross_shard: allow\n  servers:\n",
            self.port
        );
        for shard in &self.shards {
            text += &format!("    - 127.0.0.1:{}:1 {}\n", shard.port, shard.name);
        }
        text
    }

    /// What to print once circlet accepts: where everything is and what to try.
    pub fn greeting(&self) -> String {
        let port = self.port;
        let taken = match port {
            DEMO_PORT => String::new(),
            _ => format!("Port {DEMO_PORT} is taken, so circlet listens on {port}.\n\n"),
        };
        let first = self.shards.first().map_or(0, |shard| shard.child.id());
        let mut text = format!("{taken}  circlet  127.0.0.1:{port}\n");
        for Shard { name, port, child } in &self.shards {
            text += &format!("  {name}  127.0.0.1:{port}  (process {})\n", child.id());
        }
        text += &format!(
            "\nWatch it:      http://{}/\n\
             Try it:        redis-cli -p {port} SET greeting hello\n\
             A dead shard:  kill -9 {first}\n\
             End it all:    Ctrl-C\n",
            self.admin_address()
        );
        text
    }
}

/// Becomes a shard: what `circlet demo-shard PARENT PROGRAM ARGUMENT…` does. Returns only when it
/// cannot.
pub fn exec_shard(arguments: &[OsString]) -> io::Error {
    let [parent, program, rest @ ..] = arguments else {
        return io::Error::other("demo-shard PARENT PROGRAM ARGUMENT… is for circlet demo's use");
    };
    if let Err(error) = die_with(parent) {
        return error;
    }
    Command::new(program).args(rest).exec()
}

const SHARDS: usize = 3;

/// Shards start ten ports above circlet's own, so that one glance tells them apart.
const SHARD_PORTS_AFTER: u16 = 10;

/// How many ports are tried before giving up.
const PORT_ATTEMPTS: u16 = 500;

/// An empty Redis answers in 20 ms; this is for a machine on its knees.
const SHARD_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Shard {
    name: String,
    port: u16,
    child: Child,
}

impl Shard {
    /// Starts a server on the first free port from `from` upwards.
    fn start(program: &Path, name: &str, from: u16, directory: &Path) -> Result<Shard, DemoError> {
        let port = free_port(from)?;
        let log = directory.join(format!("{name}.log"));
        let child = spawn(program, port, directory, &log).map_err(system("start a shard"))?;
        let mut shard = Shard { name: name.to_owned(), port, child };
        if shard.serves() {
            return Ok(shard);
        }
        let log = fs::read_to_string(&log).unwrap_or_default();
        if log.contains("Address already in use") {
            return Shard::start(program, name, port + 1, directory);
        }
        let program = program.display().to_string();
        Err(DemoError::Shard { program, port, log: last_lines(&log, 5) })
    }

    fn serves(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < SHARD_PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            if answering_process(self.port).is_ok_and(|process| process == self.child.id()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        // An error says that it is gone already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Path, port: u16, directory: &Path, log: &Path) -> io::Result<Child> {
    let output = File::create(log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([SHARD_COMMAND, &std::process::id().to_string()]).arg(program);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(directory);
    command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
    // A terminal's Ctrl-C is for circlet, which ends its shards after its clients.
    command.process_group(0).spawn()
}

/// Asks the kernel to kill this process when its parent, which has to be `parent`, ends.
fn die_with(parent: &OsStr) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let alive = rustix::process::getppid().map(Pid::as_raw_nonzero);
    match parent.to_str().and_then(|text| text.parse().ok()) {
        // The parent may have ended before we asked: then nobody would tell us.
        Some(expected) if alive == Some(expected) => Ok(()),
        _ => Err(io::Error::other("circlet demo ended before its shard started")),
    }
}

/// The process that answers on `port`: another demo that starts now may have taken it first.
fn answering_process(port: u16) -> io::Result<u32> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(SHARD_PATIENCE))?;
    stream.write_all(b"INFO server\r\nQUIT\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let process = reply.lines().find_map(|line| line.strip_prefix("process_id:"));
    process.and_then(|text| text.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn installed_server() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let known = ["redis-server", "valkey-server"];
    let mut places = known
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(|at| at.join(name)).collect::<Vec<_>>());
    places.find(|place| place.is_file())
}

/// The first port of 127.0.0.1 from `from` upwards that nobody listens on. Ports from the kernel's
/// ephemeral range would not do: reconnecting to a dead shard there, circlet could meet itself.
fn free_port(from: u16) -> Result<u16, DemoError> {
    let last = from.saturating_add(PORT_ATTEMPTS);
    let mut free = (from..=last).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().ok_or(DemoError::NoPort(from))
}

fn shard_name(number: usize) -> String {
    format!("shard-{number}")
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn system(what: &'static str) -> impl Fn(io::Error) -> DemoError {
    move |source| DemoError::System { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(free_port(port).unwrap() > port);
        drop(taken);
        assert_eq!(free_port(port).unwrap(), port);
    }

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }
}
