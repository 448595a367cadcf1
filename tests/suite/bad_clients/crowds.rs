//! Clients by the ten thousand, at once and one after the other.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::PATIENT;
use crate::harness::{Circlet, Client, Reply, Shard, encode, eventually, pool_yaml};

#[test]
fn ten_thousand_clients_at_once_are_all_served() {
    raise_the_limit_of_open_files();
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], &format!("{PATIENT}\nbacklog: 4096"));
    let proxy = Circlet::with_arguments(&text, &["--threads", "2"]);
    proxy.client().command(&["SET", "k", "v"]);
    let before = proxy.memory();

    let mut clients: Vec<Client> = (0..10_000).map(|_| proxy.client()).collect();
    let commands = [encode(&["PING"]), encode(&["GET", "k"])].concat();
    for _ in 0..2 {
        clients.iter_mut().for_each(|client| client.send(&commands));
        clients.iter_mut().for_each(|client| client.expect("+PONG\r\n$1\r\nv\r\n"));
    }
    assert_eq!(proxy.pool_stat("pool", "client_connections"), 10_000);
    let idle = (proxy.memory() - before) / 10_000;
    assert!(idle < 4 * 1024, "{idle} bytes for an idle client");

    drop(clients);
    eventually("all are gone", || proxy.pool_stat("pool", "client_connections") == 0);
    let after = proxy.memory();
    assert!(after < before + (24 << 20), "{before} before, {after} after");
    assert_eq!(proxy.client().command(&["GET", "k"]), Reply::bulk("v"));
}

#[test]
fn twenty_thousand_clients_that_come_and_go_leave_nothing() {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], PATIENT);
    let proxy = Circlet::with_arguments(&text, &["--threads", "2"]);
    proxy.client().command(&["SET", "k", "v"]);
    let come_and_go = |count: usize| {
        for turn in 0..count {
            let mut client = proxy.client();
            match turn % 4 {
                // Left with a reply owed, within a command, and at once.
                0 => client.send(&encode(&["GET", "k"])),
                1 => client.send(b"*2\r\n$3\r\nGET\r\n$1"),
                2 => {}
                _ => assert_eq!(client.command(&["GET", "k"]), Reply::bulk("v")),
            }
        }
    };
    come_and_go(2_000);
    eventually("all are gone", || proxy.pool_stat("pool", "client_connections") == 0);
    let before = proxy.memory();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| come_and_go(4_500));
        }
    });
    eventually("all are gone", || proxy.pool_stat("pool", "client_connections") == 0);
    let after = proxy.memory();
    assert!(after < before + (4 << 20), "{before} before, {after} after");
    assert_eq!(proxy.shard_stat("pool", &shard.address().to_string(), "server_connections"), 2);
    assert_eq!(proxy.client().command(&["GET", "k"]), Reply::bulk("v"));
}

/// Children inherit it.
pub fn raise_the_limit_of_open_files() {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limits.maximum, ..limits };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit anybody may");
}
