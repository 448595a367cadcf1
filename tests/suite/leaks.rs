//! Clients of every kind that break off wherever they are leave nothing behind: no session, no
//! waiter, no subscription, no connection, no memory.
//!
//! `LEAKS=2000` has so many of each kind come and go instead of a few.

use std::time::Duration;

use fastrand::Rng;

use crate::harness::{
    Circlet, Client, PATIENCE, Proxy, Reply, Shard, encode, eventually, pool_yaml,
};

/// What a client says before it breaks off.
const SAID: [&str; 27] = [
    "",
    "GET a\r\nSET a 1\r\n",
    "MULTI\r\nSET {t}a 1\r\n",
    "MULTI\r\nSET {t}a 1\r\nEXEC\r\nMULTI\r\n",
    "WATCH a\r\n",
    "WATCH a\r\nMULTI\r\nSET a 1\r\nBLPOP a 0\r\n",
    "BLPOP l 0\r\n",
    "BLMOVE l l LEFT RIGHT 0\r\nGET a\r\n",
    "XREAD BLOCK 0 STREAMS s $\r\n",
    "WAIT 1 0\r\n",
    "GET a\r\nBLPOP l 5\r\n",
    "SUBSCRIBE c d\r\n",
    "HELLO 3\r\nSUBSCRIBE c\r\nPSUBSCRIBE p*\r\nSSUBSCRIBE s\r\nWATCH a\r\nBLPOP l 0\r\n",
    "PSUBSCRIBE p* c*\r\nUNSUBSCRIBE\r\n",
    "SSUBSCRIBE s\r\nRESET\r\nSSUBSCRIBE s\r\n",
    "SCAN 0\r\nSCAN 0 MATCH k*\r\nKEYS *\r\nRANDOMKEY\r\n",
    "INFO\r\nCLIENT LIST\r\nDBSIZE\r\nCOMMAND\r\n",
    "SCRIPT FLUSH\r\nEVAL \"return 1\" 0\r\nSCRIPT EXISTS x\r\n",
    "CLIENT REPLY OFF\r\nMGET a b c d e f\r\nSUBSCRIBE c\r\nBLPOP l 0\r\n",
    "CLIENT REPLY SKIP\r\nMGET a b c d e f\r\nWATCH a\r\n",
    "CLIENT PAUSE 3 WRITE\r\nSET a 1\r\nGET a\r\n",
    "CLIENT PAUSE 3\r\nMULTI\r\nSET a 1\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nm\r\n$100000\r\nsome of it",
    "*3\r\n$3\r\nSE",
    "SELECT 3\r\nWATCH a\r\nSELECT 99\r\nBLPOP l 0\r\n",
    "MONITOR\r\nGET a\r\n",
    "GET big\r\nGET big\r\nGET big\r\nGET big\r\nGET big\r\nGET big\r\nMGET big big big\r\nKEYS *\r\n",
];

/// A client comes, says this and breaks off.
fn come_and_go(proxy: &Proxy, said: &str, rng: &mut Rng) {
    let mut client = match Client::try_connect(&proxy.address()) {
        Ok(client) => client,
        Err(error) => panic!("circlet does not accept: {error}"),
    };
    // Whatever the shards' state is: what it says may be refused.
    let _ = client.try_send(said.as_bytes());
    if rng.bool() {
        std::thread::sleep(Duration::from_micros(rng.u64(..3_000)));
    }
    match rng.u8(..3) {
        0 => client.reset(),
        1 => client.close_writing(),
        _ => {}
    }
}

fn storm(proxy: &Proxy, of_each: usize, seed: u64) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed + thread);
                let mut kinds: Vec<&str> = SAID.repeat(of_each.div_ceil(4));
                rng.shuffle(&mut kinds);
                kinds.iter().for_each(|said| come_and_go(proxy, said, &mut rng));
            });
        }
    });
}

fn start() -> (Vec<Shard>, Proxy) {
    let shards = Shard::several(3);
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let text = pool_yaml("pool", &servers, "hash_tag: \"{}\"\nheartbeat_interval: 100");
    let proxy = Circlet::with_arguments(&text, &["--threads", "2"]);
    prepare(&proxy);
    (shards, proxy)
}

fn prepare(proxy: &Proxy) {
    let mut client = proxy.client();
    client.command(&["SET", "big", &"x".repeat(300_000)]);
    client.command(&["MSET", "k1", "1", "k2", "2", "k3", "3"]);
}

