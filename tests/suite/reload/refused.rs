//! A configuration that does not do leaves the old one in force.

use std::net::TcpListener;

use super::{Scene, named};
use crate::harness::{Reply, Shard, pool_yaml};

#[test]
fn what_is_wrong_is_told_and_the_old_one_stays() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let scene = Scene::over(&servers, "");
    let mut client = scene.proxy.client();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port();
    let good = pool_yaml("pool", &servers, "");
    let other = pool_yaml("other", &servers, "").replace("{port:other}", &port.to_string());
    let bad = [
        (pool_yaml("pool", &servers, "timeout: soon"), "timeout"),
        ("pool: [".to_owned(), "line"),
        (good.clone() + &other, "another process listens there"),
        (pool_yaml("pool", &servers, "server_tls: true\nserver_tls_ca_cert_file: /none"), "/none"),
    ];
    for (text, why) in bad {
        scene.write(&text);
        let page = scene.reload();
        assert_eq!(page.status, 422, "{}", page.body);
        assert!(page.body.contains(why), "{} in {}", why, page.body);
        scene.proxy.expect_log("configuration not reloaded (POST /reload), the old one stays: ");
        assert_eq!(client.command(&["SET", "k", "v"]), Reply::ok());
        assert_eq!(scene.proxy.client().command(&["GET", "k"]), Reply::bulk("v"));
    }
    let metrics = crate::harness::get(scene.admin, "/metrics").body;
    assert!(metrics.contains("circlet_config_reloads_refused_total 4"), "{metrics}");
    scene.change_to(&good);
}

#[test]
fn what_needs_a_restart_is_told() {
    let shards = Shard::several(1);
    let servers = named(&shards, &[(0, "a", 1)]);
    let scene = Scene::over(&servers, "");
    let said = scene.change(&servers, "redis_db: 3\nbacklog: 77\ntimeout: 5000");
    assert!(said.contains("changed: timeout, backlog, redis_db"), "{said}");
    let last = said.lines().last().unwrap();
    let needs = "not changed, for it needs a restart: backlog of pool pool, redis_db of pool pool";
    assert_eq!(last, needs);
    let mut client = scene.proxy.client();
    assert_eq!(client.command(&["SET", "k", "v"]), Reply::ok());
    assert_eq!(shards[0].client().command(&["GET", "k"]), Reply::bulk("v"), "in database 0");
}
