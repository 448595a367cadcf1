//! A hundred reloads under load: no client is dropped and no request fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::{Scene, named};
use crate::harness::{Address, Client, Reply, Shard, encode, free_port, pool_yaml};

const RELOADS: u64 = 100;

/// What all clients share.
struct Work {
    address: Address,
    is_over: AtomicBool,
    done: AtomicU64,
}

impl Work {
    fn client(&self) -> Client {
        let mut client = Client::connect(&self.address);
        assert_eq!(client.command(&["AUTH", "ann", "x"]), Reply::ok());
        client
    }

    fn goes_on(&self) -> bool {
        self.done.fetch_add(1, Ordering::Relaxed);
        // Load, and not all that the machine can do.
        thread::sleep(Duration::from_millis(2));
        !self.is_over.load(Ordering::Relaxed)
    }
}

/// What a client does until the work is over. It panics over what it should not read.
type Job = fn(&mut Client, usize, &Work);

#[test]
fn a_hundred_reloads_under_load_fail_nothing() {
    let shards = Shard::several(4);
    let other_port = free_port();
    let scene = Scene::start(&configuration(&shards, 0, other_port));
    let address = scene.proxy.address();
    let (is_over, done) = Default::default();
    let work = Arc::new(Work { address, is_over, done });
    let kinds: [(&str, Job); 7] = [
        ("plain", plain),
        ("pipelines", pipelines),
        ("transactions", transactions),
        ("watches", watches),
        ("waits", waits),
        ("listens", listens),
        ("several keys", several_keys),
    ];
    let mut clients = Vec::new();
    for (name, kind) in kinds.into_iter().chain(kinds) {
        let (work, number) = (Arc::clone(&work), clients.len());
        let run = move || kind(&mut work.client(), number, &work);
        let client = thread::Builder::new().name(format!("{name} {number}")).spawn(run);
        clients.push(client.expect("a thread"));
    }
    for round in 1..=RELOADS {
        scene.change_to(&configuration(&shards, round, other_port));
        if round % 10 == 5 {
            let mut visitor = Client::connect(&Address::Tcp(other_port));
            assert_eq!(visitor.command(&["SET", "k", "v"]), Reply::ok());
        }
    }
    work.is_over.store(true, Ordering::Relaxed);
    let failed: Vec<_> = clients.into_iter().filter_map(|client| client.join().err()).collect();
    assert!(failed.is_empty(), "{} clients read what they should not", failed.len());
    let done = work.done.load(Ordering::Relaxed);
    assert!(done > 1_000, "{done} rounds are no load");
    assert_eq!(scene.proxy.pool_stat("pool", "forward_error"), 0);
    assert_eq!(scene.proxy.log().matches("link to shard failed").count(), 0);
}

/// The configuration of one round: weights, shards, limits, users, another pool.
fn configuration(shards: &[Shard], round: u64, other_port: u16) -> String {
    let weight = |shard: u64| 1 + ((round + shard) % 3) as u32;
    let all = [(0, "a", weight(0)), (1, "b", weight(1)), (2, "c", weight(2)), (3, "d", 1)];
    let servers = match round % 5 {
        0 | 1 => named(shards, &all[..3]),
        2 => named(shards, &all[..2]),
        3 => named(shards, &all[1..]),
        _ => named(shards, &all),
    };
    let bob = if round.is_multiple_of(2) { "" } else { ", \"bob on >y ~* +@all\"" };
    let settings = format!(
        "distribution: {}\nauth: users\nusers: [\"default off\", \"ann on >x ~* &* +@all\"{bob}]\n\
         client_pipeline_limit: {}\ntimeout: {}\nserver_connections: {}\nhash_tag: \"{{}}\"\n\
         heartbeat_interval: {}",
        if round % 20 < 10 { "ketama" } else { "modula" },
        100 + round,
        20_000 + round,
        1 + round % 3,
        1_000 + round % 7,
    );
    let mut text = pool_yaml("pool", &servers, &settings);
    if round % 10 > 3 {
        let other = pool_yaml("other", &named(shards, &[(0, "a", 1)]), "");
        text += &other.replace("{port:other}", &other_port.to_string());
    }
    text
}

