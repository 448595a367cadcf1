//! A real Redis server, or a Valkey one where that is what the machine has.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Address, Client, Process, free_port, within};

/// A redis-server of our own, without persistence, gone when the value is dropped.
#[derive(Debug)]
pub struct Shard {
    address: Address,
    arguments: Vec<String>,
    process: Mutex<Process>,
    directory: TempDir,
}

impl Shard {
    /// A shard on a free port of 127.0.0.1.
    pub fn start() -> Shard {
        Shard::with(&[])
    }

    /// A shard with further arguments, such as `["--requirepass", "secret"]`.
    pub fn with(arguments: &[&str]) -> Shard {
        // Somebody else may take the port before the server does.
        for _ in 0..ATTEMPTS {
            let address = Address::Tcp(free_port());
            if let Some(shard) = Shard::at(address, directory(), arguments) {
                return shard;
            }
        }
        panic!("redis-server does not start with {arguments:?}");
    }

    /// A shard on a unix socket.
    pub fn unix() -> Shard {
        let directory = directory();
        let address = Address::Unix(directory.path().join("shard.sock"));
        Shard::at(address, directory, &[]).expect("redis-server starts on a unix socket")
    }

    /// `count` shards, which start all at the same time.
    pub fn several(count: usize) -> Vec<Shard> {
        let launch = |_| {
            let (address, directory) = (Address::Tcp(free_port()), directory());
            let process = launch(&address, directory.path(), &[]);
            (address, directory, process)
        };
        let launched: Vec<_> = (0..count).map(launch).collect();
        let wait = |(address, directory, process)| match wait(process, &address) {
            Some(process) => {
                Shard { address, arguments: Vec::new(), process: Mutex::new(process), directory }
            }
            None => Shard::start(),
        };
        launched.into_iter().map(wait).collect()
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// A line of a pool's `servers`: address and weight, and a name when there is one.
    pub fn server(&self, weight: u32, name: Option<&str>) -> String {
        let name = name.map_or(String::new(), |name| format!(" {name}"));
        format!("{}:{weight}{name}", self.address)
    }

    /// A connection to the shard itself.
    pub fn client(&self) -> Client {
        Client::connect(&self.address)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// Kills it hard and waits until it is gone: connections are reset, the port is closed.
    pub fn kill9(&self) {
        self.process().kill();
    }

    /// Suspends it: it hangs with its port open.
    pub fn stop(&self) {
        self.process().signal(Signal::STOP);
    }

    /// Lets a stopped one go on.
    pub fn cont(&self) {
        self.process().signal(Signal::CONT);
    }

    /// Starts it anew, empty, at the same address; kills it first when it still runs.
    pub fn restart(&self) {
        let mut process = self.process();
        process.kill();
        let restarted = (0..ATTEMPTS)
            .find_map(|_| serve(&self.address, self.directory.path(), &self.arguments));
        *process = restarted.expect("redis-server starts again at its old address");
    }

    fn at(address: Address, directory: TempDir, arguments: &[&str]) -> Option<Shard> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let process = Mutex::new(serve(&address, directory.path(), &arguments)?);
        Some(Shard { address, arguments, process, directory })
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

const ATTEMPTS: u32 = 5;

fn directory() -> TempDir {
    tempfile::Builder::new().prefix("circlet-shard-").tempdir().expect("a temporary directory")
}

/// Starts a server and waits until it answers; `None` when it ends instead.
fn serve(address: &Address, directory: &Path, arguments: &[String]) -> Option<Process> {
    wait(launch(address, directory, arguments), address)
}

fn launch(address: &Address, directory: &Path, arguments: &[String]) -> Process {
    let log = File::create(directory.join("log")).expect("a file in our own directory");
    Process::start(program(), |command| {
        match address {
            Address::Tcp(port) => {
                command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
            }
            Address::Unix(path) => {
                command.args(["--port", "0", "--unixsocket"]).arg(path);
            }
        }
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(directory);
        command.args(["--enable-debug-command", "yes", "--maxclients", "15000"]);
        command.args(arguments).stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
    })
    .expect("setpriv is part of util-linux")
}

fn wait(mut process: Process, address: &Address) -> Option<Process> {
    let pid = process.pid();
    let up =
        within(super::PATIENCE, || process.exited().is_some() || address.is_listened_on_by(pid));
    if !up || process.exited().is_some() {
        return None;
    }
    // Whatever it answers (+PONG, -NOAUTH …), it serves.
    let answer = Client::try_connect(address).and_then(|mut client| client.try_command(&["PING"]));
    answer.ok().map(|_| process)
}

fn program() -> &'static str {
    let directories = std::env::var("PATH").unwrap_or_default();
    let present = |name: &str| directories.split(':').any(|at| Path::new(at).join(name).exists());
    let known = ["redis-server", "valkey-server"];
    known.into_iter().find(|name| present(name)).expect("redis-server: run `make test`")
}
