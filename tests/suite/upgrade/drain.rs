//! SIGTERM: clients leave between two commands, within a time.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::load::{Load, all_manners};
use super::{Site, client};
use crate::harness::{Address, Client, Reply, encode, eventually, free_port, get};

#[test]
fn commands_that_were_sent_are_answered_and_nobody_is_cut_off_in_the_middle() {
    let site = Site::new();
    let mut circlet = site.start(&["--drain-timeout", "4000"]);
    let mut idle = client(&site.tcp());
    let load = Load::start(&[site.tcp(), site.unix()], &all_manners()[1..4]);
    std::thread::sleep(Duration::from_millis(300));
    circlet.process.signal(Signal::TERM);
    circlet.expect_end();
    idle.expect_closed();
    for told in load.stop() {
        // Nobody listens any more: that alone is what went wrong.
        let failures = told.failures.iter().filter(|told| !told.starts_with("connect"));
        assert_eq!(failures.count(), 0, "{told:?}");
        assert_eq!(told.closed, 1, "{told:?}");
        assert_eq!(told.counted, site.counted(&told.key), "{told:?}");
    }
    assert!(circlet.log().contains("all clients have left"), "{}", circlet.log());
    assert!(!site.path("pool.sock").exists());
    assert!(!site.path("pid").exists());
}

#[test]
fn who_is_in_the_middle_of_something_has_until_the_deadline() {
    let site = Site::new();
    let mut circlet = site.start(&["--drain-timeout", "1500"]);
    let (mut half, mut multi) = (client(&site.tcp()), client(&site.tcp()));
    half.send(b"*2\r\n$3\r\nGET\r\n$100\r\nabc");
    assert_eq!(multi.command(&["MULTI"]), Reply::ok());
    let (mut busy, mut waits) = (client(&site.tcp()), client(&site.unix()));
    assert_eq!(busy.command(&["MULTI"]), Reply::ok());
    waits.send(&encode(&["BLPOP", "nothing", "0"]));
    let mut hears = client(&site.tcp());
    hears.send(&encode(&["SUBSCRIBE", "news"]));
    hears.read_reply();
    let began = Instant::now();
    circlet.process.signal(Signal::TERM);
    hears.expect_closed();
    assert!(began.elapsed() < Duration::from_millis(1400), "{:?}", began.elapsed());
    assert_eq!(busy.command(&["SET", "a", "1"]), Reply::Simple("QUEUED".into()));
    assert_eq!(busy.command(&["EXEC"]), Reply::Array(vec![Reply::ok()]));
    busy.expect_closed();
    assert!(began.elapsed() < Duration::from_millis(1400), "{:?}", began.elapsed());
    assert_eq!(waits.read_reply(), Reply::Nil);
    waits.expect_closed();
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    half.expect_closed();
    multi.expect_closed();
    circlet.expect_end();
    assert!(began.elapsed() >= Duration::from_millis(1500), "{:?}", began.elapsed());
    assert!(circlet.log().contains(" 2 clients disconnected in the middle"), "{}", circlet.log());
}

#[test]
fn a_second_signal_or_an_interrupt_ends_it_at_once() {
    for (first, second) in [(None, Signal::INT), (Some(Signal::TERM), Signal::TERM)] {
        let site = Site::new();
        let mut circlet = site.start(&["--drain-timeout", "60000"]);
        let mut multi = client(&site.tcp());
        assert_eq!(multi.command(&["MULTI"]), Reply::ok());
        if let Some(first) = first {
            circlet.process.signal(first);
            circlet.expect_log("SIGTERM received");
            circlet.expect_log("nobody is let in any more; 1 clients leave");
        }
        circlet.process.signal(second);
        circlet.expect_end();
        multi.expect_closed();
        assert!(!site.path("pool.sock").exists());
        assert!(!site.path("pid").exists());
    }
}

#[test]
fn who_waits_to_be_let_in_still_is() {
    let site = Site::new();
    let mut circlet = site.start(&[]);
    circlet.process.signal(Signal::STOP);
    // More than are let in before it looks at signals again.
    let connect = |_| {
        let mut client = Client::connect(&site.tcp());
        client.send(&encode(&["INCR", "visits"]));
        client
    };
    let mut clients: Vec<Client> = (0..300).map(connect).collect();
    circlet.process.signal(Signal::TERM);
    circlet.process.signal(Signal::CONT);
    let mut visits: Vec<i64> =
        clients.iter_mut().map(|client| client.read_reply().integer()).collect();
    visits.sort_unstable();
    assert!(visits.into_iter().eq(1..=300));
    clients.iter_mut().for_each(Client::expect_closed);
    circlet.expect_end();
}

#[test]
fn while_the_end_is_only_announced_all_are_served() {
    let site = Site::new();
    let admin = free_port();
    let address = format!("127.0.0.1:{admin}");
    let mut circlet = site.start(&["--drain-delay", "600", "--admin-addr", &address]);
    let mut old = client(&site.tcp());
    eventually("it is ready", || get(admin, "/readyz").status == 200);
    let began = Instant::now();
    circlet.process.signal(Signal::TERM);
    circlet.expect_log("still serving for 600 ms");
    let page = get(admin, "/readyz");
    assert_eq!(
        (page.status, &page.body[..]),
        (503, "the process is about to end: its clients leave\n")
    );
    assert_eq!(get(admin, "/healthz").status, 200);
    let mut new = client(&site.tcp());
    assert_eq!(new.command(&["SET", "a", "1"]), Reply::ok());
    assert_eq!(old.command(&["GET", "a"]), Reply::bulk("1"));
    new.expect_closed();
    old.expect_closed();
    assert!(began.elapsed() >= Duration::from_millis(600), "{:?}", began.elapsed());
    circlet.expect_end();
    let Address::Tcp(port) = site.tcp() else { unreachable!() };
    assert!(Client::try_connect(&Address::Tcp(port)).is_err());
}