fn plain(client: &mut Client, number: usize, work: &Work) {
    while work.goes_on() {
        for key in 0..10 {
            let key = format!("plain:{number}:{key}");
            assert_eq!(client.command(&["SET", &key, &key]), Reply::ok());
            let value = client.command(&["GET", &key]);
            assert!([Reply::bulk(&key), Reply::Nil].contains(&value), "{value:?}");
        }
    }
}

fn pipelines(client: &mut Client, number: usize, work: &Work) {
    let keys: Vec<String> = (0..50).map(|key| format!("piped:{number}:{key}")).collect();
    let sets: Vec<Vec<&str>> = keys.iter().map(|key| vec!["SET", key, key]).collect();
    let gets: Vec<Vec<&str>> = keys.iter().map(|key| vec!["GET", key]).collect();
    while work.goes_on() {
        assert!(client.pipeline(&sets).iter().all(|reply| *reply == Reply::ok()));
        for (key, value) in keys.iter().zip(client.pipeline(&gets)) {
            assert!([Reply::bulk(key), Reply::Nil].contains(&value), "{key}: {value:?}");
        }
    }
}

fn transactions(client: &mut Client, number: usize, work: &Work) {
    let key = format!("multi:{number}");
    let piece = [vec!["MULTI"], vec!["SET", &key, "7"], vec!["INCR", &key], vec!["EXEC"]];
    let executed = Reply::Array(vec![Reply::ok(), Reply::Integer(8)]);
    while work.goes_on() {
        assert_eq!(client.pipeline(&piece).last(), Some(&executed));
        for (at, command) in piece.iter().enumerate() {
            let reply = client.command(command);
            assert!(reply.error().is_none() && (at < 3 || reply == executed), "{reply:?}");
        }
    }
}

fn watches(client: &mut Client, number: usize, work: &Work) {
    let key = format!("watch:{number}");
    while work.goes_on() {
        assert_eq!(client.command(&["WATCH", &key]), Reply::ok());
        assert!(client.command(&["GET", &key]).error().is_none());
        assert_eq!(client.command(&["MULTI"]), Reply::ok());
        assert_eq!(client.command(&["SET", &key, "1"]), Reply::Simple("QUEUED".into()));
        let executed = client.command(&["EXEC"]);
        // A key that has moved since counts as touched.
        assert!([Reply::Array(vec![Reply::ok()]), Reply::Nil].contains(&executed));
    }
}

fn waits(client: &mut Client, number: usize, work: &Work) {
    let mut rounds = 0;
    while work.goes_on() {
        let key = format!("wait:{number}:{}", rounds % 8);
        rounds += 1;
        let nothing = client.command(&["BLPOP", &key, "0.05"]);
        assert!(nothing == Reply::Nil || !nothing.elements().is_empty(), "{nothing:?}");
        client.send(&encode(&["RPUSH", &key, "x"]));
        assert!(client.read_reply().integer() > 0);
        let popped = client.command(&["BLPOP", &key, "0.05"]);
        assert!(popped.error().is_none(), "{popped:?}");
    }
}

fn listens(client: &mut Client, number: usize, work: &Work) {
    let channel = format!("channel:{number}");
    client.send(&encode(&["SUBSCRIBE", &channel]));
    client.read_reply();
    let mut publisher = work.client();
    let mut rounds = 0;
    while work.goes_on() {
        rounds += 1;
        let text = rounds.to_string();
        assert_eq!(publisher.command(&["PUBLISH", &channel, &text]).integer(), 1, "{channel}");
        let heard = client.read_reply();
        assert_eq!(heard.elements().last(), Some(&Reply::bulk(&text)), "{heard:?}");
    }
}

fn several_keys(client: &mut Client, number: usize, work: &Work) {
    let keys: Vec<String> = (0..8).map(|key| format!("several:{number}:{key}")).collect();
    let set: Vec<&str> = std::iter::once("MSET")
        .chain(keys.iter().flat_map(|key| [key.as_str(), key.as_str()]))
        .collect();
    let get: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
    while work.goes_on() {
        assert_eq!(client.command(&set), Reply::ok());
        assert_eq!(client.command(&get).elements().len(), keys.len());
        assert!(client.command(&["DBSIZE"]).integer() >= 0);
        let mut cursor = "0".to_owned();
        loop {
            let page = client.command(&["SCAN", &cursor, "COUNT", "1000"]);
            cursor = String::from_utf8_lossy(page.elements()[0].bytes()).into_owned();
            if cursor == "0" || !work.goes_on() {
                break;
            }
        }
    }
}
