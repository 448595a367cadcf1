//! MONITOR: what all clients of all workers say, in Redis's words.

use std::time::Duration;

use super::{Scene, field, raw, say, text};
use crate::harness::{Client, Reply, encode, eventually};

/// The next line, without the time, the port and the database of who said it.
fn next(monitor: &mut Client) -> String {
    let line = String::from_utf8_lossy(&monitor.read_reply_bytes()).into_owned();
    let (time, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no time: {line}"));
    let digits = time.strip_prefix('+').and_then(|time| time.split_once('.'));
    let (seconds, micros) = digits.unwrap_or_else(|| panic!("no time: {line}"));
    assert!(seconds.parse::<u64>().is_ok() && micros.len() == 6, "{line}");
    let (from, said) = rest.split_once("] ").unwrap_or_else(|| panic!("from whom? {line}"));
    let (db, _) = from.split_once(" 127.0.0.1:").unwrap_or_else(|| panic!("from whom? {line}"));
    format!("{db}] {said}")
}

#[test]
fn commands_are_shown_as_redis_shows_them() {
    let scene = Scene::start();
    for protocol in [2, 3] {
        let (mut ours, mut theirs) = scene.pair(protocol);
        let (mut our_monitor, mut their_monitor) = scene.pair(protocol);
        for monitor in [&mut our_monitor, &mut their_monitor] {
            assert_eq!(say(monitor, "MONITOR"), Reply::ok());
        }
        for line in [
            "GET a",
            "get A\r\n\"\\\u{7}\u{8}\tz\u{e9}",
            "SELECT 5",
            "NOSUCH",
            "GET",
            "AUTH wrong",
            "AUTH default wrong",
            "HELLO 3 AUTH default x SETNAME me",
            "HELLO 2 SETNAME AUTH AUTH default x",
            "HELLO 4",
            "CLIENT ID",
            "CLIENT LIST",
            "CLIENT KILL ID 99999",
            "CONFIG GET port",
            "EVAL return(1) 0",
            "MGET a b c",
            "INFO nosuch",
            "COMMAND COUNT",
            "DBSIZE",
            "RESET",
            "SELECT 99",
            "HGETALL nosuch",
        ] {
            raw(&mut ours, line);
            raw(&mut theirs, line);
        }
        loop {
            let (shown, expected) = (next(&mut our_monitor), next(&mut their_monitor));
            assert_eq!(shown, expected);
            if shown.contains("HGETALL") {
                break;
            }
        }
    }
}

#[test]
fn all_workers_are_looked_at_and_monitors_end_as_they_like() {
    let scene = Scene::start();
    let mut clients: Vec<Client> = (0..9).map(|_| scene.proxy.client()).collect();
    let mut monitors: Vec<Client> = (0..4).map(|_| scene.proxy.client()).collect();
    for monitor in &mut monitors {
        assert_eq!(say(monitor, "MONITOR"), Reply::ok());
    }
    clients.push(scene.proxy.client());
    let mut expected = Vec::new();
    for (number, client) in clients.iter_mut().enumerate() {
        say(client, &format!("SET {number} x"));
        expected.push(format!("+[0] \"SET\" \"{number}\" \"x\"\r\n").replace("+[0]", "[0]"));
    }
    for monitor in &mut monitors {
        let mut shown: Vec<String> = (0..clients.len()).map(|_| next(monitor)).collect();
        shown.sort();
        assert_eq!(shown, expected);
    }
    // One by RESET, one by QUIT, one by leaving, one by force.
    let id = {
        let list = text(&say(&mut clients[0], "CLIENT LIST TYPE replica"));
        field(list.lines().last().expect("four"), "id").to_owned()
    };
    monitors[0].send(b"RESET\r\n");
    monitors[0].expect("+RESET\r\n");
    assert_eq!(say(&mut monitors[0], "PING"), Reply::Simple("PONG".into()));
    monitors[1].send(&encode(&["QUIT"]));
    assert!(String::from_utf8_lossy(&monitors[1].read_to_close()).contains("+OK\r\n"));
    drop(monitors.remove(2));
    say(&mut clients[0], &format!("CLIENT KILL ID {id}"));
    let mut asker = scene.proxy.client();
    eventually("nobody looks", || {
        text(&say(&mut asker, "CLIENT LIST TYPE replica")).trim().is_empty()
    });
    say(&mut clients[3], "GET a");
    monitors[0].expect_silence(Duration::from_millis(50));
}

#[test]
fn a_monitor_that_does_not_read_is_dropped_and_hurts_nobody() {
    let scene = Scene::with("client_output_limit: 1mb");
    let mut monitor = scene.proxy.client();
    assert_eq!(say(&mut monitor, "MONITOR"), Reply::ok());
    let mut client = scene.proxy.client();
    let value = "v".repeat(20_000);
    for number in 0..2_000 {
        assert_eq!(client.command(&["SET", &format!("k{number}"), &value]), Reply::ok());
    }
    eventually("the monitor is dropped", || {
        text(&say(&mut client, "CLIENT LIST TYPE replica")).trim().is_empty()
    });
    scene.proxy.expect_log("it does not read its replies");
    assert_eq!(say(&mut client, "GET k1"), Reply::bulk(&value));
}
