//! No descriptor left: who is served stays served, and the rest come in when there is room.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{PATIENT, beside, descriptors};
use crate::harness::{Circlet, Client, Proxy, Reply, Shard, eventually, pool_yaml};

/// Lets the process open no more than this many files.
fn limit(proxy: &Proxy, files: usize) {
    let pid = Pid::from_raw(proxy.pid() as i32);
    let limit = Rlimit { current: Some(files as u64), maximum: Some(files as u64) };
    prlimit(pid, Resource::Nofile, limit).expect("less is always allowed");
}

#[test]
fn without_a_descriptor_left_accepting_waits_and_nobody_is_harmed() {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], PATIENT);
    let proxy = Circlet::with_arguments(&text, &["--threads", "2"]);
    // Both workers have their link.
    let mut served: Vec<Client> = (0..10).map(|_| proxy.client()).collect();
    served.iter_mut().for_each(|client| assert_eq!(client.command(&["GET", "k"]), Reply::Nil));
    let files = descriptors(&proxy);
    limit(&proxy, files + 20);
    let (waiting, seen) = beside(&proxy, || {
        let mut many: Vec<Client> = (0..60).map(|_| proxy.client()).collect();
        many.iter_mut().for_each(|client| client.send(b"PING\r\n"));
        proxy.expect_log("a client could not be accepted");
        for client in &mut served {
            assert_eq!(client.command(&["GET", "k"]), Reply::Nil);
        }
        std::thread::sleep(Duration::from_millis(300));
        many
    });
    assert!(seen.slowest < Duration::from_secs(2), "{seen:?}");
    let told = proxy.log().matches("could not be accepted").count();
    assert!(told < 100, "it told so {told} times, again and again");
    // As those that got in leave, the others come in, one by one.
    for mut client in waiting {
        client.expect("+PONG\r\n");
    }
    eventually("all have left", || descriptors(&proxy) <= files);
    assert_eq!(proxy.client().command(&["GET", "k"]), Reply::Nil);
}
