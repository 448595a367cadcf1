//! A new circlet takes over from the one that runs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::load::{Load, all_manners};
use super::{Site, client};
use crate::harness::{Address, Client, PATIENCE, Reply, eventually, free_port, get, process_runs};

const SOCKET: [&str; 2] = ["--upgrade-socket", "upgrade.sock"];

#[test]
fn ten_upgrades_under_load_refuse_nobody_and_fail_nothing() {
    let site = Site::new();
    let arguments = [&SOCKET[..], &["--drain-timeout", "3000"]].concat();
    let mut circlets = vec![site.start(&arguments)];
    let load = Load::start(&[site.tcp(), site.unix()], &all_manners());
    for number in 1..=10 {
        let new = site.launch(&arguments);
        new.expect_log("whose clients leave now");
        assert_eq!(site.pid(), Some(new.process.pid()), "upgrade {number}");
        circlets.push(new);
    }
    let mut last = circlets.pop().expect("eleven were started");
    for old in &mut circlets {
        old.expect_end();
        assert!(old.log().contains("all clients have left"), "{}", old.log());
    }
    let all = load.stop();
    let failures: Vec<&String> = all.iter().flat_map(|told| &told.failures).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    for told in &all {
        assert_eq!(told.counted, site.counted(&told.key), "{told:?}");
        assert!(told.counted > 0, "{told:?}");
    }
    assert!(all.iter().map(|told| told.closed).sum::<usize>() > 5, "{all:?}");
    last.process.signal(Signal::TERM);
    last.expect_end();
    for file in ["pool.sock", "upgrade.sock", "pid"] {
        assert!(!site.path(file).exists(), "{file} is left behind");
    }
}

#[test]
fn one_that_cannot_start_changes_nothing() {
    let site = Site::new();
    let mut old = site.start(&SOCKET);
    let mut kept = client(&site.tcp());
    let good = fs::read_to_string(site.path("pools.yml")).expect("our own file");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("it is bound").port();
    let server = site.shard.server(1, None);
    let bad = format!(
        "{good}third:\n  listen: 127.0.0.1:{port}\n  redis: true\n  servers:\n    - {server}\n"
    );
    fs::write(site.path("pools.yml"), bad).expect("our own file");
    let mut new = site.launch(&SOCKET);
    assert!(!new.process.wait().success());
    assert!(new.log().contains("cannot listen"), "{}", new.log());
    old.expect_log("nothing was handed over, going on: process");
    assert_eq!(kept.command(&["PING"]), Reply::Simple("PONG".into()));
    for address in [site.tcp(), site.unix()] {
        assert_eq!(client(&address).command(&["SET", "a", "1"]), Reply::ok());
    }
    assert_eq!(site.pid(), Some(old.process.pid()));
    // And then one that can.
    fs::write(site.path("pools.yml"), good).expect("our own file");
    let new = site.start(&SOCKET);
    old.expect_end();
    kept.expect_closed();
    for address in [site.tcp(), site.unix()] {
        assert_eq!(client(&address).command(&["GET", "a"]), Reply::bulk("1"));
    }
    assert_eq!(site.pid(), Some(new.process.pid()));
}

#[test]
fn statistics_and_admin_address_go_along_and_the_sockets_are_the_very_same() {
    let site = Site::new();
    let admin = free_port();
    let address = format!("127.0.0.1:{admin}");
    let arguments = [&SOCKET[..], &["--admin-addr", &address, "--drain-timeout", "8000"]].concat();
    let mut old = site.start(&arguments);
    let file = |name| fs::metadata(site.path(name)).expect("a socket's file");
    let inodes = || [file("pool.sock").ino(), file("upgrade.sock").ino()];
    let before = inodes();
    assert_eq!(file("upgrade.sock").permissions().mode() & 0o777, 0o600);
    let mut multi = client(&site.tcp());
    assert_eq!(multi.command(&["MULTI"]), Reply::ok());
    let new = site.start(&arguments);
    old.expect_log("serves in this one's place");
    let pid = new.process.pid();
    for address in [site.tcp(), Address::Tcp(site.stats_port), Address::Tcp(admin)] {
        assert!(address.is_listened_on_by(pid), "{address}");
        eventually("the old one listens no more", || !address.is_listened_on_by(old.process.pid()));
    }
    assert_eq!(get(admin, "/healthz").status, 200);
    assert_eq!(inodes(), before);
    // The old one serves who is still in the middle of something.
    assert_eq!(multi.command(&["SET", "a", "1"]), Reply::Simple("QUEUED".into()));
    assert_eq!(multi.command(&["EXEC"]), Reply::Array(vec![Reply::ok()]));
    multi.expect_closed();
    old.expect_end();
    assert_eq!(inodes(), before);
}

#[test]
fn daemons_take_over_from_each_other() {
    let site = Site::new();
    let arguments = [&SOCKET[..], &["-d", "-o", "log"]].concat();
    let mut pids = Vec::new();
    for _ in 0..2 {
        let mut first = site.launch(&arguments);
        first.expect_end();
        eventually("a new id in the pid file", || {
            site.pid().is_some_and(|pid| !pids.contains(&pid))
        });
        pids.push(site.pid().expect("it is there"));
    }
    let _guard = scopeguard(pids.clone());
    eventually("the first has ended", || !process_runs(pids[0]));
    assert_eq!(client(&site.tcp()).command(&["SET", "a", "1"]), Reply::ok());
    assert_eq!(site.pid(), Some(pids[1]));
}

#[test]
fn a_stale_file_is_no_process_and_a_silent_one_is_told_of() {
    let site = Site::new();
    let mut first = site.start(&SOCKET);
    first.process.kill();
    assert!(site.path("upgrade.sock").exists());
    let second = site.start(&SOCKET);
    assert_eq!(client(&site.tcp()).command(&["SET", "a", "1"]), Reply::ok());
    // One that hangs: it accepts in the kernel and says nothing.
    second.process.signal(Signal::STOP);
    let mut third = site.launch(&SOCKET);
    assert!(!third.process.wait().success());
    assert!(third.log().contains("does not hand its sockets over"), "{}", third.log());
    second.process.signal(Signal::CONT);
    let mut client = Client::connect(&site.tcp());
    client.set_patience(PATIENCE);
    assert_eq!(client.command(&["GET", "a"]), Reply::bulk("1"));
}

/// Kills daemons at the end of a test.
fn scopeguard(pids: Vec<u32>) -> impl Drop {
    struct Guard(Vec<u32>);
    impl Drop for Guard {
        fn drop(&mut self) {
            for &pid in self.0.iter().filter(|pid| process_runs(**pid)) {
                let pid = Pid::from_raw(pid as i32).expect("a process has one above zero");
                let _ = kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Guard(pids)
}
