//! How many clients may be connected, and what one too many reads.

use super::PATIENT;
use crate::harness::{Address, Circlet, Client, Proxy, Reply, Shard, eventually, pool_yaml};

const REFUSAL: &str = "-ERR max number of clients reached\r\n";

#[track_caller]
fn serves(client: &mut Client) {
    assert_eq!(client.command(&["GET", "k"]), Reply::Nil);
}

#[track_caller]
fn refuses(address: &Address) {
    let mut refused = Client::connect(address);
    refused.expect(REFUSAL);
    refused.expect_closed();
}

/// A client that is served as soon as the one that left is noticed.
#[track_caller]
fn is_let_in(address: &Address) -> Client {
    let mut found = None;
    eventually("a client is let in", || {
        let mut client = Client::connect(address);
        let served = matches!(client.try_command(&["GET", "k"]), Ok(Reply::Nil));
        found = served.then_some(client);
        served
    });
    found.expect("it was")
}

#[test]
fn clients_past_client_connections_read_the_words_of_redis() {
    let redis = Shard::with(&["--maxclients", "3"]);
    let _three: Vec<Client> = (0..3).map(|_| redis.client()).collect();
    let mut refused = redis.client();
    refused.expect(REFUSAL);

    let shard = Shard::start();
    let settings = format!("{PATIENT}\nclient_connections: 3");
    let text = pool_yaml("few", &[shard.server(1, None)], &settings)
        + &pool_yaml("many", &[shard.server(1, None)], PATIENT);
    let proxy = Circlet::with_arguments(&text, &["--threads", "2"]);
    let (few, many) = (proxy.address_of("few"), proxy.address_of("many"));
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(&few)).collect();
    clients.iter_mut().for_each(serves);
    for _ in 0..5 {
        refuses(&few);
    }
    serves(&mut Client::connect(&many));
    clients.iter_mut().for_each(serves);
    for _ in 0..3 {
        drop(clients.remove(0));
        clients.push(is_let_in(&few));
        refuses(&few);
    }
    assert_eq!(proxy.pool_stat("few", "client_connections"), 3);
}

#[test]
fn max_clients_counts_the_clients_of_all_pools() {
    let shard = Shard::start();
    let text = pool_yaml("one", &[shard.server(1, None)], PATIENT)
        + &pool_yaml("two", &[shard.server(1, None)], PATIENT);
    let proxy: Proxy = Circlet::with_arguments(&text, &["--max-clients", "2"]);
    let (one, two) = (proxy.address_of("one"), proxy.address_of("two"));
    let mut first = Client::connect(&one);
    let mut second = Client::connect(&two);
    serves(&mut first);
    serves(&mut second);
    refuses(&one);
    refuses(&two);
    drop(first);
    let _third = is_let_in(&two);
    refuses(&one);
    serves(&mut second);
}
