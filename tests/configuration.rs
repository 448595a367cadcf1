//! Configuration files, good and bad: what circlet makes of them, and what nutcracker says.

use std::process::Command;
use std::time::{Duration, Instant};

use circlet::config::{
    self, Address, Distribution, Ejection, Format, Hash, KeyBytes, Listen, Pool, from_servers,
};

fn yaml(text: &str) -> Result<config::Config, Vec<String>> {
    config::parse(text, Format::Yaml, "x.yml")
        .map_err(|faults| faults.0.iter().map(ToString::to_string).collect())
}

/// The faults of a file that must be refused, one string each.
fn faults(text: &str) -> Vec<String> {
    yaml(text).expect_err("the file should be refused")
}

/// A pool on line 1 with one more line, number 4, in it.
fn with(line: &str) -> String {
    format!("alpha:\n  listen: 127.0.0.1:22121\n  redis: true\n  {line}\n  servers:\n   - a:1:1\n")
}

fn only_pool(text: &str) -> Pool {
    let mut pools = yaml(text).unwrap_or_else(|faults| panic!("{faults:#?}")).pools;
    assert_eq!(pools.len(), 1);
    pools.remove(0)
}

#[test]
fn twemproxys_keys_are_read_with_their_defaults() {
    let pool = only_pool(&with("timeout: 400"));
    assert_eq!(pool.name, "alpha");
    assert_eq!(pool.listen, Listen::Tcp { host: "127.0.0.1".into(), port: 22121 });
    assert_eq!((pool.hash, pool.hash_tag), (Hash::Fnv1a64, None));
    assert_eq!(pool.distribution, Distribution::Ketama);
    assert_eq!(pool.timeout, Some(Duration::from_millis(400)));
    assert_eq!((pool.backlog, pool.client_connections), (512, 0));
    assert_eq!((pool.redis_auth, pool.redis_db), (None, 0));
    assert!(!pool.preconnect && !pool.tcpkeepalive && !pool.reuseport && !pool.auto_eject_hosts);
    assert_eq!((pool.server_connections, pool.server_failure_limit), (1, 2));
    assert_eq!(pool.server_retry_timeout, Duration::from_secs(30));
}

#[test]
fn circlets_keys_have_their_documented_defaults() {
    let pool = only_pool(&with("redis_db: 3"));
    assert_eq!((pool.timeout, pool.redis_db), (None, 3));
    assert_eq!((pool.key_bytes, pool.ejection), (KeyBytes::Signed, Ejection::Skip));
    let second = Duration::from_secs(1);
    let times = [pool.heartbeat_interval, pool.heartbeat_timeout, pool.connect_timeout];
    assert_eq!((times, pool.heartbeat_successes), ([second; 3], 2));
    assert_eq!((pool.max_bulk, pool.max_arguments, pool.max_inline), (512 << 20, 1 << 20, 1 << 16));
    assert_eq!((pool.max_command, pool.max_reply, pool.max_nesting), (1 << 30, 1 << 30, 32));
    assert_eq!((pool.client_output_limit, pool.link_output_limit), (256 << 20, 4 << 20));
    assert_eq!(pool.client_pipeline_limit, 4096);
}
