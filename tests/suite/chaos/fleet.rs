//! The shards of a run: real servers that keep what they acknowledged, behind wires that fail.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::namespace::Namespace;
use super::wire::Wire;
use crate::harness::{PATIENCE, Process, free_port, within};

/// A shard that survives `kill -9` with all it has acknowledged, and the wire to it.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    pub address: SocketAddrV4,
    pub wire: Wire,
    process: Mutex<Process>,
    directory: TempDir,
    /// Where the machine allows: the shard is in a network of its own.
    pub namespace: Option<Namespace>,
}

impl Member {
    pub fn start(name: &str, handle: &Handle, namespace: Option<Namespace>) -> Member {
        let host = namespace.as_ref().map_or(Ipv4Addr::LOCALHOST, Namespace::inside);
        let directory = directory();
        for _ in 0..ATTEMPTS {
            let address = SocketAddrV4::new(host, free_port());
            if let Some(process) = serve(address, directory.path(), namespace.as_ref()) {
                let (wire, process) = (Wire::to(address, handle), Mutex::new(process));
                let name = name.to_owned();
                return Member { name, address, wire, process, directory, namespace };
            }
        }
        panic!("redis-server does not start at {host}");
    }

    /// Kills it hard.
    pub fn kill9(&self) {
        self.process().kill();
    }

    /// Starts it again, with all that it had.
    pub fn restart(&self) {
        let mut process = self.process();
        process.kill();
        let restarted = (0..ATTEMPTS)
            .find_map(|_| serve(self.address, self.directory.path(), self.namespace.as_ref()));
        *process = restarted.expect("redis-server starts again at its old address");
    }

    /// It hangs with its port open.
    pub fn stop(&self) {
        self.process().signal(Signal::STOP);
    }

    /// It goes on.
    pub fn cont(&self) {
        self.process().signal(Signal::CONT);
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// In memory where possible: each write is synced before its reply, which disks take long for.
fn directory() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("circlet-chaos-");
    let in_memory = builder.tempdir_in("/dev/shm");
    in_memory.or_else(|_| builder.tempdir()).expect("a temporary directory")
}

fn serve(at: SocketAddrV4, directory: &Path, namespace: Option<&Namespace>) -> Option<Process> {
    let log = File::create(directory.join("log")).expect("a file in our own directory");
    let program = if namespace.is_some() { "ip" } else { "redis-server" };
    let mut process = Process::start(program, |command| {
        if let Some(namespace) = namespace {
            command.args(["netns", "exec", namespace.name(), "redis-server"]);
        }
        command.args(["--bind", &at.ip().to_string(), "--port", &at.port().to_string()]);
        command.args(["--protected-mode", "no", "--maxclients", "5000"]);
        // `everysec` may keep what it acknowledged from the file for two seconds.
        command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir"]);
        command.arg(directory).stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
    });
    let process_ref = process.as_mut().expect("setpriv is part of util-linux");
    let is_up = || TcpStream::connect_timeout(&at.into(), Duration::from_millis(200)).is_ok();
    let mut has_ended = || process_ref.exited().is_some();
    within(PATIENCE, || has_ended() || is_up());
    match has_ended() {
        true => None,
        false => process.ok(),
    }
}

const ATTEMPTS: u32 = 5;
