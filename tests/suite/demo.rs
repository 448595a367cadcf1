//! `circlet demo`: three shards come, serve as one, and go with circlet, however it goes.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{
    Address, CIRCLET, Client, PATIENCE, Process, Reply, eventually, process_runs, within,
};

#[test]
fn three_shards_serve_as_one_until_ctrl_c() {
    let mut demo = Demo::start();
    let mut client = Client::connect(&Address::Tcp(demo.port()));
    for number in 0..100 {
        let (key, value) = (format!("{number}:key"), format!("value {number}"));
        assert_eq!(client.command(&["SET", &key, &value]), Reply::ok());
        assert_eq!(client.command(&["GET", &key]), Reply::bulk(value));
    }
    let sizes: Vec<i64> = demo.shards().iter().map(|(port, _)| size(*port)).collect();
    assert_eq!(sizes.iter().sum::<i64>(), 100, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size > 0), "every shard has its share: {sizes:?}");

    let shards = demo.shards();
    demo.process.signal(Signal::INT);
    demo.process.wait();
    assert!(shards.iter().all(|(_, pid)| !process_runs(*pid)), "shards outlive circlet");
    assert_eq!(demo.left_behind(), Vec::<String>::new());
}

#[test]
fn sigterm_ends_all_of_it() {
    let mut demo = Demo::start();
    let shards = demo.shards();
    demo.process.signal(Signal::TERM);
    demo.process.wait();
    assert!(shards.iter().all(|(_, pid)| !process_runs(*pid)), "shards outlive circlet");
    assert_eq!(demo.left_behind(), Vec::<String>::new());
}

#[test]
fn shards_do_not_outlive_a_circlet_that_is_killed_hard() {
    let mut demo = Demo::start();
    let shards = demo.shards();
    assert!(shards.iter().all(|(_, pid)| process_runs(*pid)));
    demo.process.kill();
    eventually("the shards are gone", || shards.iter().all(|(_, pid)| !process_runs(*pid)));
}

#[test]
fn another_port_is_taken_with_a_word_about_it_when_the_usual_one_is_taken() {
    // Somebody else's listener there does as well.
    let _taken = TcpListener::bind("127.0.0.1:22121");
    let demo = Demo::start();
    assert_ne!(demo.port(), 22121);
    assert!(demo.said().contains("Port 22121 is taken"), "{}", demo.said());
}

#[test]
fn without_a_redis_server_it_says_how_to_get_one() {
    let empty = tempfile::tempdir().expect("a temporary directory");
    let output = std::process::Command::new(CIRCLET)
        .arg("demo")
        .env("PATH", empty.path())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("apt-get install redis-server"), "{said}");
}

#[test]
fn a_shard_whose_parent_has_ended_does_not_start() {
    let output = std::process::Command::new(CIRCLET)
        .args(["demo-shard", "1", "echo", "started"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty(), "it started");
    assert!(said.contains("ended before its shard started"), "{said}");
}

/// A running `circlet demo`.
struct Demo {
    process: Process,
    directory: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// One demo at a time: two that start together may choose the same free port.
static TURN: Mutex<()> = Mutex::new(());

impl Demo {
    fn start() -> Demo {
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let said = File::create(directory.path().join("said")).expect("a file of our own");
        let process = Process::start(CIRCLET, |command| {
            let errors = said.try_clone().expect("a spare file");
            command.arg("demo").env("TMPDIR", directory.path());
            command.stdin(Stdio::null()).stdout(said).stderr(errors);
        });
        let mut demo = Demo { process: process.expect("setpriv is there"), directory, _turn: turn };
        let up = within(PATIENCE, || {
            demo.process.exited().is_some() || demo.said().contains("redis-cli -p")
        });
        assert!(up && demo.process.exited().is_none(), "it says:\n{}", demo.said());
        demo
    }

    fn said(&self) -> String {
        fs::read_to_string(self.directory.path().join("said")).expect("a file of our own")
    }

    fn port(&self) -> u16 {
        let said = self.said();
        let (_, rest) = said.split_once("redis-cli -p ").expect("it waited for this line");
        rest.split_whitespace().next().and_then(|port| port.parse().ok()).expect("a port")
    }

    /// Port and process of each shard, from lines like `shard-1  127.0.0.1:22131  (process 7)`.
    fn shards(&self) -> Vec<(u16, u32)> {
        let said = self.said();
        let lines = said.lines().filter(|line| line.trim().starts_with("shard-"));
        let shards: Vec<(u16, u32)> = lines.map(numbers_of).collect();
        assert_eq!(shards.len(), 3, "{said}");
        shards
    }

    /// What is in its temporary directory beside our own file.
    fn left_behind(&self) -> Vec<String> {
        let found = fs::read_dir(self.directory.path()).expect("our own directory").flatten();
        let names = found.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| !Path::new(name).ends_with("said")).collect()
    }
}

fn numbers_of(line: &str) -> (u16, u32) {
    let (_, port) = line.split_once("127.0.0.1:").expect("an address");
    let (port, process) = port.split_once("  (process ").expect("a process");
    let process = process.trim_end_matches(')');
    (port.parse().expect("a port"), process.parse().expect("a process id"))
}

fn size(port: u16) -> i64 {
    Client::connect(&Address::Tcp(port)).command(&["DBSIZE"]).integer()
}
