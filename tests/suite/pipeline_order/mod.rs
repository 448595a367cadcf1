//! Replies come in the order of the commands, whatever shard they come from.

mod script;

use std::thread;
use std::time::Duration;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, encode, pool_yaml};
use script::{Expected, Script};

#[test]
fn thousands_of_mixed_commands_of_one_client() {
    let (_shards, circlet) = three_shards();
    let mut script = Script::new(&circlet, "solo");
    play(&circlet, script.steps(6_000), |client, bytes| client.send(&bytes));
}

#[test]
fn many_clients_at_once() {
    let (_shards, circlet) = three_shards();
    let scripts: Vec<Script> =
        (0..24).map(|number| Script::new(&circlet, &format!("client{number}"))).collect();
    thread::scope(|scope| {
        for mut script in scripts {
            let circlet = &circlet;
            scope.spawn(move || {
                play(circlet, script.steps(700), |client, bytes| client.send(&bytes));
            });
        }
    });
}

#[test]
fn commands_cut_anywhere_with_pauses() {
    let (_shards, circlet) = three_shards();
    let mut script = Script::new(&circlet, "cut");
    play(&circlet, script.steps(400), |client, bytes| {
        let mut rest = &bytes[..];
        let mut pauses = 0;
        while !rest.is_empty() {
            // Mostly small pieces; the large values would take all day in them.
            let most = if fastrand::u8(..) < 8 { 40_000 } else { 200 };
            let (piece, after) = rest.split_at(fastrand::usize(1..=most).min(rest.len()));
            client.send(piece);
            rest = after;
            if fastrand::u8(..) < 20 && pauses < 300 {
                pauses += 1;
                thread::sleep(Duration::from_micros(fastrand::u64(..4_000)));
            }
        }
    });
}

#[test]
fn one_byte_at_a_time() {
    let (_shards, circlet) = three_shards();
    let mut script = Script::new(&circlet, "slow").with_values_up_to(40);
    play(&circlet, script.steps(150), |client, bytes| {
        for (place, byte) in bytes.iter().enumerate() {
            client.send(&[*byte]);
            // Each byte is a packet of its own; some are seen alone for certain.
            if place % 16 == 0 {
                thread::sleep(Duration::from_micros(200));
            }
        }
    });
}

#[test]
fn a_client_that_stops_sending_gets_all_its_replies() {
    let (_shards, circlet) = three_shards();
    for round in 0..3 {
        let mut script = Script::new(&circlet, &format!("half{round}"));
        let (bytes, expected) = encoded(script.steps(1_500));
        let mut client = circlet.client();
        let mut sender = client.sender();
        thread::scope(|scope| {
            scope.spawn(move || {
                sender.send(&bytes);
                sender.close_writing();
            });
            check(&mut client, &expected);
        });
        client.expect_closed();
    }
}

#[test]
fn half_a_command_before_the_end_is_dropped_and_the_rest_answered() {
    let (_shards, circlet) = three_shards();
    let mut client = circlet.client();
    client.send(b"*2\r\n$4\r\nECHO\r\n$3\r\none\r\n*2\r\n$4\r\nECHO\r\n$3\r\ntw");
    client.close_writing();
    client.expect("$3\r\none\r\n");
    client.expect_closed();
}

/// The replies to a client that left come when its place among the sessions may be another's.
#[test]
fn replies_due_to_a_client_that_left_reach_nobody_else() {
    let (_shards, circlet) = three_shards();
    let mut stayer = Script::new(&circlet, "stayer").with_values_up_to(2_000);
    let value = "of one that left".repeat(500);
    for key in 0..50 {
        circlet.client().command(&["SET", &format!("left{key}"), &value]);
    }
    for _ in 0..60 {
        let mut leaver = circlet.client();
        let gets: Vec<u8> =
            (0..50).flat_map(|key| encode(&["GET".to_owned(), format!("left{key}")])).collect();
        leaver.send(&gets);
        drop(leaver);
        play(&circlet, stayer.steps(30), |client, bytes| client.send(&bytes));
    }
}

fn three_shards() -> (Vec<Shard>, Proxy) {
    let shards = Shard::several(3);
    // The default hash puts neighbouring numbered keys on one shard.
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    let circlet = Circlet::with_config(&pool_yaml("pool", &servers, "hash: md5"));
    (shards, circlet)
}

/// Sends all steps by `send` on a thread of its own while the replies are read and compared.
#[track_caller]
fn play(
    circlet: &Proxy,
    steps: Vec<(Vec<u8>, Expected)>,
    send: impl FnOnce(&mut Client, Vec<u8>) + Send,
) {
    let (bytes, expected) = encoded(steps);
    let mut client = circlet.client();
    let mut sender = client.sender();
    thread::scope(|scope| {
        scope.spawn(move || send(&mut sender, bytes));
        check(&mut client, &expected);
    });
    assert_eq!(client.command(&["PING", "the end"]), Reply::bulk("the end"), "nothing is left");
}

fn encoded(steps: Vec<(Vec<u8>, Expected)>) -> (Vec<u8>, Vec<Expected>) {
    let (bytes, expected): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
    (bytes.concat(), expected)
}

#[track_caller]
fn check(client: &mut Client, expected: &[Expected]) {
    for (place, expected) in expected.iter().enumerate() {
        let reply = client.read_reply();
        if let Err(difference) = expected.compare(&reply) {
            panic!("reply {place} of the pipeline: {difference}");
        }
    }
}
