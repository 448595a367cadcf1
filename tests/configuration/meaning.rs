//! What valid files mean.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use circlet::access::{Accounts, Limit, Limits, Switch};
use circlet::config::{
    self, Address, Distribution, Ejection, Format, Hash, KeyBytes, Listen, Pool, Server,
    UserScripts, from_servers,
};

use crate::{faults, names, only_pool, parse, repository, with, with_servers, yaml};

#[test]
fn twemproxys_keys_have_twemproxys_defaults() {
    let pool = only_pool(&with("timeout: 400"));
    assert_eq!(pool.name, "alpha");
    assert_eq!(pool.listen, Some(Listen::Tcp { host: "127.0.0.1".into(), port: 22121 }));
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
    assert_eq!((pool.max_command, pool.max_reply, pool.max_nesting), (1 << 30, 1 << 30, 8192));
    assert_eq!((pool.client_output_limit, pool.link_output_limit), (256 << 20, 4 << 20));
    assert_eq!((pool.pubsub_output_limit, pool.pubsub_output_soft_limit), (32 << 20, 8 << 20));
    assert_eq!(pool.pubsub_output_soft_seconds, 60);
    assert_eq!(pool.client_pipeline_limit, 4096);
    assert_eq!((pool.rejoin, pool.slow_start), (config::Rejoin::Keep, Duration::ZERO));
}

