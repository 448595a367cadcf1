//! The admin address: what operators and their programs see and do over HTTP.

use crate::harness::{Address, Circlet, Proxy, Shard, ask, eventually, free_port, get, pool_yaml};

/// circlet over these shards, and the port of its admin address.
pub fn with_admin(shards: &[&Shard], settings: &str) -> (Proxy, u16) {
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    over_servers(&servers, settings)
}

/// The same over any servers, lines of a configuration.
pub fn over_servers(servers: &[String], settings: &str) -> (Proxy, u16) {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let text = pool_yaml("pool", servers, settings);
    let circlet = Circlet::with_arguments(&text, &["--admin-addr", &address]);
    let address = Address::Tcp(port);
    eventually("the admin address accepts", || address.is_listened_on_by(circlet.pid()));
    (circlet, port)
}

#[test]
fn it_says_that_it_lives_and_what_there_is_not() {
    let shard = Shard::start();
    let (_circlet, port) = with_admin(&[&shard], "");
    let page = get(port, "/healthz");
    assert_eq!((page.status, &page.body[..]), (200, "ok\n"));
    assert_eq!(get(port, "/nothing").status, 404);
    let refused = ask(port, "POST", "/healthz", "");
    assert_eq!(refused.status, 405);
    assert!(refused.header.to_lowercase().contains("allow: get"), "{}", refused.header);
}
