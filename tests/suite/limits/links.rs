//! How many links there are, and that a session's order is kept on them.

use super::{key_on, one_worker, workers};
use crate::harness::{Client, Reply, Shard, encode, eventually};

#[test]
fn preconnect_opens_the_links_before_any_client_comes() {
    let shards = Shard::several(2);
    let proxy = workers(2, &shards, "preconnect: true\nserver_connections: 2");
    for name in ["a", "b"] {
        eventually("two workers have two links each", || {
            proxy.shard_stat("pool", name, "server_connections") == 4
        });
    }
    let lazy = workers(2, &shards, "");
    assert_eq!(lazy.shard_stat("pool", "a", "server_connections"), 0);
}

#[test]
fn several_links_to_a_shard_keep_the_order_of_each_session() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "server_connections: 3");
    let mut clients: Vec<Client> = (0..12).map(|_| proxy.client()).collect();
    for round in 0..20 {
        for (number, client) in clients.iter_mut().enumerate() {
            for step in 0..50 {
                let (key, value) = (format!("k{number}"), format!("{number}:{round}:{step}"));
                client.send(&encode(&["SET", &key, &value]));
                client.send(&encode(&["GET", &key]));
            }
        }
        for (number, client) in clients.iter_mut().enumerate() {
            for step in 0..50 {
                let value = format!("{number}:{round}:{step}");
                client.expect(format!("+OK\r\n${}\r\n{value}\r\n", value.len()));
            }
        }
    }
    assert_eq!(proxy.shard_stat("pool", "a", "server_connections"), 3);
}

#[test]
fn sessions_spread_over_workers_and_each_has_its_own_link() {
    let shards = [Shard::start()];
    for threads in [1, 2, 4] {
        let proxy = workers(threads, &shards, "");
        let mut clients: Vec<Client> = (0..threads).map(|_| proxy.client()).collect();
        for client in &mut clients {
            assert_eq!(client.command(&["GET", "none"]), Reply::Nil);
        }
        let links = proxy.shard_stat("pool", "a", "server_connections");
        assert_eq!(links, threads as u64, "as many clients as workers: one each");
        let mut more: Vec<Client> = (0..20).map(|_| proxy.client()).collect();
        for client in &mut more {
            assert_eq!(client.command(&["GET", "none"]), Reply::Nil);
        }
        assert_eq!(proxy.shard_stat("pool", "a", "server_connections"), threads as u64);
    }
}

#[test]
fn a_pipeline_of_100_000_is_answered_in_order_and_taken_in_portions() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "client_pipeline_limit: 16");
    let key = key_on(&proxy, &shards[0]);
    proxy.client().command(&["SET", &key, "0"]);
    let before = proxy.shard_stat("pool", "a", "requests");
    shards[0].stop();
    let mut client = proxy.client();
    let command = encode(&["INCR", &key]);
    let mut stream = command.repeat(100_000);
    client.set_patience(std::time::Duration::from_millis(500));
    let sent = client.send_some(&stream);
    let taken = settled(|| proxy.shard_stat("pool", "a", "requests") - before);
    // A read is handled whole, and takes 128 KiB.
    assert!(taken >= 16, "only {taken} were taken");
    assert!(taken <= 16 + (128 << 10) / command.len() as u64, "{taken} were taken at once");
    shards[0].cont();
    client.set_patience(crate::harness::PATIENCE);
    client.send(&stream.split_off(sent));
    for number in 1..=100_000 {
        assert_eq!(client.read_reply(), Reply::Integer(number));
    }
}

#[test]
fn large_commands_count_for_the_pipeline_limit_as_well() {
    let shards = [Shard::start()];
    let proxy = one_worker(&shards, "client_pipeline_limit: 2\nlink_output_limit: 1gb");
    let key = key_on(&proxy, &shards[0]);
    let before = proxy.shard_stat("pool", "a", "requests");
    shards[0].stop();
    let mut client = proxy.client();
    let command = encode(&["SET", &key, &"v".repeat(400_000)]);
    let mut stream = command.repeat(20);
    client.set_patience(std::time::Duration::from_millis(500));
    let sent = client.send_some(&stream);
    let taken = settled(|| proxy.shard_stat("pool", "a", "requests") - before);
    assert!((1..=4).contains(&taken), "{taken} were taken at once");
    shards[0].cont();
    client.set_patience(crate::harness::PATIENCE);
    client.send(&stream.split_off(sent));
    client.expect("+OK\r\n".repeat(20));
}

/// What `count` counts once it has risen and rises no more.
fn settled(count: impl Fn() -> u64) -> u64 {
    eventually("something is counted", || count() > 0);
    loop {
        let before = count();
        std::thread::sleep(std::time::Duration::from_millis(400));
        if count() == before {
            return before;
        }
    }
}
