//! /readyz: whether clients should come here.

use super::{named, over_servers};
use crate::harness::{Shard, eventually, get};

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
