//! Where circlet listens and connects, and the options of its sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use super::{PATIENT, one_worker};
use crate::harness::{Address, CIRCLET, Circlet, Client, PATIENCE, Proxy, Reply, Shard, pool_yaml};

#[test]
fn clients_come_through_a_unix_socket_with_its_permissions() {
    let shard = Shard::start();
    for (permissions, mode) in [("0600", 0o600), ("0666", 0o666), ("777", 0o777)] {
        let text = format!(
            "pool:\n  listen: {{dir}}/pool.sock {permissions}\n  redis: true\n  servers:\n    - {}\n",
            shard.server(1, None)
        );
        let mut proxy = Circlet::with_config(&text);
        let path = proxy.directory().join("pool.sock");
        let mut client = Client::connect(&Address::Unix(path.clone()));
        assert_eq!(client.command(&["SET", "k", permissions]), Reply::ok());
        assert_eq!(client.command(&["GET", "k"]), Reply::bulk(permissions));
        let found = std::fs::metadata(&path).expect("the socket is there").permissions().mode();
        assert_eq!(found & 0o777, mode, "{:o}", found);
        assert!(proxy.terminate().success());
        assert!(!path.exists(), "the socket stays behind");
    }
}

#[test]
fn shards_are_reached_through_unix_sockets() {
    let shards = [Shard::unix(), Shard::unix()];
    let proxy = one_worker(&shards, "");
    let mut client = proxy.client();
    for key in 0..50 {
        assert_eq!(client.command(&["SET", &format!("{key}:k"), "v"]), Reply::ok());
    }
    let sizes = shards.each_ref().map(|shard| shard.client().command(&["DBSIZE"]).integer());
    assert!(sizes[0] > 0 && sizes[1] > 0 && sizes[0] + sizes[1] == 50, "{sizes:?}");
    shards[0].restart();
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(sizes[1]));
}

#[test]
fn clients_and_shards_are_reached_by_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        return eprintln!("skipped: this machine has no IPv6 loopback");
    }
    let shard = Shard::with(&["--bind", "127.0.0.1", "::1"]);
    let Address::Tcp(port) = shard.address() else { panic!("it is a port") };
    let text = format!(
        "pool:\n  listen: '[::1]:{{port:pool}}'\n  redis: true\n  servers:\n    - '[::1]:{port}:1'\n"
    );
    let proxy = Circlet::with_config(&text);
    let Address::Tcp(port) = proxy.address() else { panic!("it is a port") };
    let mut stream = TcpStream::connect(("::1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    stream.write_all(b"SET k v\r\nGET k\r\n").expect("it reads");
    let mut replies = [0; 12];
    stream.read_exact(&mut replies).expect("it answers");
    assert_eq!(&replies, b"+OK\r\n$1\r\nv\r\n");
    let clients = shard.client().command(&["CLIENT", "LIST"]);
    let clients = String::from_utf8_lossy(clients.bytes()).into_owned();
    assert!(clients.contains("addr=[::1]:"), "{clients}");
}

#[test]
fn shards_are_found_by_name() {
    let shard = Shard::start();
    let Address::Tcp(port) = shard.address() else { panic!("it is a port") };
    let servers = [format!("localhost:{port}:1")];
    let proxy = Circlet::with_config(&pool_yaml("pool", &servers, PATIENT));
    assert_eq!(proxy.client().command(&["SET", "k", "v"]), Reply::ok());
    assert_eq!(shard.client().command(&["GET", "k"]), Reply::bulk("v"));

    let nowhere = ["no-such-host.invalid:6379:1".to_owned()];
    let proxy = Circlet::with_config(&pool_yaml("pool", &nowhere, PATIENT));
    let mut client = proxy.client();
    client.set_patience(Duration::from_secs(30));
    let reply = client.command(&["GET", "k"]);
    let text = reply.error().expect("there is no such host");
    assert!(text.contains("no-such-host.invalid"), "{text}");
}

#[test]
fn reuseport_lets_two_processes_listen_on_one_port() {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], "reuseport: true");
    let first = Circlet::with_config(&text);
    let Address::Tcp(port) = first.address() else { panic!("it is a port") };
    let again = text.replace("{port:pool}", &port.to_string());
    let second = Circlet::with_config(&again);
    let mut clients: Vec<Client> = (0..100).map(|_| first.client()).collect();
    for client in &mut clients {
        assert_eq!(client.command(&["GET", "k"]), Reply::Nil);
    }
    let shares = [&first, &second].map(|proxy| proxy.pool_stat("pool", "client_connections"));
    assert_eq!(shares[0] + shares[1], 100);
    assert!(shares[0] > 0 && shares[1] > 0, "{shares:?}");

    let alone = again.replace("reuseport: true", "reuseport: false");
    let refused = Proxy::try_start(CIRCLET, &alone, &["-a", "127.0.0.1"]);
    let refused = refused.expect_err("the port is taken");
    assert!(refused.log.contains("another process listens there"), "{}", refused.log);
}

#[test]
fn the_listen_queue_and_keepalive_are_as_configured() {
    let shard = Shard::start();
    let Address::Tcp(shard_port) = shard.address() else { panic!("it is a port") };
    for keepalive in [false, true] {
        let settings = format!("backlog: 77\ntcpkeepalive: {keepalive}");
        let proxy = one_worker(std::slice::from_ref(&shard), &settings);
        let Address::Tcp(port) = proxy.address() else { panic!("it is a port") };
        let mut client = proxy.client();
        assert_eq!(client.command(&["GET", "k"]), Reply::Nil);
        let Some(listening) = ss(&["-ltn", &format!("sport = :{port}")]) else {
            return eprintln!("skipped: there is no `ss` to look at sockets with");
        };
        let fields: Vec<&str> = listening.split_whitespace().collect();
        assert_eq!(fields.get(2), Some(&"77"), "{listening}");
        for end in [format!("sport = :{port}"), format!("dport = :{shard_port}")] {
            let sockets = ss(&["-tnop", &format!("state established {end}")]).unwrap_or_default();
            let ours = format!("pid={},", proxy.pid());
            let timers = sockets.lines().filter(|line| line.contains(&ours));
            let timers: Vec<bool> = timers.map(|line| line.contains("keepalive")).collect();
            assert!(!timers.is_empty(), "no socket of ours in {sockets}");
            // Of the sockets to shards that of the heartbeats may differ.
            assert_eq!(timers.contains(&true), keepalive, "{sockets}");
        }
    }
}

/// What `ss` says of the sockets that it finds; `None` where there is no such program.
fn ss(arguments: &[&str]) -> Option<String> {
    let output = Command::new("ss")
        .arg("-H")
        .args(arguments.iter().flat_map(|one| one.split(' ')))
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