#[test]
fn nothing_stays_of_clients_that_break_off() {
    let (shards, proxy) = start();
    storm(&proxy, OF_EACH, 1);
    rests(&proxy, &shards);
    let before = open_files(&proxy);
    std::thread::scope(|scope| {
        scope.spawn(|| storm(&proxy, OF_EACH, 5));
        for shard in &shards[1..] {
            std::thread::sleep(Duration::from_millis(100));
            shard.kill9();
            std::thread::sleep(Duration::from_millis(100));
            shard.restart();
        }
    });
    serves(&proxy);
    rests(&proxy, &shards);
    // Links kept for the next, two workers to three shards: how many differs from time to time.
    eventually("connections are closed", || open_files(&proxy) < before + 60);
    serves(&proxy);
}

#[test]
fn memory_does_not_grow_with_clients_that_came_and_went() {
    let (shards, proxy) = start();
    let of_each = std::env::var("LEAKS").ok().and_then(|text| text.parse().ok()).unwrap_or(OF_EACH);
    // The first fill what is kept: buffers, idle links, the allocator's own.
    storm(&proxy, of_each, 1);
    rests(&proxy, &shards);
    let before = resident(&proxy);
    storm(&proxy, of_each, 5);
    rests(&proxy, &shards);
    let (after, clients) = (resident(&proxy), (of_each * SAID.len()) as u64);
    // What many at once need differs from storm to storm; a session alone has more than 100.
    let grown = after.saturating_sub(before);
    assert!(grown < 8 * MIB + clients * 100, "{clients} clients, then {before} → {after} bytes");
}

/// Circlet and its shards know of nobody but those that ask.
#[track_caller]
fn rests(proxy: &Proxy, shards: &[Shard]) {
    let mut asker = proxy.client();
    // Thousands that asked who is there have to be served first.
    asker.set_patience(PATIENCE * 6);
    asker.command(&["CLIENT", "UNPAUSE"]);
    eventually("circlet forgets its clients", || {
        let list = asker.command(&["CLIENT", "LIST"]);
        String::from_utf8_lossy(list.bytes()).lines().count() == 1
    });
    for shard in shards {
        let mut direct = shard.client();
        let mut info = || {
            let text = direct.command(&["INFO", "clients"]);
            String::from_utf8_lossy(text.bytes()).into_owned()
        };
        eventually("nobody waits", || info().contains("blocked_clients:0\r"));
        let mut is_nothing = |line: &[&str], nothing: &Reply| {
            eventually(&line.join(" "), || direct.command(line) == *nothing);
        };
        is_nothing(&["PUBSUB", "CHANNELS"], &Reply::Array(Vec::new()));
        is_nothing(&["PUBSUB", "SHARDCHANNELS"], &Reply::Array(Vec::new()));
        is_nothing(&["PUBSUB", "NUMPAT"], &Reply::Integer(0));
    }
}

/// Everything is served, on all shards.
#[track_caller]
fn serves(proxy: &Proxy) {
    prepare(proxy);
    let (mut one, mut other) = (proxy.client(), proxy.client());
    eventually("all shards are in", || {
        let mut set = |number| one.command(&["SET".into(), format!("in{number}"), "1".to_owned()]);
        (0..30).map(&mut set).all(|reply| reply == Reply::ok())
    });
    // A private link that found a shard dead tries again within a second.
    for key in ["w", "served"] {
        eventually("private links too", || one.command(&["WATCH", key]) == Reply::ok());
        one.command(&["UNWATCH"]);
    }
    one.command(&["DEL", "w", "served"]);
    one.send(&encode(&["BLPOP", "served", "0"]));
    other.command(&["RPUSH", "served", "x"]);
    assert_eq!(one.read_reply().elements()[1], Reply::bulk("x"));
    let transaction = b"WATCH w\r\nMULTI\r\nSET w 1\r\nEXEC\r\nMULTI\r\nINCR w\r\nEXEC\r\n";
    one.send(transaction);
    one.expect("+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n");
    one.command(&["SUBSCRIBE", "served"]);
    assert_eq!(other.command(&["PUBLISH", "served", "x"]).integer(), 1);
    assert_eq!(one.read_reply().elements()[2], Reply::bulk("x"));
    assert_eq!(other.command(&["SCAN", "0", "COUNT", "1000"]).elements().len(), 2);
}

fn open_files(proxy: &Proxy) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).expect("circlet runs").count()
}

/// Bytes of memory that circlet has.
fn resident(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid()));
    let status = status.expect("circlet runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.expect("the kernel tells").trim().trim_end_matches(" kB");
    digits.parse::<u64>().expect("a number") * 1024
}

/// Clients of each kind in one storm of an ordinary run.
const OF_EACH: usize = 40;
const MIB: u64 = 1024 * 1024;