#[test]
fn every_key_reaches_its_own_field() {
    let typed = "alpha:\n  listen: /tmp/a.sock 0660\n  redis: true\n  servers:\n   - a:1:7 x
  hash: jenkins\n  hash_tag: \"{}\"\n  distribution: rendezvous\n  timeout: 1\n  backlog: 2
  client_connections: 3\n  redis_auth: secret\n  redis_db: 4\n  preconnect: true
  tcpkeepalive: true\n  reuseport: true\n  auto_eject_hosts: true\n  server_connections: 5
  server_retry_timeout: 6\n  server_failure_limit: 7\n  key_bytes: unsigned\n  ejection: rebuild
  heartbeat_interval: 8\n  heartbeat_timeout: 9\n  heartbeat_successes: 10\n  connect_timeout: 11
  max_bulk: 12\n  max_arguments: 13\n  max_inline: 14\n  max_command: 15\n  max_reply: 16
  max_nesting: 17\n  client_output_limit: 18\n  link_output_limit: 1mb\n  pubsub_output_limit: 22
  pubsub_output_soft_limit: 23\n  pubsub_output_soft_seconds: 24\n  client_pipeline_limit: 20
  cross_shard: allow\n  cluster_emulation: true\n  auth: users\n  private_links: 21\n  script_cache: 25
  tls_listen: b:9\n  tls_cert_file: /c\n  tls_key_file: /k\n  tls_ca_cert_file: /a
  tls_auth_clients: optional\n  tls_user: uri\n  tls_protocols: TLSv1.3\n  server_tls: true
  server_tls_ca_cert_file: /sa\n  server_tls_cert_file: /sc\n  server_tls_key_file: /sk
  server_tls_name: d\n  server_tls_verify: ca
  displaced_limit: 26\n  link_pipeline_limit: 29\n  rejoin: move\n  rejoin_limit: 27\n  slow_start: 28
  users: [\"default off\"]\n  users_file: /dev/null\n  user_scripts: trust\n  commands: -keys
  protected_mode: false\n  user_requests_per_second: 40\n  user_bytes_per_second: 41
  user_connections: 42\n  address_requests_per_second: 43\n  address_bytes_per_second: 44
  address_connections: 45\n  authentication_timeout: 46
  proxy_protocol_from: [10.0.0.0/8, unix]\n  tcp_keepalive_time: 47\n  tcp_user_timeout: 48
  server_tcp_user_timeout: 49\n  client_idle_timeout: 50\n";
    for key in config::reference::KEYS {
        assert!(typed.contains(&format!("  {}:", key.name)), "{} is not tried here", key.name);
    }
    let milliseconds = Duration::from_millis;
    let expected = Pool {
        name: "alpha".into(),
        listen: Some(Listen::Unix { path: "/tmp/a.sock".into(), permissions: Some(0o660) }),
        servers: vec![Server {
            name: "x".into(),
            address: Address::Tcp { host: "a".into(), port: 1 },
            weight: 7,
            is_removed: false,
        }],
        hash: Hash::Jenkins,
        hash_tag: Some(*b"{}"),
        key_bytes: KeyBytes::Unsigned,
        distribution: Distribution::Rendezvous,
        timeout: Some(milliseconds(1)),
        backlog: 2,
        proxy_protocol_from: "10.0.0.0/8,unix".parse().ok(),
        authentication_timeout: Some(milliseconds(46)),
        client_connections: 3,
        redis_auth: Some("secret".into()),
        auth: Some(config::Auth::Users),
        users: Some(Arc::new(Accounts::read([((), "default off")]).unwrap())),
        users_file: Some("/dev/null".into()),
        user_scripts: UserScripts::Trust,
        commands: Some(Arc::new(Switch::read("-keys").unwrap())),
        protected_mode: false,
        limits: Limits {
            user: Limit { requests: 40, bytes: 41, connections: 42 },
            address: Limit { requests: 43, bytes: 44, connections: 45 },
        },
        redis_db: 4,
        preconnect: true,
        tcpkeepalive: true,
        tcp_keepalive_time: milliseconds(47),
        tcp_user_timeout: milliseconds(48),
        server_tcp_user_timeout: Some(milliseconds(49)),
        client_idle_timeout: milliseconds(50),
        reuseport: true,
        auto_eject_hosts: true,
        server_connections: 5,
        server_retry_timeout: milliseconds(6),
        server_failure_limit: 7,
        ejection: Ejection::Rebuild,
        rejoin: config::Rejoin::Move,
        rejoin_limit: 27,
        link_pipeline_limit: 29,
        slow_start: milliseconds(28),
        heartbeat_interval: milliseconds(8),
        heartbeat_timeout: milliseconds(9),
        heartbeat_successes: 10,
        connect_timeout: milliseconds(11),
        max_bulk: 12,
        max_arguments: 13,
        max_inline: 14,
        max_command: 15,
        max_reply: 16,
        max_nesting: 17,
        client_output_limit: 18,
        link_output_limit: 1 << 20,
        pubsub_output_limit: 22,
        pubsub_output_soft_limit: 23,
        pubsub_output_soft_seconds: 24,
        client_pipeline_limit: 20,
        private_links: 21,
        script_cache: 25,
        displaced_limit: config::DisplacedLimit::Fixed(26),
        cross_shard: config::CrossShard::Allow,
        cluster_emulation: true,
        tls: config::Tls {
            listen: Some(Listen::Tcp { host: "b".into(), port: 9 }),
            cert_file: Some("/c".into()),
            key_file: Some("/k".into()),
            ca_cert_file: Some("/a".into()),
            auth_clients: config::AuthClients::Optional,
            user: config::CertificateUser::Uri,
            protocols: config::Protocols::Tls13,
            to_shards: true,
            shard_ca_cert_file: Some("/sa".into()),
            shard_cert_file: Some("/sc".into()),
            shard_key_file: Some("/sk".into()),
            shard_name: Some("d".into()),
            verify_shard: config::VerifyShard::Ca,
        },
    };
    assert_eq!(only_pool(typed), expected);
}

#[test]
fn every_hash_has_its_name() {
    let hashes = [
        ("one_at_a_time", Hash::OneAtATime),
        ("md5", Hash::Md5),
        ("crc16", Hash::Crc16),
        ("crc32", Hash::Crc32),
        ("crc32a", Hash::Crc32a),
        ("fnv1_64", Hash::Fnv1_64),
        ("fnv1a_64", Hash::Fnv1a64),
        ("fnv1_32", Hash::Fnv1_32),
        ("fnv1a_32", Hash::Fnv1a32),
        ("hsieh", Hash::Hsieh),
        ("murmur", Hash::Murmur),
        ("jenkins", Hash::Jenkins),
    ];
    for (name, hash) in hashes {
        assert_eq!(only_pool(&with(&format!("hash: {name}"))).hash, hash);
    }
}

#[test]
fn zero_waits_for_ever_and_no_failure_at_all_means_the_first() {
    assert_eq!(only_pool(&with("timeout: 0")).timeout, None);
    assert_eq!(only_pool(&with("server_failure_limit: 0")).server_failure_limit, 1);
}

#[test]
fn scalars_stay_as_typed() {
    for text in ["1e5", "0123", "true", "null", "~", "0x1F", ".inf", "1_000", "2026-11-22", "é"] {
        let pool = only_pool(&with(&format!("redis_auth: {text}")));
        assert_eq!(pool.redis_auth, Some(text.into()));
        let quoted = only_pool(&with(&format!("redis_auth: \"{text}\" # a comment")));
        assert_eq!(quoted.redis_auth, Some(text.into()));
    }
    // The place of a piece is in characters; its text must be found by bytes.
    let after_umlauts = format!("# äöü\n{}", with("redis_auth: 1e5"));
    assert_eq!(only_pool(&after_umlauts).redis_auth, Some("1e5".into()));
    assert_eq!(
        only_pool(&with("redis_auth: *p").replace("true", "&p true")).redis_auth,
        Some("true".into())
    );
}

#[test]
fn servers_are_sorted_by_length_then_bytes() {
    let pool = only_pool(&with_servers(&[
        "/tmp/x/r.sock:1",
        "127.0.0.1:42101:1",
        "127.0.0.1:11211:1",
        "b:1:1 zz",
        "c:1:1 aa",
        "d:1:1 Zz",
    ]));
    let sorted = ["Zz", "aa", "zz", "127.0.0.1", "/tmp/x/r.sock:", "127.0.0.1:42101"];
    assert_eq!(names(&pool), sorted);
}

#[test]
fn ten_thousand_servers_are_read_at_once() {
    let servers: Vec<String> = (0..10_000)
        .map(|number| format!("10.0.{}.{}:6379:1", number / 100, number % 100))
        .collect();
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    let text = with_servers(&servers);
    let start = Instant::now();
    assert_eq!(only_pool(&text).servers.len(), 10_000);
    // A build without optimisation on a busy machine; an optimised one takes a tenth of it.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let duplicate = text + "   - 10.0.0.0:6379:1\n";
    assert_eq!(faults(&duplicate).len(), 1);
}

#[test]
fn toml_says_the_same() {
    let toml = "[alpha]\nlisten = '127.0.0.1:22121'\nredis = true\nhash_tag = \"{}\"\n\
                timeout = 400\nredis_auth = 0123_4\nmax_bulk = \"1mb\"\nservers = [\n  'a:1:1',\n  \
                \"/tmp/r.sock:2 r\",\n]\n";
    // A number with a leading zero is no TOML; the fault has its place.
    let refused = parse(toml, Format::Toml).unwrap_err();
    assert!(refused[0].starts_with("x:6:14: not valid TOML"), "{refused:?}");
    let toml = toml.replace("0123_4", "1e5");
    let yaml_text = "alpha:\n  listen: 127.0.0.1:22121\n  redis: true\n  hash_tag: '{}'\n  \
                     timeout: 400\n  redis_auth: 1e5\n  max_bulk: 1048576\n  servers:\n    \
                     - a:1:1\n    - /tmp/r.sock:2 r\n";
    assert_eq!(parse(&toml, Format::Toml), yaml(yaml_text));
}

#[test]
fn the_extension_decides_the_language() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pools.toml");
    fs::write(&path, "[a]\nlisten = '[::1]:1'\nredis = true\nservers = ['[::1]:2:1']\n").unwrap();
    let pool = &config::load(&path).unwrap().pools[0];
    assert_eq!(pool.listen, Some(Listen::Tcp { host: "::1".into(), port: 1 }));
    assert_eq!(pool.servers[0].address, Address::Tcp { host: "::1".into(), port: 2 });
    assert_eq!(pool.servers[0].name, "[::1]:2");
}

