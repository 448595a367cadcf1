//! CLIENT UNBLOCK, over all workers.

use std::time::Duration;

use super::{Stage, blocked, error, waiting};
use crate::harness::{Client, Reply, encode, eventually};

fn id(client: &mut Client) -> String {
    client.command(&["CLIENT", "ID"]).integer().to_string()
}

#[test]
fn a_waiting_client_is_let_go_with_the_shards_own_reply() {
    let stage = Stage::start("");
    stage.same(|play| {
        let waiter = id(&mut play.waiter);
        for (line, order) in [
            ("BLPOP l 0", ""),
            ("BLPOP l 0", "TIMEOUT"),
            ("BLPOP l 0", "error"),
            ("BLMOVE {t}a {t}b LEFT LEFT 0", "ERROR"),
            ("BLMOVE {t}a {t}b LEFT LEFT 0", "timeout"),
            ("BLMPOP 0 1 l LEFT", ""),
            ("BZPOPMIN l 0", ""),
            ("BZMPOP 0 1 l MAX", "ERROR"),
            ("XREAD BLOCK 0 STREAMS l $", ""),
            ("XREAD BLOCK 0 STREAMS l $", "ERROR"),
        ] {
            play.waits(line);
            let mut order = vec!["CLIENT", "UNBLOCK", &waiter, order];
            order.retain(|word| !word.is_empty());
            assert_eq!(play.other.command(&order), Reply::Integer(1), "{line}");
            play.reads();
            assert_eq!(play.other.command(&order), Reply::Integer(0), "{line}");
            play.at_once("PING");
        }
    });
}

#[test]
fn every_worker_lets_the_clients_of_every_other_go() {
    let stage = Stage::start("");
    let mut clients: Vec<Client> = (0..16).map(|_| stage.proxy.client()).collect();
    let ids: Vec<String> = clients.iter_mut().map(id).collect();
    for client in &mut clients[1..] {
        client.send(&encode(&["BLPOP", "l", "0"]));
    }
    // At once: most of their links are not open yet.
    for id in &ids[1..] {
        assert!(clients[0].command(&["CLIENT", "UNBLOCK", id]).integer() <= 1);
    }
    for (client, id) in clients[1..].iter_mut().zip(&ids[1..]) {
        client.set_patience(Duration::from_millis(5));
        while client.try_read_reply().is_err() {
            let mut other = stage.proxy.client();
            other.command(&["CLIENT", "UNBLOCK", id]);
        }
    }
    assert_eq!(blocked(&stage.shards), 0);
}

#[test]
fn a_link_that_was_told_to_let_go_waits_for_nobody_else() {
    let stage = Stage::start("");
    let mut other = stage.proxy.client();
    for round in 0..100 {
        let mut client = stage.proxy.client();
        let id = id(&mut client);
        client.send(&encode(&["BLPOP", "l", "0"]));
        // The element and the order race.
        other.send(&encode(&["RPUSH", "l", "x"]));
        other.send(&encode(&["CLIENT", "UNBLOCK", &id, "ERROR"]));
        let (pushed, done) = (other.read_reply().integer(), other.read_reply().integer());
        let reply = client.read_reply();
        assert_eq!(pushed, 1);
        assert_eq!(reply.error().is_some(), done == 1, "round {round}: {reply}");
        other.command(&["DEL", "l"]);
        let mut next = waiting(&stage.proxy, &stage.shards, "BLPOP m 0");
        next.expect_silence(Duration::from_millis(1));
        other.command(&["RPUSH", "m", "x"]);
        assert!(next.read_reply().error().is_none());
    }
}

#[test]
fn a_client_of_another_pool_is_out_of_reach() {
    let stage = Stage::start("");
    let server = stage.shards[0].server(1, None);
    let one = crate::harness::pool_yaml("one", &[server], "");
    let two = crate::harness::pool_yaml("two", &[stage.shards[1].server(1, None)], "");
    let proxy = crate::harness::Circlet::with_config(&format!("{one}{two}"));
    let (mut waiter, mut other) = (proxy.client_of("one"), proxy.client_of("two"));
    let waiter_id = id(&mut waiter);
    waiter.send(b"BLPOP l 0\r\n");
    eventually("it waits", || blocked(&stage.shards) == 1);
    assert_eq!(other.command(&["CLIENT", "UNBLOCK", &waiter_id]), Reply::Integer(0));
    let mut friend = proxy.client_of("one");
    assert_eq!(friend.command(&["CLIENT", "UNBLOCK", &waiter_id, "ERROR"]), Reply::Integer(1));
    assert!(error(waiter.read_reply()).starts_with("UNBLOCKED "));
}
