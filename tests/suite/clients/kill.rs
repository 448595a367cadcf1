//! CLIENT KILL: whoever is meant is gone, on any worker, and nobody else.

use super::{Scene, field, id_of, raw, say, text};
use crate::harness::{Client, Reply};

fn address(client: &mut Client, name: &str) -> String {
    field(&text(&say(client, "CLIENT INFO")), name).to_owned()
}

#[test]
fn errors_are_those_of_redis() {
    Scene::start().same(&[
        "CLIENT KILL",
        "CLIENT KILL x",
        "CLIENT KILL ID",
        "CLIENT KILL 127.0.0.1:1",
        "CLIENT KILL ID 0",
        "CLIENT KILL ID -3",
        "CLIENT KILL ID x",
        "CLIENT KILL ID 99999",
        "CLIENT KILL ID 99999 ADDR",
        "CLIENT KILL TYPE nosuch",
        "CLIENT KILL TYPE pubsub",
        "CLIENT KILL USER nosuch",
        "CLIENT KILL SKIPME maybe",
        "CLIENT KILL NOSUCH x",
        "CLIENT KILL ADDR x LADDR y TYPE normal USER default SKIPME yes ID 5",
        "PING",
    ]);
}

#[test]
fn each_way_of_meaning_a_client_ends_that_one_alone() {
    let scene = Scene::start();
    let mut killer = scene.proxy.client();
    let mut others: Vec<Client> = (0..12).map(|_| scene.proxy.client()).collect();
    for (index, other) in others.drain(..8).enumerate() {
        let mut other = other;
        let (id, peer) = (id_of(&mut other), address(&mut other, "addr"));
        let own = address(&mut other, "laddr");
        let line = match index % 4 {
            0 => format!("CLIENT KILL {peer}"),
            1 => format!("CLIENT KILL ID {id}"),
            2 => format!("CLIENT KILL ADDR {peer} USER default TYPE normal"),
            _ => format!("CLIENT KILL LADDR {own} ID {id} SKIPME yes"),
        };
        let expected = if index % 4 == 0 { Reply::ok() } else { Reply::Integer(1) };
        assert_eq!(say(&mut killer, &line), expected, "{line}");
        other.expect_closed();
        // Once is enough.
        assert_ne!(say(&mut killer, &line), expected);
    }
    let mut rest = others;
    assert!(rest.iter_mut().all(|client| say(client, "PING") == Reply::Simple("PONG".into())));
    assert_eq!(say(&mut killer, "CLIENT KILL TYPE normal"), Reply::Integer(rest.len() as i64));
    rest.iter_mut().for_each(Client::expect_closed);
    assert_eq!(say(&mut killer, "PING"), Reply::Simple("PONG".into()));
    let young = scene.proxy.client();
    assert_eq!(say(&mut killer, "CLIENT KILL MAXAGE 3600"), Reply::Integer(0));
    drop(young);
}

#[test]
fn a_client_that_ends_itself_reads_so_first() {
    let scene = Scene::start();
    for by_address in [true, false] {
        for (mut client, who) in [(scene.proxy.client(), "ours"), (scene.single.client(), "theirs")]
        {
            let (peer, id) = (address(&mut client, "addr"), id_of(&mut client));
            let skipped = raw(&mut client, &format!("CLIENT KILL ID {id}"));
            assert_eq!(skipped, ":0\r\n", "{who}");
            let line = match by_address {
                true => format!("CLIENT KILL {peer}"),
                false => format!("CLIENT KILL ID {id} SKIPME no"),
            };
            client.send(format!("GET a\r\n{line}\r\nGET b\r\n").as_bytes());
            client.expect(if by_address { "$-1\r\n+OK\r\n" } else { "$-1\r\n:1\r\n" });
            client.expect_closed();
        }
    }
}
