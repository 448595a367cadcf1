//! The monitor over real shards that are killed, stopped, slowed, locked, and brought back.

use std::thread::sleep;
use std::time::{Duration, Instant};

use circlet::config::{Address, Auth, Server};
use circlet::shard::health::State;

use crate::fleet::{Redis, alpha};
use crate::watch::Watch;

const RETRY: Duration = Duration::from_millis(600);

#[test]
fn killed_it_is_ejected_and_restarted_it_returns_after_the_retry_timeout() {
    let (mut victim, other) = (Redis::start(&[]), Redis::start(&[]));
    let watch = Watch::start(&alpha(vec![victim.server(), other.server()], |_| {}));
    victim.kill();
    watch.until_state(0, State::Ejected);
    let since = watch.health(0).since;
    assert!(watch.health(0).cause.contains("Connection refused"), "{:?}", watch.health(0));
    assert_eq!(watch.counters.server_ejects(0), 1);
    assert!(watch.counters.server_ejected_at(0, 0) > 1_600_000_000_000_000);
    victim.restart();
    watch.until_state(0, State::Live);
    assert!(watch.health(0).since - since >= RETRY);
    assert_eq!(watch.state(1), State::Live);
    assert_eq!(watch.publications(), 3, "at the start and at each change");
    let log = watch.log();
    let name = format!("shard 127.0.0.1:{} of pool alpha", victim.port);
    assert!(log.contains(&format!("{name} ejected after 2 failures in ")), "{log}");
    assert!(log.contains("refused; its keys go to 1 other; earliest return in 600 ms"), "{log}");
    assert!(log.contains(&format!("{name} readmitted after ")), "{log}");
    assert!(log.contains("by the answers to its heartbeats (it had 2 failures in "), "{log}");
}

#[test]
fn stopped_with_its_port_open_it_is_ejected_and_continued_it_returns() {
    let (victim, other) = (Redis::start(&[]), Redis::start(&[]));
    let watch = Watch::start(&alpha(vec![victim.server(), other.server()], |_| {}));
    sleep(Duration::from_millis(150));
    victim.signal("-STOP");
    watch.until_state(0, State::Ejected);
    assert!(watch.health(0).cause.contains("Connection timed out"), "{:?}", watch.health(0));
    victim.signal("-CONT");
    watch.until_state(0, State::Live);
}

#[test]
fn too_slow_it_is_ejected_and_it_returns_when_it_is_done() {
    let slow = Redis::start(&["--enable-debug-command", "local"]);
    let other = Redis::start(&[]);
    let watch = Watch::start(&alpha(vec![slow.server(), other.server()], |_| {}));
    let _sleeping = slow.send("DEBUG SLEEP 1.2");
    watch.until_state(0, State::Ejected);
    watch.until_state(0, State::Live);
}

#[test]
fn a_script_is_given_time_and_then_the_keys_move() {
    let busy = Redis::start(&["--busy-reply-threshold", "20"]);
    let other = Redis::start(&[]);
    let watch = Watch::start(&alpha(vec![busy.server(), other.server()], |_| {}));
    let _script = busy.send("EVAL \"while true do end\" 0");
    watch.until_state(0, State::Ejected);
    let cause = watch.health(0).cause;
    assert!(cause.starts_with("3 heartbeats in a row: running a script"), "{cause}");
    assert_eq!(busy.ask("SCRIPT KILL"), "+OK\r\n");
    watch.until_state(0, State::Live);
}

