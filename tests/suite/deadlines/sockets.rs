//! Clients that say nothing, and clients of which nothing is heard: who stays and who goes.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::one_worker;
use crate::harness::{Client, Reply, Shard, encode, eventually};

#[test]
fn idle_clients_are_disconnected_and_those_that_listen_or_wait_stay() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "client_idle_timeout: 1000");
    let mut clients: Vec<Client> = (0..40).map(|_| proxy.client()).collect();
    let (mut listens, mut waits, mut works) = (proxy.client(), proxy.client(), proxy.client());
    let mut watches = proxy.client();
    listens.command(&["SUBSCRIBE", "c"]);
    watches.command(&["MONITOR"]);
    waits.send(&encode(&["BLPOP", "none", "5"]));
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(4_200) {
        works.command(&["PING"]);
        if start.elapsed() < Duration::from_millis(900) {
            assert_eq!(clients[0].command(&["PING"]), Reply::Simple("PONG".into()));
        }
        sleep(Duration::from_millis(100));
    }
    clients.iter_mut().for_each(Client::expect_closed);
    assert_eq!(works.command(&["PUBLISH", "c", "message"]).integer(), 1);
    assert_eq!(listens.read_reply().elements()[2], Reply::bulk("message"));
    assert_eq!(waits.read_reply(), Reply::Nil);
    assert!(watches.try_read_reply().is_ok());
    assert_eq!(proxy.log().matches("disconnected: client_idle_timeout").count(), 40);
}

/// It acknowledges, but has no room and makes none.
#[test]
fn a_client_that_takes_nothing_any_more_is_ended() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "tcp_user_timeout: 1000");
    let mut client = proxy.client();
    client.command(&["SET", "large", &"L".repeat(24 << 20)]);
    client.send(&encode(&["GET", "large"]));
    eventually("it is connected", || proxy.pool_stat("pool", "client_connections") == 1);
    eventually("it is ended", || proxy.pool_stat("pool", "client_connections") == 0);
    assert_eq!(proxy.client().command(&["PING"]), Reply::Simple("PONG".into()));
}

/// In a network of its own, which is then cut: nothing is acknowledged, nothing is refused.
#[test]
fn connections_that_a_network_swallows_are_ended() {
    let this = std::env::current_exe().expect("this program");
    let mut inside = Command::new("unshare");
    inside.args(["-rn", "--"]).arg(this).args(["--exact", "--ignored", "--nocapture"]);
    let allowed = Command::new("unshare").args(["-rn", "ip", "link", "set", "lo", "up"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("this machine lets nobody have a network of his own: nothing is tested");
        return;
    }
    let output = inside.arg("deadlines::sockets::inside_a_network").output().expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "runs inside a network that it may cut; see above"]
fn inside_a_network() {
    network("up");
    let shards = [Shard::start()];
    let settings = "tcp_user_timeout: 1500\nheartbeat_timeout: 400\nheartbeat_interval: 100";
    let proxy = one_worker(&shards, settings);
    let (mut asked, mut idle) = (proxy.client(), proxy.client());
    let mut direct = shards[0].client();
    asked.command(&["SUBSCRIBE", "c"]);
    idle.command(&["PING"]);
    eventually("both are here", || proxy.pool_stat("pool", "client_connections") == 2);
    // A message is on its way to the one while nothing arrives any more.
    direct.send(&[encode(&["DEBUG", "SLEEP", "0"]), encode(&["PUBLISH", "c", "x"])].concat());
    network("down");
    sleep(Duration::from_millis(500));
    network("up");
    // A cut that is short costs nobody's connection.
    eventually("the message comes", || proxy.pool_stat("pool", "client_connections") == 2);
    assert_eq!(asked.read_reply().elements()[2], Reply::bulk("x"));
    assert_eq!(idle.command(&["PING"]), Reply::Simple("PONG".into()));

    let large = encode(&["ECHO", &"e".repeat(100_000)]).repeat(200);
    let mut sender = idle.try_clone().expect("a spare file");
    let sending = std::thread::spawn(move || drop(sender.try_send(&large)));
    sleep(Duration::from_millis(300));
    network("down");
    sleep(Duration::from_millis(4_000));
    network("up");
    eventually("its connection is over, the idle one's is not", || {
        proxy.pool_stat("pool", "client_connections") == 1
    });
    sending.join().expect("the sender ends");
}

fn network(state: &str) {
    let set = Command::new("ip").args(["link", "set", "lo", state]).status();
    assert!(set.is_ok_and(|status| status.success()), "ip link set lo {state}");
}
