//! PROXY protocol: a proxy in front tells whom it speaks for, and is believed where it is trusted.

mod behind_haproxy;

use std::time::{Duration, Instant};

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, encode, eventually, pool_yaml};

/// The addresses in the headers are public ones.
const LOCAL: &str = "proxy_protocol_from: 127.0.0.1\nprotected_mode: false";
const PREFIX: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    [PREFIX, &[0x20 | command, family], &(rest.len() as u16).to_be_bytes(), rest].concat()
}

fn ipv4() -> Vec<u8> {
    vec![192, 0, 2, 9, 198, 51, 100, 1, 0x12, 0x67, 0x18, 0xeb]
}

fn over(shard: &Shard, settings: &str) -> Proxy {
    Circlet::with_config(&pool_yaml("pool", &[shard.server(1, None)], settings))
}

/// `addr` and `laddr` of the client's own line.
fn addresses(client: &mut Client) -> (String, String) {
    let reply = client.command(&["CLIENT", "INFO"]);
    let line = String::from_utf8_lossy(reply.bytes()).into_owned();
    let field = |name: &str| {
        let found = line.split(' ').find_map(|field| field.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {line}")).to_owned()
    };
    (field("addr="), field("laddr="))
}

#[test]
fn the_address_in_the_header_is_the_clients() {
    let shard = Shard::start();
    let proxy = over(&shard, LOCAL);
    let ipv6 = [&[0x20; 16][..], &[0; 15], &[1, 0x12, 0x67, 0x18, 0xeb]].concat();
    let mut unix = vec![0; 216];
    unix[..6].copy_from_slice(b"/tmp/a");
    unix[108..114].copy_from_slice(b"/tmp/b");
    let tlvs = [&ipv4()[..], &[0x02, 0, 11], b"example.com", &[0x03, 0, 4, 1, 2, 3, 4]].concat();
    let (peer, own) = ("192.0.2.9:4711", "198.51.100.1:6379");
    let peer6 = "[2020:2020:2020:2020:2020:2020:2020:2020]:4711";
    let told = [
        (b"PROXY TCP4 192.0.2.9 198.51.100.1 4711 6379\r\n".to_vec(), peer, own),
        (b"PROXY TCP6 2001:db8::9 ::1 4711 6379\r\n".to_vec(), "[2001:db8::9]:4711", "[::1]:6379"),
        (binary(1, 0x11, &ipv4()), peer, own),
        (binary(1, 0x11, &tlvs), peer, own),
        (binary(1, 0x21, &ipv6), peer6, "[::1]:6379"),
        (binary(1, 0x31, &unix), "/tmp/a:0", "/tmp/b:0"),
    ];
    for (header, peer, own) in &told {
        let mut client = proxy.client();
        // The first command comes in the same packet.
        client.send(&[&header[..], &encode(&["SET", "k", "v"])].concat());
        client.expect("+OK\r\n");
        assert_eq!(addresses(&mut client), (peer.to_string(), own.to_string()));
    }
    // The proxy's own health checks, and what it cannot tell.
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 192.0.2.9 198.51.100.1 4711 6379\r\n".to_vec(),
        binary(0, 0x00, b""),
        binary(0, 0x11, &ipv4()),
        binary(1, 0x00, b""),
    ] {
        let mut client = proxy.client();
        client.send(&header);
        assert!(addresses(&mut client).0.starts_with("127.0.0.1:"), "{}", header.escape_ascii());
    }
}

#[test]
fn everything_that_shows_or_asks_for_addresses_means_the_real_one() {
    let shard = Shard::start();
    let proxy = over(&shard, LOCAL);
    let behind = |address: &str| {
        let mut client = proxy.client();
        client.send(format!("PROXY TCP4 {address} 198.51.100.1 4711 6379\r\n").as_bytes());
        assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
        client
    };
    let (mut one, mut other) = (behind("192.0.2.1"), behind("192.0.2.2"));
    let mut monitor = behind("192.0.2.3");
    assert_eq!(monitor.command(&["MONITOR"]), Reply::ok());
    one.command(&["GET", "seen"]);
    let line = monitor.read_reply();
    let line = String::from_utf8_lossy(line.bytes()).into_owned();
    assert!(line.contains("[0 192.0.2.1:4711] \"GET\" \"seen\""), "{line}");
    let list = one.command(&["CLIENT", "LIST"]);
    let list = String::from_utf8_lossy(list.bytes()).into_owned();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert!(list.contains(&format!(" addr={address}:4711 laddr=198.51.100.1:6379 ")), "{list}");
    }
    let kill = ["CLIENT", "KILL", "ADDR", "192.0.2.2:4711"];
    assert_eq!(one.command(&kill), Reply::Integer(1));
    other.expect_closed();
}

#[test]
fn a_header_may_come_in_single_bytes() {
    let shard = Shard::start();
    let proxy = over(&shard, LOCAL);
    let tlvs = [&ipv4()[..], &[0x04, 0, 200], &[0; 200]].concat();
    let headers =
        [b"PROXY TCP4 192.0.2.9 198.51.100.1 4711 6379\r\n".to_vec(), binary(1, 0x11, &tlvs)];
    for header in headers {
        let mut client = proxy.client();
        for byte in [&header[..], &encode(&["SET", "k", "v"])].concat() {
            client.send(&[byte]);
            std::thread::sleep(Duration::from_micros(200));
        }
        client.expect("+OK\r\n");
        assert_eq!(addresses(&mut client).0, "192.0.2.9:4711");
    }
}

