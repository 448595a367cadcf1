//! Links that speak TLS: every connection to a shard does, and none to a shard that is another.

use super::certificates::Authority;
use super::{pool, tls_shard, to_shards};
use crate::harness::{Circlet, Proxy, Reply, Shard, eventually};

fn proxy(authority: &Authority, servers: &[String], settings: &str) -> Proxy {
    let own = authority.sign("circlet", &["localhost"]);
    let text = pool(authority, &own, servers, settings);
    Circlet::with_arguments(&text, &["-v", "6"])
}

/// The lines of a pool that trusts `authority` and shows nothing.
fn trusting(authority: &Authority) -> String {
    format!("server_tls: true\nserver_tls_ca_cert_file: {}", authority.file().display())
}

#[test]
fn every_connection_to_a_shard_speaks_tls() {
    let authority = Authority::new();
    let (papers, link) = (authority.sign("shard", &["127.0.0.1"]), authority.sign("link", &[]));
    // The plain port is shut: what does not speak TLS does not get through.
    let (shard, server) = tls_shard(&authority, &papers, &["--requirepass", "s3cret"]);
    shard.client().command(&["AUTH", "s3cret"]);
    let settings = format!("{}\nauto_eject_hosts: true", to_shards(&authority, &link));
    let by_pool = format!("{settings}\nredis_auth: s3cret\npreconnect: true");
    for (settings, auth) in [(by_pool, ["AUTH", "s3cret"]), (settings, ["AUTH", "s3cret"])] {
        let proxy = proxy(&authority, std::slice::from_ref(&server), &settings);
        let mut direct = shard.client();
        direct.command(&["AUTH", "s3cret"]);
        let mut client = proxy.client();
        assert_eq!(client.command(&auth), Reply::ok());
        assert_eq!(client.command(&["SET", "a", "1"]), Reply::ok());
        client.command(&["HELLO", "3"]);
        client.command(&["SELECT", "2"]);
        assert_eq!(client.command(&["WATCH", "a"]), Reply::ok());
        let mut listener = proxy.client();
        listener.command(&auth);
        listener.command(&["SUBSCRIBE", "news"]);
        // Shared and private links, the usher, the heartbeat, the subscription: all but this one
        // came by the TLS port.
        let list = direct.command(&["CLIENT", "LIST"]);
        let list = String::from_utf8_lossy(list.bytes()).into_owned();
        let Some((_, tls_port)) = server.trim_end_matches(":1").rsplit_once(':') else {
            panic!("{server}")
        };
        let (by_tls, plain): (Vec<&str>, Vec<&str>) =
            list.lines().partition(|line| line.contains(&format!("laddr=127.0.0.1:{tls_port} ")));
        assert!(by_tls.len() >= 5, "{list}");
        assert_eq!(plain.iter().filter(|line| !line.contains("cmd=auth")).count(), 1, "{list}");
    }
}

#[test]
fn a_shard_that_wants_a_certificate_and_sees_none_is_out_and_that_is_told() {
    let authority = Authority::new();
    let papers = authority.sign("shard", &["127.0.0.1"]);
    let (_shard, server) = tls_shard(&authority, &papers, &[]);
    let proxy = proxy(&authority, &[server], &trusting(&authority));
    let refused = proxy.client().command(&["GET", "a"]);
    let refused = refused.error().expect("it cannot be reached").to_owned();
    // TLS 1.3 tells it only when something is read.
    assert!(refused.contains("alert") || refused.contains("Connection reset"), "{refused}");
}

#[test]
fn a_shard_with_another_name_is_not_spoken_to() {
    let authority = Authority::new();
    let papers = authority.sign("shard", &["redis.example"]);
    let (_shard, server) = tls_shard(&authority, &papers, &["--tls-auth-clients", "no"]);
    let servers = [server];
    let trust = trusting(&authority);
    let refused = proxy(&authority, &servers, &trust).client().command(&["GET", "a"]);
    let text = refused.error().expect("it is another").to_owned();
    // Said by the link, or by the heartbeat if that was first.
    assert!(text.contains("TLS handshake failed"), "{text}");
    assert!(text.contains("certificate not valid for name"), "{text}");
    for right in
        ["server_tls_name: redis.example", "server_tls_verify: ca", "server_tls_verify: no"]
    {
        let proxy = proxy(&authority, &servers, &format!("{trust}\n{right}"));
        assert_eq!(proxy.client().command(&["GET", "a"]), Reply::Nil, "{right}");
        let warns = proxy.log().contains("server_tls_verify");
        assert_eq!(warns, right.contains("verify"), "{}", proxy.log());
    }
    let wrong = format!("{trust}\nserver_tls_name: other.example");
    assert!(proxy(&authority, &servers, &wrong).client().command(&["GET", "a"]).error().is_some());
}

#[test]
fn a_shard_whose_certificate_is_expired_or_of_another_authority_is_ejected() {
    let authority = Authority::new();
    let settings = format!("{}\nauto_eject_hosts: true", trusting(&authority));
    let foreign = Authority::new();
    let cases = [
        (authority.expired("late", &["127.0.0.1"]), "certificate expired"),
        (foreign.sign("foreign", &["127.0.0.1"]), "UnknownIssuer"),
    ];
    for (papers, told) in cases {
        let (_shard, server) = tls_shard(&authority, &papers, &["--tls-auth-clients", "no"]);
        let proxy = proxy(&authority, &[server], &settings);
        proxy.expect_log(told);
        eventually("the shard is out", || proxy.pool_stat("pool", "server_ejects") > 0);
    }
}

#[test]
fn a_shard_that_speaks_no_tls_is_told_so() {
    let authority = Authority::new();
    let shard = Shard::start();
    let settings = format!("{}\nconnect_timeout: 200", trusting(&authority));
    let proxy = proxy(&authority, &[shard.server(1, None)], &settings);
    let refused = proxy.client().command(&["GET", "a"]);
    let refused = refused.error().expect("it does not understand");
    assert!(refused.contains("does the shard speak TLS at this port"), "{refused}");
}

#[test]
fn a_plain_link_to_a_tls_port_fails_and_does_not_hang() {
    let authority = Authority::new();
    let papers = authority.sign("shard", &["127.0.0.1"]);
    let (_shard, server) = tls_shard(&authority, &papers, &[]);
    let proxy = proxy(&authority, &[server], "");
    assert!(proxy.client().command(&["GET", "a"]).error().is_some());
}

#[test]
fn a_shard_that_dies_and_comes_back_is_found_again() {
    let authority = Authority::new();
    let papers = authority.sign("shard", &["127.0.0.1"]);
    let (shard, server) = tls_shard(&authority, &papers, &["--tls-auth-clients", "no"]);
    let settings = "auto_eject_hosts: true\nserver_retry_timeout: 100\nheartbeat_interval: 100";
    let settings = format!("{}\n{settings}", trusting(&authority));
    let proxy = proxy(&authority, &[server], &settings);
    let mut client = proxy.client();
    assert_eq!(client.command(&["SET", "a", "1"]), Reply::ok());
    shard.kill9();
    eventually("its requests fail", || client.command(&["GET", "a"]).error().is_some());
    shard.restart();
    eventually("it serves again", || client.command(&["GET", "a"]) == Reply::Nil);
}
