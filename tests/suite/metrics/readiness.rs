//! /readyz: whether clients should come here.

use rustix::process::Signal;

use super::{named, over_servers, scrape};
use crate::harness::{Address, Circlet, Shard, eventually, free_port, get, pool_yaml, say};

#[test]
fn a_pool_without_a_live_shard_is_not_ready_and_says_why() {
    let shard = Shard::start();
    let (_circlet, port) = over_servers(&[named(&shard, "only")], "heartbeat_interval: 50");
    let page = get(port, "/readyz");
    assert_eq!((page.status, &page.body[..]), (200, "ready\n"));
    shard.kill9();
    eventually("it is not ready", || get(port, "/readyz").status == 503);
    let page = get(port, "/readyz");
    for told in ["pool 'pool'", "shard 'only'", "refused"] {
        assert!(page.body.contains(told), "{}", page.body);
    }
    // It lives all the same.
    assert_eq!(get(port, "/healthz").status, 200);
    shard.restart();
    eventually("it is ready again", || get(port, "/readyz").status == 200);
}

#[test]
fn a_process_that_is_about_to_end_is_not_ready() {
    let shard = Shard::start();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let arguments = ["--admin-addr", &address, "--drain-delay", "60000"];
    let text = pool_yaml("pool", &[named(&shard, "only")], "");
    let circlet = Circlet::with_arguments(&text, &arguments);
    eventually("the admin address accepts", || Address::Tcp(port).is_listened_on_by(circlet.pid()));
    assert_eq!(get(port, "/readyz").status, 200);
    assert_eq!(scrape(port).of("circlet_draining"), 0.0);
    circlet.signal(Signal::TERM);
    eventually("it is not ready", || get(port, "/readyz").status == 503);
    assert!(get(port, "/readyz").body.contains("about to end"));
    assert_eq!(scrape(port).of("circlet_draining"), 1.0);
    assert_eq!(say(&mut circlet.client(), "PING").bytes(), b"PONG", "it still serves");
}