#[test]
fn what_is_no_header_is_refused_with_the_reason() {
    let shard = Shard::start();
    let proxy = over(&shard, LOCAL);
    let endless = [b"PROXY TCP4 1.2.3.4 ", &[b'1'; 200][..]].concat();
    let refused = [
        (b"PING\r\n".to_vec(), "a PROXY protocol header was expected"),
        (encode(&["SET", "k", "v"]), "a PROXY protocol header was expected"),
        (b"\xff\xfe\x80 garbage".to_vec(), "a PROXY protocol header was expected"),
        (endless, "the PROXY protocol header is longer than 107 bytes"),
        (binary(1, 0x11, &[0; 5_000]), "the PROXY protocol header is longer than 4096 bytes"),
        (b"PROXY TCP4 1.2.3.400 1.2.3.4 1 2\r\n".to_vec(), "cannot be understood"),
        (binary(7, 0x11, &ipv4()), "cannot be understood"),
        (binary(1, 0x11, &ipv4()[..6]), "cannot be understood"),
    ];
    for (bytes, why) in refused {
        let mut client = proxy.client();
        let _ = client.try_send(&bytes);
        client.close_writing();
        let said = client.read_to_close();
        let said = String::from_utf8_lossy(&said).into_owned();
        // A reset may overtake the words; the log has them.
        assert!(said.is_empty() || said.starts_with("-ERR ") && said.contains(why), "{said}");
        proxy.expect_log(why);
    }
    assert_eq!(shard.client().command(&["DBSIZE"]), Reply::Integer(0));
    eventually("none is left", || proxy.pool_stat("pool", "client_connections") == 0);
}

#[test]
fn a_proxy_that_is_silent_is_not_waited_for() {
    let shard = Shard::start();
    let proxy = over(&shard, &format!("{LOCAL}\nclient_connections: 50"));
    let began = Instant::now();
    // All that may connect, silent or within a header.
    let mut silent: Vec<Client> = (0..50).map(|_| proxy.client()).collect();
    silent.iter_mut().step_by(2).for_each(|client| client.send(b"PROXY TC"));
    eventually("they count as clients", || {
        let mut more = proxy.client();
        let _ = more.try_send(b"PROXY UNKNOWN\r\n");
        more.read_to_close() == b"-ERR max number of clients reached\r\n"
    });
    for mut client in silent {
        client.expect("-ERR no whole PROXY protocol header came in time\r\n");
        client.expect_closed();
    }
    let waited = began.elapsed();
    assert!(
        waited >= Duration::from_millis(2_900) && waited < Duration::from_secs(10),
        "{waited:?}"
    );
    let mut client = proxy.client();
    client.send(b"PROXY UNKNOWN\r\nPING\r\n");
    client.expect("+PONG\r\n");
}

#[test]
fn protected_mode_goes_by_the_clients_address_not_the_proxys() {
    let shard = Shard::start();
    let proxy = over(&shard, "proxy_protocol_from: 127.0.0.1");
    for (peer, is_served) in [("192.0.2.9", false), ("8.8.8.8", false), ("10.1.2.3", true)] {
        let mut client = proxy.client();
        let header = format!("PROXY TCP4 {peer} 10.0.0.1 4711 6379\r\n");
        client.send(&[header.as_bytes(), &encode(&["PING"])].concat());
        let reply = client.read_reply();
        let is_denied = reply.error().is_some_and(|text| text.starts_with("DENIED"));
        assert_eq!(is_denied, !is_served, "{peer}: {reply:?}");
    }
}

#[test]
fn only_whom_the_pool_trusts_may_speak_for_others() {
    let shard = Shard::start();
    let proxy = over(&shard, "proxy_protocol_from: [10.0.0.0/8, '192.0.2.1']");
    // Others are clients like any, without a header.
    let mut plain = proxy.client();
    assert!(addresses(&mut plain).0.starts_with("127.0.0.1:"));
    for header in [b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n".to_vec(), binary(1, 0x11, &ipv4())] {
        let mut liar = proxy.client();
        liar.send(&header);
        let text = String::from_utf8_lossy(&liar.read_to_close()).into_owned();
        assert!(text.starts_with("-ERR PROXY protocol header refused"), "{text}");
    }
    proxy.expect_log("it sent a PROXY protocol header");
    assert_eq!(plain.command(&["PING"]), Reply::Simple("PONG".into()));
}

#[test]
fn a_proxy_may_come_through_a_unix_socket() {
    let shard = Shard::start();
    let text = format!(
        "pool:\n  listen: {{dir}}/pool.sock\n  redis: true\n  proxy_protocol_from: unix\n  protected_mode: false\n  servers:\n    - {}\n",
        shard.server(1, None)
    );
    let proxy = Circlet::with_config(&text);
    let path = proxy.directory().join("pool.sock");
    let mut client = Client::connect(&crate::harness::Address::Unix(path));
    client.send(&[&binary(1, 0x11, &ipv4())[..], b"PING\r\n"].concat());
    client.expect("+PONG\r\n");
    assert_eq!(addresses(&mut client).0, "192.0.2.9:4711");
}
