//! A client that goes away takes its waiting with it.

use super::{Stage, blocked, connected, waiting};
use crate::harness::{Client, eventually};

#[test]
fn nothing_is_popped_for_a_client_that_is_gone() {
    let stage = Stage::start("");
    type Leave = fn(Client);
    let leave: [(&str, Leave); 3] = [
        ("closed", drop),
        ("reset", Client::reset),
        ("closed with more to say", |mut client| {
            client.send(b"PING\r\n*2\r\n$3\r\nGET\r\n$1");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }),
    ];
    for (how, leave) in leave {
        let client = waiting(&stage.proxy, &stage.shards, "BLPOP l 0");
        leave(client);
        eventually(how, || blocked(&stage.shards) == 0);
        let mut other = stage.proxy.client();
        other.command(&["RPUSH", "l", "x"]);
        assert_eq!(other.command(&["LPOP", "l"]).bytes(), b"x", "{how}");
    }
}

#[test]
fn a_client_that_leaves_before_the_link_is_open_waits_for_nothing() {
    let stage = Stage::start("");
    for _ in 0..50 {
        let mut client = stage.proxy.client();
        client.send(b"BLPOP l 0\r\n");
    }
    eventually("all are gone", || {
        stage.proxy.pool_stat("pool", "client_connections") == 0 && blocked(&stage.shards) == 0
    });
    let mut other = stage.proxy.client();
    other.command(&["RPUSH", "l", "x"]);
    assert_eq!(other.command(&["LPOP", "l"]).bytes(), b"x");
}

#[test]
fn a_client_that_leaves_before_the_replicas_are_asked_waits_for_nothing() {
    let stage = Stage::start("");
    for _ in 0..50 {
        let mut client = stage.proxy.client();
        client.send(b"WAIT 1 0\r\n");
    }
    eventually("all are gone", || stage.proxy.pool_stat("pool", "client_connections") == 0);
    // An order to a shard to wait would be there by now.
    assert!(stage.proxy.client().command(&["DBSIZE"]).error().is_none());
    eventually("nobody waits", || blocked(&stage.shards) == 0);
}

#[test]
fn a_crowd_that_waits_and_leaves_leaves_nothing_behind() {
    let stage = Stage::start("");
    let before = connected(&stage.shards);
    let mut crowd: Vec<Client> = (0..300).map(|_| stage.proxy.client()).collect();
    for (number, client) in crowd.iter_mut().enumerate() {
        client.send(format!("BLPOP {}l 0\r\n", number % 7).as_bytes());
    }
    eventually("all wait", || blocked(&stage.shards) == 300);
    for client in crowd.drain(..150) {
        client.reset();
    }
    drop(crowd);
    eventually("none waits", || blocked(&stage.shards) == 0);
    let mut client = stage.proxy.client();
    client.command(&["RPUSH", "0l", "x"]);
    assert_eq!(client.command(&["LLEN", "0l"]).integer(), 1);
    // A few links are kept for the next; none is there for each of the crowd.
    eventually("links are closed", || connected(&stage.shards) < before + 150);
}

#[test]
fn each_element_goes_to_one_client_that_is_still_there() {
    let stage = Stage::start("");
    let mut producer = stage.proxy.client();
    let mut got = 0;
    for _ in 0..40 {
        let mut stays = waiting(&stage.proxy, &stage.shards, "BLPOP l 0");
        let leaves = waiting(&stage.proxy, &stage.shards, "BLPOP l 0");
        drop(leaves);
        eventually("one waits", || blocked(&stage.shards) == 1);
        producer.command(&["RPUSH", "l", "x"]);
        stays.read_reply();
        got += 1;
        assert_eq!(producer.command(&["LLEN", "l"]).integer(), 0);
    }
    assert_eq!(got, 40);
}
