//! A client that sends without end and does not read.

use std::time::Duration;

use super::{PATIENT, beside};
use crate::harness::{Circlet, Reply, Shard, encode, eventually, pool_yaml};

#[test]
fn a_hundred_thousand_commands_without_reading_hold_nobody_up_and_are_all_answered() {
    flood(100_000);
}

#[test]
#[ignore = "takes a minute in a debug build"]
fn a_million_commands_without_reading_hold_nobody_up_and_are_all_answered() {
    flood(1_000_000);
}

fn flood(commands: usize) {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], PATIENT);
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut client = proxy.client();
    // So long that what sockets take is no more than a part of all commands and replies.
    let (key, value) = ("k".repeat(200), "v".repeat(200));
    assert_eq!(client.command(&["SET", &key, &value]), Reply::ok());
    let before = proxy.memory();
    let mut sender = client.sender();
    let some = encode(&["GET", &key]).repeat(commands / 100);
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || (0..100).for_each(|_| sender.send(&some)));
        let (_, seen) = beside(&proxy, || std::thread::sleep(Duration::from_millis(700)));
        let grown = proxy.memory().saturating_sub(before);
        eprintln!("{grown} bytes more; others: {seen:?}");
        assert!(!sending.is_finished(), "it took {commands} commands without an answer read");
        assert!(grown < 16 << 20, "{grown} bytes for a client that does not read");
        assert!(seen.slowest < Duration::from_secs(3), "{seen:?}");
        for _ in 0..commands / 1_000 {
            client.expect(format!("$200\r\n{value}\r\n").repeat(1_000));
        }
    });
    assert_eq!(client.command(&["ECHO", "end"]), Reply::bulk("end"));
    drop(client);
    eventually("it is gone", || proxy.pool_stat("pool", "client_connections") == 0);
}
