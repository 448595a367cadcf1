//! A proxy under test: circlet as built, or Debian's nutcracker, over a config written here.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Address, Client, PATIENCE, Process, Shard, eventually, free_port, within};

/// The circlet that this test program was built with.
pub struct Circlet;

impl Circlet {
    /// One pool over these shards, equal weights, everything else by default.
    pub fn over(shards: &[&Shard]) -> Proxy {
        Circlet::with_config(&pool_yaml("pool", &servers(shards), ""))
    }

    /// A config's text; see [`Proxy::start`] for what is filled in.
    pub fn with_config(text: &str) -> Proxy {
        Circlet::with_arguments(text, &[])
    }

    /// A config's text and further arguments, `["--threads", "1"]` for one.
    #[track_caller]
    pub fn with_arguments(text: &str, arguments: &[&str]) -> Proxy {
        Proxy::start(CIRCLET, text, &[&ARGUMENTS[..], arguments].concat())
    }
}

/// Debian's nutcracker, the program that circlet takes the place of.
pub struct Nutcracker;

impl Nutcracker {
    /// One pool over these shards, equal weights, everything else by default.
    pub fn over(shards: &[&Shard]) -> Proxy {
        Nutcracker::with_config(&pool_yaml("pool", &servers(shards), ""))
    }

    /// A config's text; see [`Proxy::start`] for what is filled in.
    pub fn with_config(text: &str) -> Proxy {
        Proxy::start("nutcracker", text, &ARGUMENTS)
    }
}

/// The program under test.
pub const CIRCLET: &str = env!("CARGO_BIN_EXE_circlet");

/// Stats for nobody else, and refreshed often: nutcracker's are empty for the first interval.
const ARGUMENTS: [&str; 4] = ["-a", "127.0.0.1", "-i", "100"];

/// A pool of a nutcracker.yml, listening on a free port of 127.0.0.1. `servers` are lines as in
/// [`Shard::server`]; `settings` are further lines, `auto_eject_hosts: true` for one.
pub fn pool_yaml(name: &str, servers: &[String], settings: &str) -> String {
    let mut text = format!("{name}:\n  listen: 127.0.0.1:{{port:{name}}}\n  redis: true\n");
    for line in settings.lines().map(str::trim).filter(|line| !line.is_empty()) {
        text += &format!("  {line}\n");
    }
    text += "  servers:\n";
    for server in servers {
        text += &format!("    - {server}\n");
    }
    text
}

/// A running proxy; dropped, it is killed.
#[derive(Debug)]
pub struct Proxy {
    process: Process,
    ports: Vec<(String, u16)>,
    stats_port: u16,
    directory: TempDir,
}

/// A proxy that ended instead of serving.
#[derive(Debug)]
pub struct Refused {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stderr.
    pub log: String,
}

impl Proxy {
    /// Starts `program` with a config and waits until all its ports accept.
    ///
    /// In `text`, `{port:NAME}` becomes a free port (the same one for the same name) and `{dir}`
    /// a temporary directory, for unix sockets.
    #[track_caller]
    pub fn start(program: &str, text: &str, arguments: &[&str]) -> Proxy {
        match Proxy::try_start(program, text, arguments) {
            Ok(proxy) => proxy,
            Err(refused) => panic!("{program} ends with {}:\n{}", refused.status, refused.log),
        }
    }

    /// As [`Proxy::start`], where ending at once is an answer too.
    pub fn try_start(program: &str, text: &str, arguments: &[&str]) -> Result<Proxy, Refused> {
        let mut outcome = Proxy::start_once(program, text, arguments);
        for _ in 0..3 {
            match &outcome {
                // Somebody else took one of the ports before the proxy did.
                Err(refused) if refused.log.contains("ddress already in use") => {
                    outcome = Proxy::start_once(program, text, arguments);
                }
                _ => break,
            }
        }
        outcome
    }

    /// Where the first pool of the config listens.
    pub fn address(&self) -> Address {
        Address::Tcp(self.ports.first().expect("the config names a port").1)
    }

    /// Where the pool that uses `{port:NAME}` listens.
    pub fn address_of(&self, name: &str) -> Address {
        let found = self.ports.iter().find(|(known, _)| known == name);
        Address::Tcp(found.unwrap_or_else(|| panic!("no {{port:{name}}} in the config")).1)
    }

    /// The port that `{port:NAME}` stands for.
    pub fn port_of(&self, name: &str) -> u16 {
        match self.address_of(name) {
            Address::Tcp(port) => port,
            other => panic!("{other:?} is no port"),
        }
    }

    /// A connection to the first pool.
    pub fn client(&self) -> Client {
        Client::connect(&self.address())
    }