#[test]
fn a_pool_from_the_command_line() {
    let servers = ["127.0.0.1:7002", "127.0.0.1:7001:2", "/tmp/r.sock"].map(str::to_owned);
    let config = from_servers(&servers).unwrap();
    let pool = &config.pools[0];
    assert_eq!((pool.name.as_str(), pool.hash), ("default", Hash::Md5));
    assert_eq!(pool.listen, Some(Listen::Tcp { host: "127.0.0.1".into(), port: 22121 }));
    assert!(pool.auto_eject_hosts);
    assert_eq!(names(pool), ["/tmp/r.sock:", "127.0.0.1:7001", "127.0.0.1:7002"]);
    assert_eq!(pool.servers[1].weight, 2);
    let faults = from_servers(&["a:1", "a:1", "b:0"].map(str::to_owned)).unwrap_err();
    assert_eq!(faults.0.len(), 2, "{faults}");
    assert!(from_servers(&[]).is_err());
}

#[test]
fn the_documentation_is_what_the_program_says() {
    let path = repository("docs/configuration.md");
    let told = "run: cargo run -- config-reference --markdown > docs/configuration.md";
    assert!(fs::read_to_string(path).unwrap() == config::markdown(), "{told}");
    for key in config::reference::KEYS {
        assert!(config::plain().contains(&format!("\n{}\n", key.name)), "{}", key.name);
    }
}

#[test]
fn the_examples_are_valid() {
    assert_eq!(config::load(&repository("examples/smallest.yml")).unwrap().pools.len(), 1);
    let config = config::load(&repository("examples/nutcracker.yml")).unwrap();
    assert_eq!(config.pools.len(), 3);
    assert_eq!(config::warnings(&config), Vec::<String>::new());
}
