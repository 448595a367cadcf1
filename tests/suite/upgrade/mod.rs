//! A circlet ends, or another takes its place, and its clients notice no more than a connection that
//! is closed between two commands.

mod activation;
mod drain;
mod hand_over;
mod load;

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::harness::{Address, CIRCLET, Client, Process, Shard, eventually, free_port};

/// A configuration with a TCP pool and one on a unix socket, and the circlets that serve it in turn.
struct Site {
    shard: Shard,
    port: u16,
    stats_port: u16,
    directory: TempDir,
    started: AtomicU32,
}

impl Site {
    fn new() -> Site {
        let directory = tempfile::Builder::new().prefix("circlet-upgrade-").tempdir();
        let directory = directory.expect("a temporary directory");
        let site = Site {
            shard: Shard::start(),
            port: free_port(),
            stats_port: free_port(),
            directory,
            started: AtomicU32::new(0),
        };
        let server = site.shard.server(1, None);
        let pool = |name: &str, listen: String| {
            format!("{name}:\n  listen: {listen}\n  redis: true\n  servers:\n    - {server}\n")
        };
        let text = pool("tcp", site.tcp().to_string()) + &pool("unix", site.unix().to_string());
        fs::write(site.path("pools.yml"), text).expect("our own directory");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tcp(&self) -> Address {
        Address::Tcp(self.port)
    }

    fn unix(&self) -> Address {
        Address::Unix(self.path("pool.sock"))
    }

    /// Starts a circlet with further arguments; its log is a file of its own.
    fn launch(&self, arguments: &[&str]) -> Running {
        self.launch_with(CIRCLET, &[], arguments, None)
    }

    /// Starts a circlet and waits until it serves.
    #[track_caller]
    fn start(&self, arguments: &[&str]) -> Running {
        let running = self.launch(arguments);
        running.expect_log("serves, process");
        running
    }

    /// The same by another program that is to run circlet, and with a standard input.
    fn launch_with(
        &self,
        program: &str,
        before: &[&str],
        arguments: &[&str],
        input: Option<OwnedFd>,
    ) -> Running {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.path(&format!("log.{number}"));
        let file = File::create(&log).expect("our own directory");
        let process = Process::start(program, |command| {
            command.args(before).args(["-a", "127.0.0.1", "-s", &self.stats_port.to_string()]);
            command.arg("-c").arg(self.path("pools.yml")).args(["--threads", "2", "-v", "5"]);
            command.arg("-p").arg(self.path("pid")).args(arguments).current_dir(&self.directory);
            command.stdin(input.map_or_else(Stdio::null, Stdio::from));
            command.stdout(Stdio::null()).stderr(file);
        });
        Running { process: process.expect("setpriv is part of util-linux"), log }
    }

    /// What the pid file says.
    fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.path("pid")).ok()?.parse().ok()
    }

    /// The counters that clients have counted up, as the shard has them.
    fn counted(&self, key: &str) -> i64 {
        let reply = self.shard.client().command(&["INCRBY", key, "0"]);
        reply.integer()
    }
}

/// One of the circlets.
struct Running {
    process: Process,
    log: PathBuf,
}

impl Running {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    #[track_caller]
    fn expect_log(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    /// Waits for its end, which has to be a good one.
    #[track_caller]
    fn expect_end(&mut self) {
        let status = self.process.wait();
        assert!(status.success(), "it ends with {status}:\n{}", self.log());
    }
}

/// A client that has said something, so that it is served.
fn client(address: &Address) -> Client {
    let mut client = Client::connect(address);
    client.command(&["PING"]);
    client
}
