//! CLIENT UNBLOCK, over all workers.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::{Stage, blocked, error};
use crate::harness::{Circlet, Client, FakeShard, Reply, encode, eventually, honest, pool_yaml};

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
    // The element comes before the order: whoever had the link next would get the order's effect.
    let (order, ordered) = mpsc::channel();
    let ordered = Mutex::new(ordered);
    let shared = Arc::new((order, ordered));
    let fake = FakeShard::start(move |mut link| {
        let (shared, number) = (Arc::clone(&shared), link.number);
        link.serve(move |command| match (&command[0][..], command.len()) {
            (b"BLPOP", _) if command[1] == b"first" => {
                shared.1.lock().expect("one at a time").recv().expect("an order comes");
                format!(":{number}\r\n").into_bytes()
            }
            (b"BLPOP", _) => format!(":{number}\r\n").into_bytes(),
            (b"CLIENT", 2) => b":7\r\n".to_vec(),
            (b"CLIENT", _) => {
                shared.0.send(()).expect("somebody waits");
                b":0\r\n".to_vec()
            }
            _ => honest(command),
        });
    });
    let config = pool_yaml("pool", &[fake.server(1, None)], "");
    let proxy = Circlet::with_arguments(&config, &["--threads", "1"]);
    let (mut client, mut other) = (proxy.client(), proxy.client());
    let id = id(&mut client);
    client.send(b"BLPOP second 0\r\nBLPOP first 0\r\n");
    let links = [client.read_reply().integer()];
    assert_eq!(other.command(&["CLIENT", "UNBLOCK", &id]), Reply::Integer(0));
    assert_eq!(client.read_reply().integer(), links[0], "a link is used again");
    assert_ne!(client.command(&["BLPOP", "second", "0"]).integer(), links[0]);
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
