//! Clients that are slow on purpose: thousands of commands that never end.

use std::time::Duration;

use super::crowds::raise_the_limit_of_open_files;
use super::{PATIENT, beside, descriptors};
use crate::harness::{Circlet, Client, Shard, eventually, pool_yaml};

/// Beginnings of commands, and the byte that follows, again and again.
const ENDLESS: [(&[u8], u8); 6] = [
    (b"GET ", b'x'),
    (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n", b'v'),
    (b"*1048576\r\n$4\r\nMSET\r\n$1000\r\n", b'k'),
    (b"*2\r\n$3\r\nGET\r\n$", b'1'),
    (b"*", b'1'),
    (b"", b'\n'),
];

#[test]
fn two_thousand_clients_that_send_a_byte_now_and_then_slow_nobody_down() {
    raise_the_limit_of_open_files();
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], &format!("{PATIENT}\nbacklog: 4096"));
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let (_, alone) = beside(&proxy, || std::thread::sleep(Duration::from_millis(500)));
    let (before, files) = (proxy.memory(), descriptors(&proxy));
    let (mut slow, seen) = beside(&proxy, || {
        let mut slow: Vec<(Client, u8)> = (0..2_000)
            .map(|number| {
                let (beginning, byte) = ENDLESS[number % ENDLESS.len()];
                let mut client = proxy.client();
                client.send(beginning);
                (client, byte)
            })
            .collect();
        // No more digits than a length may have, or they would be told so.
        for _ in 0..8 {
            for (client, byte) in &mut slow {
                client.send(&[*byte]);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        slow
    });
    eprintln!("alone {alone:?}, beside 2,000 slow clients {seen:?}");
    assert!(seen.slowest < Duration::from_secs(3), "{seen:?}, alone {alone:?}");
    assert!(seen.served > 5, "{seen:?}");
    let grown = proxy.memory().saturating_sub(before);
    assert!(grown < 2_000 * 8 * 1024, "{grown} bytes for 2,000 slow clients");
    // What they were saying is still a part of a command, and no more than that.
    slow[0].0.send(b"\r\n");
    slow[0].0.expect("$-1\r\n");
    drop(slow);
    eventually("all are gone", || descriptors(&proxy) <= files);
    let after = proxy.memory();
    assert!(after < before + (8 << 20), "{before} before, {after} after");
}