#[test]
fn loading_its_dataset_it_does_not_return() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    // 2 ms a key, and an ear for PING after each.
    let mut shard = Redis::start(&[
        "--dir",
        dir,
        "--enable-debug-command",
        "local",
        "--key-load-delay",
        "2000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    let other = Redis::start(&[]);
    assert_eq!(shard.ask("DEBUG POPULATE 700 key 100"), "+OK\r\n");
    assert_eq!(shard.ask("SAVE"), "+OK\r\n");
    let watch = Watch::start(&alpha(vec![shard.server(), other.server()], |pool| {
        pool.server_retry_timeout = Duration::from_millis(100);
    }));
    shard.kill();
    watch.until_state(0, State::Ejected);
    shard.restart();
    watch.until_log("still out: loading its dataset");
    let loading = Instant::now();
    watch.until_state(0, State::Live);
    assert!(loading.elapsed() > Duration::from_millis(500), "{}", watch.log());
    assert_eq!(watch.counters.server_ejects(0), 1);
}

#[test]
fn a_wrong_password_is_a_fault_that_says_what_to_do() {
    let locked = Redis::start(&["--requirepass", "secret"]);
    let open = Redis::start(&[]);
    let outcome = |password: Option<&str>, auth, state| {
        let servers = vec![locked.server(), open.server()];
        let set = |pool: &mut circlet::config::Pool| {
            pool.redis_auth = password.map(Into::into);
            pool.auth = auth;
        };
        let watch = Watch::start(&alpha(servers, set));
        sleep(Duration::from_millis(350));
        watch.until_state(0, state);
        assert_eq!(watch.state(1), State::Live, "a password too many does no harm");
        watch.health(0).cause
    };
    assert_eq!(&*outcome(Some("secret"), None, State::Live), "");
    assert!(outcome(Some("guess"), None, State::Ejected).contains("set redis_auth to the shard's"));
    let missing = outcome(None, Some(Auth::Pool), State::Ejected);
    assert!(missing.contains("the pool has none: set redis_auth"), "{missing}");
    assert_eq!(&*outcome(None, None, State::Live), "", "clients bring their own passwords");
}

#[test]
fn a_password_that_is_put_right_in_the_running_shard_brings_it_back() {
    let locked = Redis::start(&["--requirepass", "secret"]);
    let open = Redis::start(&[]);
    let watch = Watch::start(&alpha(vec![locked.server(), open.server()], |pool| {
        pool.redis_auth = Some("guess".into());
    }));
    watch.until_state(0, State::Ejected);
    assert!(locked.ask("AUTH secret\r\nCONFIG SET requirepass guess").starts_with("+OK"));
    watch.until_state(0, State::Live);
}

#[test]
fn without_ejection_it_is_down_and_returns_at_once() {
    let mut shard = Redis::start(&[]);
    let watch = Watch::start(&alpha(vec![shard.server()], |pool| {
        pool.auto_eject_hosts = false;
        pool.server_retry_timeout = Duration::from_secs(3600);
    }));
    shard.kill();
    watch.until_state(0, State::Down);
    assert_eq!(watch.counters.server_ejects(0), 0);
    assert!(watch.log().contains("its requests fail at once until it answers"));
    shard.restart();
    assert!(watch.until_state(0, State::Live) < Duration::from_secs(3));
}

#[test]
fn all_out_the_pool_returns_without_waiting() {
    let (mut one, mut two) = (Redis::start(&[]), Redis::start(&[]));
    let watch = Watch::start(&alpha(vec![one.server(), two.server()], |pool| {
        pool.server_retry_timeout = Duration::from_secs(3600);
    }));
    one.kill();
    two.kill();
    watch.until_state(0, State::Ejected);
    watch.until_state(1, State::Ejected);
    watch.until_log("none of its shards is in");
    one.restart();
    two.restart();
    watch.until_state(0, State::Live);
    watch.until_state(1, State::Live);
}

#[test]
fn a_failure_that_a_worker_met_is_looked_into_at_once() {
    let (mut dead, sound) = (Redis::start(&[]), Redis::start(&[]));
    let watch = Watch::start(&alpha(vec![dead.server(), sound.server()], |pool| {
        pool.heartbeat_interval = Duration::from_secs(3600);
    }));
    sleep(Duration::from_millis(250));
    dead.kill();
    watch.fail(0);
    watch.fail(1);
    assert!(watch.until_state(0, State::Ejected) < Duration::from_millis(250));
    sleep(Duration::from_millis(200));
    watch.fail(1);
    sleep(Duration::from_millis(200));
    assert_eq!(watch.state(1), State::Live, "it answered in between");
}

#[test]
fn an_idle_connection_that_the_shard_closed_is_no_failure() {
    let publications = || {
        let shard = Redis::start(&[]);
        let watch = Watch::start(&alpha(vec![shard.server()], |pool| {
            pool.server_failure_limit = 1;
            pool.heartbeat_interval = Duration::from_millis(60);
        }));
        for _ in 0..6 {
            sleep(Duration::from_millis(100));
            assert!(shard.ask("CLIENT KILL TYPE normal SKIPME yes").starts_with(':'));
        }
        sleep(Duration::from_millis(100));
        watch.publications()
    };
    // One that is closed between PING and its answer is a failure, and this meets some by chance.
    assert!((0..12).any(|_| publications() == 1));
}

#[test]
fn names_and_unix_sockets_are_asked_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.sock");
    let mut shard = Redis::start(&["--unixsocket", path.to_str().unwrap()]);
    let named = Address::Tcp { host: "localhost".into(), port: shard.port };
    let servers = vec![
        Server { name: "by-name".into(), address: named, weight: 1, is_removed: false },
        Server {
            name: "by-path".into(),
            address: Address::Unix(path.clone()),
            weight: 1,
            is_removed: false,
        },
    ];
    let watch = Watch::start(&alpha(servers, |_| {}));
    sleep(Duration::from_millis(350));
    assert_eq!(watch.publications(), 1, "{}", watch.log());
    shard.kill();
    watch.until_log(&format!("shard by-name (localhost:{}) of pool alpha ejected", shard.port));
    watch.until_log(&format!("shard by-path ({}) of pool alpha ejected", path.display()));
}
