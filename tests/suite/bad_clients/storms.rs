//! Connections by the thousand that come at once, and go at once.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use super::{PATIENT, Seen, beside, descriptors};
use crate::harness::{
    Address, Circlet, Client, Proxy, Reply, Shard, encode, eventually, pool_yaml,
};

/// What became of a storm.
#[derive(Debug)]
struct Storm {
    made: usize,
    refused: usize,
    /// Seconds that the process spent computing.
    spent: f64,
    lasted: Duration,
    seen: Seen,
}

/// Connects as fast as `threads` can, for so long; each connection is reset, or closed after a PING.
fn storm(proxy: &Proxy, threads: usize, lasting: Duration) -> Storm {
    let Address::Tcp(port) = proxy.address() else { panic!("it is a port") };
    let (made, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (began, spent) = (Instant::now(), computing_time(proxy));
    let connect = || {
        while began.elapsed() < lasting {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => {
                    let number = made.fetch_add(1, Ordering::Relaxed);
                    if number.is_multiple_of(64) {
                        ping(stream);
                    } else {
                        // Ports in TIME_WAIT would run out before the storm is over.
                        set_socket_linger(&stream, Some(Duration::ZERO)).expect("a TCP socket");
                    }
                }
                Err(_) => _ = refused.fetch_add(1, Ordering::Relaxed),
            }
        }
    };
    let (lasted, seen) = beside(proxy, || {
        std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(connect)));
        began.elapsed()
    });
    let spent = computing_time(proxy) - spent;
    Storm { made: made.into_inner(), refused: refused.into_inner(), spent, lasted, seen }
}

fn ping(mut stream: TcpStream) {
    use std::io::{Read, Write};
    let limit = Some(crate::harness::PATIENCE);
    stream.set_read_timeout(limit).expect("a timeout above zero");
    stream.write_all(b"PING\r\n").expect("it is served");
    let mut pong = [0; 7];
    stream.read_exact(&mut pong).expect("it is answered");
    assert_eq!(&pong, b"+PONG\r\n");
    set_socket_linger(&stream, Some(Duration::ZERO)).expect("a TCP socket");
}

/// Seconds of processor time that a process has used.
fn computing_time(proxy: &Proxy) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", proxy.pid())).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number of /proc");
    (ticks(11) + ticks(12)) / 100.0
}

fn stormy(lasting: Duration) -> Storm {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], &format!("{PATIENT}\nbacklog: 4096"));
    let proxy = Circlet::with_arguments(&text, &["--threads", "2"]);
    proxy.client().command(&["SET", "k", "v"]);
    storm(&proxy, 2, Duration::from_millis(200));
    eventually("all are gone", || proxy.pool_stat("pool", "client_connections") == 0);
    let (before, files) = (proxy.memory(), descriptors(&proxy));
    let storm = storm(&proxy, 2, lasting);
    let rate = storm.made as f64 / storm.lasted.as_secs_f64();
    let each = storm.spent / storm.made as f64 * 1e6;
    eprintln!("{rate:.0} connections a second, {each:.0} µs of circlet each: {storm:?}");
    assert_eq!(storm.refused, 0, "{storm:?}");
    eventually("all are gone", || proxy.pool_stat("pool", "client_connections") == 0);
    eventually("no descriptor is left", || descriptors(&proxy) <= files);
    let after = proxy.memory();
    assert!(after < before + (8 << 20), "{before} before, {after} after");
    assert_eq!(proxy.client().command(&["GET", "k"]), Reply::bulk("v"));
    storm
}

#[test]
fn a_second_of_connections_as_fast_as_they_come_slows_nobody_down() {
    let storm = stormy(Duration::from_secs(1));
    assert!(storm.made > 500, "{storm:?}");
    assert!(storm.seen.slowest < Duration::from_secs(3), "{storm:?}");
}