    /// A connection to the pool that uses `{port:NAME}`.
    pub fn client_of(&self, name: &str) -> Client {
        Client::connect(&self.address_of(name))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The directory that `{dir}` stands for.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The config file, to be changed before a reload.
    pub fn config_file(&self) -> PathBuf {
        self.directory().join("nutcracker.yml")
    }

    /// The text of the config file.
    pub fn config_text(&self) -> String {
        fs::read_to_string(self.config_file()).expect("a file in our own directory")
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        read_log(self.directory())
    }

    /// Waits until the log contains `text`.
    #[track_caller]
    pub fn expect_log(&self, text: &str) {
        let found = within(PATIENCE, || self.log().contains(text));
        assert!(found, "no \"{text}\" in the log:\n{}", self.log());
    }

    /// What the stats port answers: all of it, until it closes.
    pub fn stats(&self) -> String {
        let mut text = String::new();
        let mut connected = None;
        eventually("the stats port accepts", || {
            connected = TcpStream::connect(("127.0.0.1", self.stats_port)).ok();
            connected.is_some()
        });
        let mut stream = connected.expect("it did");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        stream.read_to_string(&mut text).expect("the stats are sent and the connection closed");
        text
    }

    /// Where the stats are served.
    pub fn stats_address(&self) -> Address {
        Address::Tcp(self.stats_port)
    }

    /// The statistics as a tree.
    pub fn stats_tree(&self) -> serde_json::Value {
        serde_json::from_str(&self.stats()).expect("the stats are JSON")
    }

    /// One of a pool's statistics, `client_connections` for one.
    #[track_caller]
    pub fn pool_stat(&self, pool: &str, name: &str) -> u64 {
        let found = self.stats_tree()[pool][name].as_u64();
        found.unwrap_or_else(|| panic!("no {name} of {pool} in {}", self.stats()))
    }

    /// One of a shard's statistics, `server_connections` for one.
    #[track_caller]
    pub fn shard_stat(&self, pool: &str, shard: &str, name: &str) -> u64 {
        let found = self.stats_tree()[pool][shard][name].as_u64();
        found.unwrap_or_else(|| panic!("no {name} of {pool}, {shard} in {}", self.stats()))
    }

    /// The memory it has in use now, in bytes.
    pub fn memory(&self) -> u64 {
        self.memory_line("VmRSS:")
    }

    /// The most memory it ever had in use, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.memory_line("VmHWM:")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    /// Kills it hard.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.process.exited().is_none()
    }

    fn memory_line(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).expect("a line of /proc");
        kib.trim().parse::<u64>().expect("a number of /proc") * 1024
    }

    fn start_once(program: &str, text: &str, arguments: &[&str]) -> Result<Proxy, Refused> {
        let directory = tempfile::Builder::new().prefix("circlet-proxy-").tempdir();
        let directory = directory.expect("a temporary directory");
        let (text, ports) = fill_in(text, &directory.path().display().to_string());
        let config = directory.path().join("nutcracker.yml");
        fs::write(&config, text).expect("a file in our own directory");
        let stats_port = free_port();
        let log = File::create(directory.path().join("log")).expect("a file in our own directory");
        let process = Process::start(program, |command| {
            command.arg("-c").arg(&config).args(["-s", &stats_port.to_string()]);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        });
        let process = process.expect("setpriv is part of util-linux");
        Proxy { process, ports, stats_port, directory }.wait_until_it_accepts(program)
    }

    fn wait_until_it_accepts(mut self, program: &str) -> Result<Proxy, Refused> {
        let mut awaited: Vec<u16> = self.ports.iter().map(|(_, port)| *port).collect();
        if awaited.is_empty() {
            awaited.push(self.stats_port);
        }
        let pid = self.pid();
        let what = format!("{program} listens on {awaited:?} or ends");
        let mut status = None;
        eventually(&what, || {
            status = self.process.exited();
            awaited.retain(|port| !Address::Tcp(*port).is_listened_on_by(pid));
            status.is_some() || awaited.is_empty()
        });
        match status {
            Some(status) => Err(Refused { status, log: self.log() }),
            None => Ok(self),
        }
    }
}

fn servers(shards: &[&Shard]) -> Vec<String> {
    shards.iter().map(|shard| shard.server(1, None)).collect()
}

fn read_log(directory: &Path) -> String {
    let bytes = fs::read(directory.join("log")).expect("a file in our own directory");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Replaces `{dir}` and every `{port:NAME}`; returns the ports by name, in order of appearance.
fn fill_in(text: &str, directory: &str) -> (String, Vec<(String, u16)>) {
    let mut text = text.replace("{dir}", directory);
    let mut ports = Vec::new();
    while let Some((_, rest)) = text.split_once("{port:") {
        let (name, _) = rest.split_once('}').expect("{port:NAME} is closed");
        let (name, port) = (name.to_owned(), free_port());
        text = text.replace(&format!("{{port:{name}}}"), &port.to_string());
        ports.push((name, port));
    }
    (text, ports)
}
