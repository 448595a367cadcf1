//! CLIENT PAUSE: what must wait waits, on all workers, and then happens in order.

use std::time::{Duration, Instant};

use super::{Scene, say, words};
use crate::harness::{Client, Reply, encode, eventually, raw};

const A_WHILE: Duration = Duration::from_millis(50);

#[test]
fn errors_are_those_of_redis() {
    Scene::start().same(&[
        "CLIENT PAUSE",
        "CLIENT PAUSE x",
        "CLIENT PAUSE -1",
        "CLIENT PAUSE 5 NOSUCH",
        "CLIENT PAUSE 5 WRITE x",
        "CLIENT PAUSE 99999999999999999999",
        "CLIENT PAUSE 0",
        "CLIENT UNPAUSE",
        "CLIENT UNPAUSE x",
        "PING",
    ]);
    let far = say(&mut Scene::start().proxy.client(), "CLIENT PAUSE 9223372036854775807");
    assert_eq!(far.error(), Some("ERR timeout is out of range"));
}

#[test]
fn writes_wait_until_they_may_and_reads_do_not() {
    let scene = Scene::start();
    let mut operator = scene.proxy.client();
    let mut clients: Vec<Client> = (0..6).map(|_| scene.proxy.client()).collect();
    assert_eq!(say(&mut operator, "CLIENT PAUSE 60000 WRITE"), Reply::ok());
    clients.push(scene.proxy.client());
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(say(client, &format!("GET k{number}")), Reply::Nil);
        assert_eq!(say(client, "SET k"), Reply::Error(WRONG.into()));
        let mut bytes = encode(&words("MGET a b c"));
        for line in [format!("SET k{number} v"), format!("APPEND k{number} w"), "PING".into()] {
            bytes.extend(encode(&words(&line)));
        }
        client.send(&bytes);
        client.expect("*3\r\n$-1\r\n$-1\r\n$-1\r\n");
        client.expect_silence(A_WHILE);
    }
    let left = clients.pop();
    drop(left);
    let flags = super::text(&say(&mut operator, "CLIENT LIST"));
    assert!(flags.matches(" flags=b ").count() >= 6, "{flags}");
    eventually("the one that left is not waited for", || {
        super::text(&say(&mut operator, "CLIENT LIST")).lines().count() == 7
    });
    assert_eq!(say(&mut operator, "DBSIZE"), Reply::Integer(0));
    assert_eq!(say(&mut operator, "CLIENT UNPAUSE"), Reply::ok());
    for client in &mut clients {
        client.expect("+OK\r\n:2\r\n+PONG\r\n");
    }
    assert_eq!(say(&mut operator, "GET k5"), Reply::bulk("vw"));
    // What a client said that left was not done.
    assert_eq!(say(&mut operator, "GET k6"), Reply::Nil);
}

#[test]
fn a_transaction_waits_if_it_may_write_and_who_waits_is_counted() {
    let scene = Scene::start();
    let (mut operator, mut reader) = (scene.proxy.client(), scene.proxy.client());
    let mut writers: Vec<Client> = (0..4).map(|_| scene.proxy.client()).collect();
    for writer in &mut writers {
        for line in ["MULTI", "GET a", "INCR a"] {
            say(writer, line);
        }
    }
    assert_eq!(say(&mut operator, "CLIENT PAUSE 60000 WRITE"), Reply::ok());
    for line in ["MULTI", "PING", "GET a"] {
        say(&mut reader, line);
    }
    assert_eq!(raw(&mut reader, "EXEC"), "*2\r\n+PONG\r\n$-1\r\n");
    for writer in &mut writers {
        writer.send(&encode(&["EXEC"]));
    }
    let mut blocked = || {
        let info = super::text(&say(&mut operator, "INFO clients"));
        let count = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
        count.map(|count| count.trim().to_owned())
    };
    eventually("four wait", || blocked().as_deref() == Some("4"));
    writers[0].expect_silence(A_WHILE);
    assert_eq!(say(&mut reader, "CLIENT UNPAUSE"), Reply::ok());
    for writer in &mut writers {
        writer.read_to_end_of("\r\n");
    }
    assert_eq!(say(&mut reader, "GET a"), Reply::bulk("4"));
    eventually("nobody waits", || {
        super::text(&say(&mut reader, "INFO clients")).contains("blocked_clients:0\r")
    });
}

#[test]
fn everything_waits_until_the_time_is_over() {
    let scene = Scene::start();
    let mut clients: Vec<Client> = (0..6).map(|_| scene.proxy.client()).collect();
    let start = Instant::now();
    assert_eq!(say(&mut clients[0], "CLIENT PAUSE 100 WRITE"), Reply::ok());
    assert_eq!(say(&mut clients[0], "CLIENT PAUSE 600 ALL"), Reply::ok());
    for client in &mut clients {
        client.send(&encode(&words("PING")));
        client.send(&encode(&words("INCR n")));
        client.send(&encode(&words("CLIENT REPLY SKIP")));
        client.send(&encode(&words("GET n")));
        client.send(&encode(&words("ECHO end")));
    }
    clients[3].expect_silence(Duration::from_millis(300));
    for client in &mut clients {
        client.expect("+PONG\r\n:");
        client.read_to_end_of("$3\r\nend\r\n");
    }
    assert!(start.elapsed() >= Duration::from_millis(600), "{:?}", start.elapsed());
    assert_eq!(say(&mut clients[0], "GET n"), Reply::bulk("6"));
    assert_eq!(say(&mut clients[1], "SET n 0"), Reply::ok());
}

#[test]
fn a_skipped_reply_is_still_skipped_after_the_wait() {
    let scene = Scene::start();
    let (mut operator, mut client) = (scene.proxy.client(), scene.proxy.client());
    say(&mut operator, "CLIENT PAUSE 60000 WRITE");
    client.send(&encode(&words("CLIENT REPLY SKIP")));
    client.send(&encode(&words("SET a 1")));
    client.send(&encode(&words("GET a")));
    client.expect_silence(A_WHILE);
    say(&mut operator, "CLIENT UNPAUSE");
    client.expect("$1\r\n1\r\n");
}

const WRONG: &str = "ERR wrong number of arguments for 'set' command";