#[test]
#[ignore = "ten seconds, for a release build on a quiet machine: `make storm`"]
fn ten_seconds_of_connections_as_fast_as_they_come() {
    let storm = stormy(Duration::from_secs(10));
    let rate = storm.made as f64 / storm.lasted.as_secs_f64();
    println!("{rate:.0} connections a second, {storm:?}");
}

#[test]
fn a_storm_while_every_shard_is_down_is_told_so_and_leaves_nothing() {
    let shards = Shard::several(2);
    let servers = [shards[0].server(1, Some("a")), shards[1].server(1, Some("b"))];
    let settings = "server_retry_timeout: 100\nheartbeat_interval: 50\nauto_eject_hosts: true";
    let proxy =
        Circlet::with_arguments(&pool_yaml("pool", &servers, settings), &["--threads", "2"]);
    let mut early = proxy.client();
    early.command(&["SET", "k", "v"]);
    shards.iter().for_each(Shard::kill9);
    eventually("nobody serves", || early.command(&["GET", "k"]).error().is_some());
    let (before, files) = (proxy.memory(), descriptors(&proxy));
    for round in 0..4 {
        let mut clients: Vec<Client> = (0..250).map(|_| proxy.client()).collect();
        clients.iter_mut().for_each(|client| client.send(&encode(&["GET", "k"])));
        for client in &mut clients {
            let reply = client.read_reply();
            assert!(reply.error().is_some(), "round {round}: {reply}");
        }
    }
    eventually("no descriptor is left", || descriptors(&proxy) <= files);
    let after = proxy.memory();
    assert!(after < before + (8 << 20), "{before} before, {after} after");
    shards.iter().for_each(Shard::restart);
    eventually("it is served again", || early.command(&["GET", "k"]) == Reply::Nil);
    assert_eq!(proxy.client().command(&["SET", "k", "v"]), Reply::ok());
}

#[test]
fn clients_that_reset_within_a_reply_leave_nothing() {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], PATIENT);
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let value = "v".repeat(1 << 20);
    proxy.client().command(&["SET", "k", &value]);
    let leave = |count: usize| {
        for number in 0..count {
            let mut client = proxy.client();
            client.send(&encode(&["GET", "k"]).repeat(3));
            match number % 3 {
                // Within the first reply, at its end, and when nothing was read.
                0 => client.expect(format!("$1048576\r\n{}", &value[..1_000])),
                1 => assert_eq!(client.read_reply(), Reply::bulk(&value)),
                _ => {}
            }
            client.reset();
        }
    };
    leave(30);
    eventually("all are gone", || proxy.pool_stat("pool", "client_connections") == 0);
    let (before, files) = (proxy.memory(), descriptors(&proxy));
    let (_, seen) = beside(&proxy, || leave(150));
    assert!(seen.slowest < Duration::from_secs(3), "{seen:?}");
    eventually("no descriptor is left", || descriptors(&proxy) <= files);
    let after = proxy.memory();
    assert!(after < before + (16 << 20), "{before} before, {after} after");
    let mut last = proxy.client();
    assert_eq!(last.command(&["GET", "k"]), Reply::bulk(&value));
    assert_eq!(proxy.shard_stat("pool", &shard.address().to_string(), "server_err"), 0);
}

#[test]
fn half_closed_connections_end_when_they_are_answered() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let Address::Tcp(port) = proxy.address() else { panic!("it is a port") };
    proxy.client().command(&["SET", "k", "v"]);
    eventually("it is gone", || proxy.pool_stat("pool", "client_connections") == 0);
    // They shut down what they write or read, at once or within a command, and stay.
    let halves: Vec<TcpStream> = (0..300)
        .map(|number| {
            use std::io::Write;
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            let said: [&[u8]; 3] = [b"", b"GET k\r\n", b"*2\r\n$3\r\nGET\r\n$1"];
            stream.write_all(said[number % 3]).expect("it reads");
            stream.shutdown(Shutdown::Write).expect("it is connected");
            stream
        })
        .collect();
    eventually("all are gone", || proxy.pool_stat("pool", "client_connections") == 0);
    drop(halves);
}
