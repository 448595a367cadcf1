//! Sockets that systemd hands in, and what it is told. A shell plays systemd's part: it puts a socket
//! where systemd does and says so in the environment.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use super::load::{Load, Manner};
use super::{Running, Site, client};
use crate::harness::{CIRCLET, PATIENCE, Reply};

/// Runs circlet with its standard input as the first of the sockets that are handed in.
const AS_SYSTEMD: [&str; 3] =
    ["-c", "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"", "systemd"];

fn launch(site: &Site, listener: &TcpListener, more: &[&str]) -> Running {
    let socket: OwnedFd = listener.try_clone().expect("a descriptor").into();
    let before = [&AS_SYSTEMD[..], &[CIRCLET]].concat();
    site.launch_with("/bin/sh", &before, more, Some(socket))
}

#[test]
fn a_restart_refuses_nobody_while_the_socket_is_systemds() {
    let site = Site::new();
    let listener = TcpListener::bind(("127.0.0.1", site.port)).expect("a free port");
    let mut first = launch(&site, &listener, &[]);
    first.expect_log("serves, process");
    let manner = Manner { pipeline: 1, rounds: 3, rest: Duration::ZERO };
    let load = Load::start(&[site.tcp()], &[manner, manner]);
    std::thread::sleep(Duration::from_millis(100));
    first.process.signal(Signal::TERM);
    first.expect_end();
    let mut second = launch(&site, &listener, &[]);
    second.expect_log("serves, process");
    client(&site.tcp());
    for told in load.stop() {
        assert!(told.failures.is_empty(), "{told:?}");
        assert_eq!(told.counted, site.counted(&told.key), "{told:?}");
    }
    second.process.signal(Signal::TERM);
    second.expect_end();
}

#[test]
fn a_socket_that_nobody_is_configured_for_is_told_of() {
    let site = Site::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let circlet = launch(&site, &listener, &[]);
    circlet.expect_log(&format!("nobody is configured to listen on {address}"));
    circlet.expect_log("serves, process");
    assert_eq!(client(&site.tcp()).command(&["SET", "a", "1"]), Reply::ok());
    let mut daemon = launch(&site, &listener, &["-d"]);
    assert!(!daemon.process.wait().success());
    assert!(daemon.log().contains("leave out -d"), "{}", daemon.log());
}

#[test]
fn systemd_is_told_of_each_stage() {
    let site = Site::new();
    let path = site.path("notify.sock");
    let systemd = UnixDatagram::bind(&path).expect("our own directory");
    systemd.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
    let setting = format!("NOTIFY_SOCKET={}", path.display());
    let before = [&setting[..], "WATCHDOG_USEC=200000", CIRCLET];
    let mut circlet = site.launch_with("env", &before, &[], None);
    let heard = |what: &str| {
        let mut buffer = [0; 256];
        loop {
            let count = systemd.recv(&mut buffer).expect("something is told");
            let told = String::from_utf8_lossy(&buffer[..count]).into_owned();
            if told.lines().any(|line| line == what) {
                return told;
            }
        }
    };
    let ready = heard("READY=1");
    assert!(ready.contains(&format!("MAINPID={}", circlet.process.pid())), "{ready}");
    heard("WATCHDOG=1");
    heard("WATCHDOG=1");
    circlet.process.signal(Signal::HUP);
    assert!(heard("RELOADING=1").contains("MONOTONIC_USEC="));
    heard("READY=1");
    circlet.process.signal(Signal::TERM);
    heard("STOPPING=1");
    circlet.expect_end();
}
