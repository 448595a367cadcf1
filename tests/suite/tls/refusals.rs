//! Who is not let in: what it is told, and what the log says.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::certificates::Authority;
use super::{Scene, pool};
use crate::harness::{Address, Circlet, Client, Proxy, Reply, encode, eventually};

#[test]
fn a_client_has_to_show_a_certificate_that_the_authority_signed() {
    let scene = Scene::start("tls_auth_clients: yes");
    let good = scene.authority.sign("ann", &[]);
    let expired = scene.authority.expired("late", &[]);
    let foreign = Authority::new();
    let stranger = foreign.sign("mallory", &[]);
    let served = |config: &Arc<ClientConfig>| -> Result<(), String> {
        let mut client = scene.client_with(config).map_err(|error| error.to_string())?;
        let reply = client.try_command(&["PING"]).map_err(|error| error.to_string())?;
        assert_eq!(reply, Reply::Simple("PONG".into()));
        Ok(())
    };
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let client = |papers| scene.authority.client_of(papers, versions);
        assert_eq!(served(&client(Some(&good))), Ok(()));
        let refused = served(&client(None)).expect_err("no certificate");
        assert!(refused.contains("Certificate") || refused.contains("Handshake"), "{refused}");
        let refused = served(&client(Some(&expired))).expect_err("expired");
        assert!(refused.contains("CertificateExpired"), "{refused}");
        let refused = served(&client(Some(&stranger))).expect_err("another authority's");
        assert!(refused.contains("UnknownCA") || refused.contains("Decrypt"), "{refused}");
    }
    // What the client does not trust it says itself.
    let refused = served(&foreign.client(Some(&good))).expect_err("a server unknown to it");
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    scene.proxy.expect_log("peer sent no certificates");
    scene.proxy.expect_log("certificate expired");
    all_are_counted(&scene.proxy, &[]);
}

#[test]
fn where_certificates_are_optional_a_wrong_one_is_refused_still() {
    let scene = Scene::start("tls_auth_clients: optional");
    let mut client = scene.client();
    assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
    let foreign = Authority::new();
    let wrong = foreign.sign("mallory", &[]);
    let refused = scene
        .client_with(&scene.authority.client(Some(&wrong)))
        .and_then(|mut client| client.try_command(&["PING"]));
    assert!(refused.is_err());
}

#[test]
fn versions_of_tls_are_those_that_the_pool_says() {
    let versions = [&rustls::version::TLS12, &rustls::version::TLS13];
    for (word, spoken) in [("TLSv1.2", 0), ("TLSv1.3", 1)] {
        let scene = Scene::start(&format!("tls_protocols: {word}"));
        for (index, version) in versions.iter().enumerate() {
            let client = scene.client_with(&scene.authority.client_of(None, &[version]));
            match index == spoken {
                true => {
                    let reply = client.expect("it is spoken").command(&["PING"]);
                    assert_eq!(reply, Reply::Simple("PONG".into()));
                }
                false => assert!(client.is_err(), "{word} is all that is spoken"),
            }
        }
    }
}

#[test]
fn what_is_no_tls_is_refused_at_once_and_costs_nobody_else() {
    let scene = Scene::start("");
    let mut served = scene.client();
    let garbage: [&[u8]; 6] = [
        &encode(&["PING"]),
        b"PING\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0xff; 100],
        // A record longer than any may be, and one of a version that never was.
        b"\x16\x03\x01\xff\xff\x01",
        b"\x16\x09\x09\x00\x01\x01",
    ];
    for bytes in garbage {
        let mut stream = connect(&scene);
        stream.write_all(bytes).expect("it is taken");
        let begun = Instant::now();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(begun.elapsed() < Duration::from_secs(5), "{}", bytes.escape_ascii());
        // An alert at most.
        assert!(answer.len() <= 7, "{}: {}", bytes.escape_ascii(), answer.escape_ascii());
        assert_eq!(served.command(&["PING"]), Reply::Simple("PONG".into()));
    }
    scene.proxy.expect_log("does the client speak TLS?");
    all_are_counted(&scene.proxy, &[&served]);
}

