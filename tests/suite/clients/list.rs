//! CLIENT LIST: every client of the pool, whichever worker has it, with what is true of it.

use super::{Scene, field, id_of, raw, say, text, words};
use crate::harness::{Circlet, Shard};
use crate::harness::{Client, Reply, eventually, pool_yaml};

fn lines(client: &mut Client, line: &str) -> Vec<String> {
    text(&say(client, line)).lines().map(str::to_owned).collect()
}

#[test]
fn every_client_of_every_worker_is_listed_in_the_order_of_ids() {
    let scene = Scene::start();
    let mut clients: Vec<Client> = (0..40).map(|_| scene.proxy.client()).collect();
    let ids: Vec<String> = clients.iter_mut().map(|client| id_of(client).to_string()).collect();
    for asker in [0, 1, 2, 39] {
        let listed = lines(&mut clients[asker], "CLIENT LIST");
        let listed: Vec<&str> = listed.iter().map(|line| field(line, "id")).collect();
        assert_eq!(listed, ids);
    }
    let three = format!("CLIENT LIST ID {} 9999 {} {}", ids[7], ids[2], ids[7]);
    let listed = lines(&mut clients[5], &three);
    let listed: Vec<&str> = listed.iter().map(|line| field(line, "id")).collect();
    assert_eq!(listed, [&ids[7], &ids[2], &ids[7]]);
    clients.truncate(10);
    eventually("those that left are not listed", || {
        lines(&mut clients[0], "CLIENT LIST").len() == 10
    });
}

#[test]
fn the_fields_are_those_of_redis_and_true() {
    let scene = Scene::start();
    let (mut ours, mut theirs) = scene.pair(3);
    let names = |line: &str| -> Vec<String> {
        line.split_whitespace().map(|pair| pair.split('=').next().unwrap().to_owned()).collect()
    };
    let (one, other) = (lines(&mut ours, "CLIENT LIST"), lines(&mut theirs, "CLIENT LIST"));
    let known = names(&other[0]);
    assert_eq!(names(&one[0])[..known.len()], known);
    for client in [&mut ours, &mut theirs] {
        for line in ["CLIENT SETNAME me", "SELECT 5", "CLIENT NO-EVICT ON", "MGET a b c"] {
            say(client, line);
        }
    }
    let mut pair = [&mut ours, &mut theirs].map(|client| lines(client, "CLIENT INFO").remove(0));
    for name in [
        "name", "flags", "db", "sub", "psub", "ssub", "multi", "events", "cmd", "user", "redir",
        "resp",
    ] {
        assert_eq!(field(&pair[0], name), field(&pair[1], name), "{name}");
    }
    // From outside, a second later.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let ids = [&mut ours, &mut theirs].map(id_of);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let mut askers = scene.pair(2);
    pair = [
        lines(&mut askers.0, &format!("CLIENT LIST ID {}", ids[0])).remove(0),
        lines(&mut askers.1, &format!("CLIENT LIST ID {}", ids[1])).remove(0),
    ];
    for line in &pair {
        assert_eq!(field(line, "cmd"), "client|id");
        let idle: u32 = field(line, "idle").parse().unwrap();
        let age: u32 = field(line, "age").parse().unwrap();
        assert!((1..=3).contains(&idle) && (4..=6).contains(&age), "{line}");
    }
    let peer = field(&pair[0], "addr");
    assert!(peer.starts_with("127.0.0.1:") && peer != field(&pair[0], "laddr"));
}

#[test]
fn the_kinds_and_errors_are_those_of_redis() {
    let scene = Scene::start();
    scene.same(&[
        "CLIENT LIST TYPE",
        "CLIENT LIST TYPE nosuch",
        "CLIENT LIST TYPE master",
        "CLIENT LIST TYPE replica",
        "CLIENT LIST TYPE SLAVE",
        "CLIENT LIST TYPE pubsub",
        "CLIENT LIST TYPE pubsub x",
        "CLIENT LIST ID",
        "CLIENT LIST ID x",
        "CLIENT LIST ID 9999",
        "CLIENT LIST NOSUCH x",
        "CLIENT LIST x",
    ]);
    let (mut client, _) = scene.pair(2);
    eventually("those of before have left", || {
        lines(&mut client, "CLIENT LIST TYPE normal").len() == 1
    });
    let mut monitor = scene.proxy.client();
    assert_eq!(say(&mut monitor, "MONITOR"), Reply::ok());
    let replicas = lines(&mut client, "CLIENT LIST TYPE replica");
    assert_eq!(replicas.len(), 1);
    assert_eq!(field(&replicas[0], "flags"), "O");
}

#[test]
fn clients_of_another_pool_are_not_told_of() {
    let shard = Shard::start();
    let pools = [pool_yaml("one", &[shard.server(1, None)], "")].into_iter().chain([pool_yaml(
        "two",
        &[shard.server(1, None)],
        "",
    )]);
    let proxy = Circlet::with_arguments(&pools.collect::<String>(), &["--threads", "2"]);
    let (mut one, mut two) = (proxy.client_of("one"), proxy.client_of("two"));
    let id = id_of(&mut two);
    assert_eq!(lines(&mut one, "CLIENT LIST").len(), 1);
    assert_eq!(raw(&mut one, &format!("CLIENT KILL ID {id}")), ":0\r\n");
    assert_eq!(one.command(&words("CLIENT PAUSE 60000 WRITE")), Reply::ok());
    assert_eq!(two.command(&words("SET k v")), Reply::ok());
    assert_eq!(one.command(&words("CLIENT UNPAUSE")), Reply::ok());
}
