//! Limits of users and addresses.

use std::time::{Duration, Instant};

use super::{refusal, say};
use crate::harness::{Circlet, Client, Proxy, Reply, Shard, eventually, pool_yaml};

const USERS: &str = "users: [\"ann on >secret ~* &* +@all\", \"bob on >other ~* &* +@all\"]";

fn proxy(shard: &Shard, settings: &str, threads: &str) -> Proxy {
    let text = pool_yaml("pool", &[shard.server(1, None)], settings);
    Circlet::with_arguments(&text, &["--threads", threads])
}

fn ann(proxy: &Proxy) -> Client {
    let mut client = proxy.client();
    assert_eq!(say(&mut client, "AUTH ann secret"), Reply::ok());
    client
}

/// How many of these commands are not refused.
fn accepted(client: &mut Client, command: &[&str], count: usize) -> usize {
    let commands = vec![command.to_vec(); count];
    let replies = client.pipeline(&commands);
    replies.iter().filter(|reply| reply.error().is_none()).count()
}

#[test]
fn one_user_s_connections_share_its_requests_whichever_worker_has_them() {
    let shard = Shard::start();
    let proxy = proxy(&shard, &format!("{USERS}\nuser_requests_per_second: 100"), "2");
    let mut clients: Vec<Client> = (0..4).map(|_| ann(&proxy)).collect();
    let start = Instant::now();
    let total: usize =
        clients.iter_mut().map(|client| accepted(client, &["SET", "k", "v"], 100)).sum();
    let most = 100 + 100 * (start.elapsed().as_millis() as usize + 50) / 1000;
    assert!((90..=most).contains(&total), "{total} of at most {most}");
    let replies = clients[0].pipeline(&vec![vec!["GET", "k"]; 300]);
    let text = replies.iter().find_map(Reply::error).expect("one of them is refused").to_owned();
    let told = "RATELIMIT user 'ann' has used up 100 requests a second (user_requests_per_second \
                of pool 'pool'); come again in ";
    assert!(text.starts_with(told) && text.ends_with(" ms"), "{text}");
    // Another user has its own, what is no command counts, and the wait is as long as it says.
    let mut bob = proxy.client();
    assert_eq!(say(&mut bob, "AUTH bob other"), Reply::ok());
    assert_eq!(say(&mut bob, "GET k"), Reply::bulk("v"));
    let unknown = vec![vec!["NOSUCH"]; 200];
    let replies = bob.pipeline(&unknown);
    assert!(replies.iter().any(|reply| reply.error().is_some_and(|it| it.starts_with("RATE"))));
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(say(&mut clients[1], "GET k"), Reply::bulk("v"));
}

#[test]
fn bytes_count_both_ways_and_a_transaction_over_the_limit_is_none() {
    let shard = Shard::start();
    let value = "x".repeat(300_000);
    shard.client().command(&["SET", "big", &value]);
    let proxy = proxy(&shard, "address_bytes_per_second: 100kb", "1");
    let mut client = proxy.client();
    assert_eq!(say(&mut client, "GET big"), Reply::bulk(&value));
    let text = refusal(&mut client, "GET big");
    let told = "RATELIMIT address 127.0.0.1 has used up 102400 bytes a second \
                (address_bytes_per_second of pool 'pool'); come again in ";
    let wait = text.strip_prefix(told).and_then(|rest| rest.strip_suffix(" ms"));
    let wait: u64 = wait.unwrap_or_else(|| panic!("{text}")).parse().expect("a number");
    assert!((1000..2000).contains(&wait), "{wait}");
    // Who connects anew is the same address.
    assert!(refusal(&mut proxy.client(), "GET big").starts_with("RATELIMIT"));
    std::thread::sleep(Duration::from_millis(wait + 20));
    assert_eq!(say(&mut client, "MULTI"), Reply::ok());
    assert_eq!(say(&mut client, &format!("SET k {value}")), Reply::Simple("QUEUED".into()));
    assert!(refusal(&mut client, "SET k w").starts_with("RATELIMIT"));
    assert!(refusal(&mut client, "EXEC").starts_with("EXECABORT"));
    assert_eq!(say(&mut shard.client(), "EXISTS k"), Reply::Integer(0));
}

#[test]
fn one_connection_too_many_is_told_so_and_closed() {
    let shard = Shard::start();
    let settings = format!("{USERS}\nuser_connections: 2");
    let proxy = proxy(&shard, &settings, "2");
    let (first, _second, mut third) = (ann(&proxy), ann(&proxy), proxy.client());
    let text = refusal(&mut third, "AUTH ann secret");
    assert!(text.starts_with("ERR max number of clients reached: user 'ann' has 2 "), "{text}");
    third.expect_closed();
    drop(first);
    eventually("a place is free", || say(&mut proxy.client(), "AUTH ann secret") == Reply::ok());
}

#[test]
fn one_connection_too_many_of_an_address_is_told_so_and_closed() {
    let shard = Shard::start();
    let proxy = proxy(&shard, &format!("{USERS}\naddress_connections: 2"), "2");
    let _held = (ann(&proxy), ann(&proxy));
    let mut late = proxy.client();
    let told = String::from_utf8_lossy(&late.read_to_close()).into_owned();
    assert!(told.contains("address 127.0.0.1 has 2 connections already"), "{told}");
}