#[test]
fn tls_at_the_plain_port_is_told_at_once() {
    let scene = Scene::start("");
    let begun = Instant::now();
    let config = scene.authority.client(None);
    let refused = Client::try_connect_tls(&scene.proxy.address(), &config, "localhost");
    assert_eq!(refused.expect_err("no TLS is spoken there").kind(), ErrorKind::InvalidData);
    assert!(begun.elapsed() < Duration::from_secs(5));
    scene.proxy.expect_log("this is TLS");
}

#[test]
fn a_handshake_that_does_not_come_to_an_end_is_ended() {
    let scene = Scene::start("");
    let mut silent = connect(&scene);
    let mut half = connect(&scene);
    half.write_all(b"\x16\x03\x01\x00\xc8\x01\x00").expect("it is taken");
    let mut cut = connect(&scene);
    cut.write_all(b"\x16\x03\x01\x00\xc8\x01\x00").expect("it is taken");
    drop(cut);
    scene.proxy.expect_log("the client left in the midst of it");
    let begun = Instant::now();
    for stream in [&mut silent, &mut half] {
        assert!(matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)));
    }
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(15), "{took:?}");
    scene.proxy.expect_log("not finished within 10 s");
    all_are_counted(&scene.proxy, &[]);
}

#[test]
fn a_thousand_who_stop_half_way_do_not_keep_others_out() {
    let scene = Scene::start("");
    let idle: Vec<TcpStream> = (0..1000).map(|_| connect(&scene)).collect();
    let begun = Instant::now();
    assert_eq!(scene.client().command(&["PING"]), Reply::Simple("PONG".into()));
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(idle);
    all_are_counted(&scene.proxy, &[]);
}

#[test]
fn clients_past_the_limit_are_refused_in_the_midst_of_a_handshake_too() {
    let scene = Scene::start("client_connections: 2");
    let (_first, _second) = (connect(&scene), connect(&scene));
    eventually("a third is refused", || scene.client_with(&scene.authority.client(None)).is_err());
}

#[test]
fn files_that_do_not_do_are_told_with_key_and_remedy() {
    let authority = Authority::new();
    let papers = authority.sign("circlet", &["localhost"]);
    let other = authority.sign("other", &["localhost"]);
    let server = ["127.0.0.1:1:1".to_owned()];
    let good = pool(&authority, &papers, &server, "");
    let text_of = |path: &std::path::Path| path.display().to_string();
    let empty = authority.directory().join("empty");
    std::fs::write(&empty, "").expect("our own directory");
    let cases = [
        (text_of(&papers.key), text_of(&other.key), "is not the key of the certificate"),
        (text_of(&papers.key), text_of(&empty), "holds no private key in PEM"),
        (text_of(&papers.cert), text_of(&empty), "holds no certificate in PEM"),
        (text_of(&papers.cert), "/nowhere".into(), "tls_cert_file: /nowhere cannot be read"),
    ];
    for (good_file, bad_file, told) in cases {
        let text = good.replace(&good_file, &bad_file);
        let refused = Proxy::try_start(crate::harness::CIRCLET, &text, &[]);
        let refused = refused.expect_err("it cannot serve");
        assert!(refused.log.contains(told), "{}", refused.log);
    }
    drop(Circlet::with_config(&good));
}

/// A connection that shakes no hands yet.
fn connect(scene: &Scene) -> TcpStream {
    let Address::Tcp(port) = scene.address() else { panic!("TLS needs TCP") };
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(crate::harness::PATIENCE)).expect("above zero");
    stream
}

/// Whoever was refused no longer counts as connected.
fn all_are_counted(proxy: &Proxy, connected: &[&Client]) {
    eventually("only sessions are counted", || {
        proxy.pool_stat("pool", "client_connections") == connected.len() as u64
    });
}
