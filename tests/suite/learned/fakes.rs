//! What a shard may say to COMMAND and no real one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{expect_known, is_known};
use crate::harness::{Circlet, FakeShard, PATIENCE, Proxy, Reply, eventually, honest, pool_yaml};

/// An entry of COMMAND as Redis before 7 writes it.
fn entry(name: &str, arity: i32, flags: &[&str], range: [i32; 3]) -> String {
    let mut text = format!("*6\r\n${}\r\n{name}\r\n:{arity}\r\n*{}\r\n", name.len(), flags.len());
    flags.iter().for_each(|flag| text += &format!("+{flag}\r\n"));
    range.iter().for_each(|number| text += &format!(":{number}\r\n"));
    text
}

fn list(entries: &[String]) -> String {
    format!("*{}\r\n{}", entries.len(), entries.concat())
}

/// A shard that answers COMMAND with this, everything else as a healthy one, and says what it was
/// sent.
fn telling(commands: String) -> FakeShard {
    FakeShard::start(move |mut link| {
        link.serve(|command| match &command[0].to_ascii_lowercase()[..] {
            b"command" if command.len() == 1 => commands.clone().into_bytes(),
            b"command" => b":1\r\n".to_vec(),
            b"ping" => b"+PONG\r\n".to_vec(),
            _ => format!("+{}\r\n", String::from_utf8_lossy(&command.join(&b' '))).into(),
        });
    })
}

fn over(shards: &[&FakeShard]) -> Proxy {
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    Circlet::with_config(&pool_yaml("pool", &servers, "heartbeat_interval: 100"))
}

#[test]
fn redis_before_7_tells_first_last_and_step() {
    let shard = telling(list(&[
        entry("old.get", 2, &["readonly"], [1, 1, 1]),
        entry("old.pairs", -3, &["write"], [1, -1, 2]),
        entry("old.movable", -3, &["write", "movablekeys"], [0, 0, 0]),
        entry("old.plain", 1, &["fast"], [0, 0, 0]),
    ]));
    let other = FakeShard::start(|mut link| link.serve(honest));
    let proxy = over(&[&shard, &other]);
    let mut client = proxy.client();
    expect_known(&mut client, "old.plain");
    let keys = client.command(&["COMMAND", "GETKEYS", "old.pairs", "a", "1", "b", "2"]);
    assert_eq!(keys, Reply::Array(vec![Reply::bulk("a"), Reply::bulk("b")]));
    let refused = client.command(&["old.movable", "a", "b"]);
    assert!(refused.error().is_some_and(|text| text.contains("only its shard can tell")));
}

#[test]
fn numbers_that_lie_crash_nothing() {
    let extremes = [i32::MIN, -1_000_000, -3, -2, -1, 0, 1, 2, 3, 1_000_000, i32::MAX];
    let mut entries = Vec::new();
    for first in extremes {
        for last in extremes {
            for (number, step) in extremes.into_iter().enumerate() {
                let name = format!("x.{first}.{last}.{number}");
                entries.push(entry(
                    &name,
                    if number % 2 == 0 { -1 } else { first },
                    &[],
                    [first, last, step],
                ));
            }
        }
    }
    entries.push(entry("x.last", 1, &[], [0, 0, 0]));
    let shard = telling(list(&entries));
    let proxy = over(&[&shard]);
    let mut client = proxy.client();
    expect_known(&mut client, "x.last");
    for first in extremes {
        for last in extremes {
            for number in 0..extremes.len() {
                let name = format!("x.{first}.{last}.{number}");
                for arguments in [&[&name[..]][..], &[&name, "a"], &[&name, "a", "b", "c", "d"]] {
                    client.command(arguments);
                    let ask = [&["COMMAND", "GETKEYS"], arguments].concat();
                    client.command(&ask);
                }
            }
        }
    }
    assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
}

#[test]
fn garbage_costs_nothing_but_what_it_says() {
    let good = entry("good.one", 1, &["fast"], [0, 0, 0]);
    let odd = [
        "*0\r\n".to_owned(),
        ":5\r\n".to_owned(),
        "*-1\r\n".to_owned(),
        entry("", 1, &[], [0, 0, 0]),
        entry("two words", 1, &[], [0, 0, 0]),
        entry(&"x".repeat(1000), 1, &[], [0, 0, 0]),
        "*6\r\n$3\r\nbad\r\n$1\r\nx\r\n*0\r\n:0\r\n:0\r\n:0\r\n".to_owned(),
        good.clone(),
        // GET is the table's, whatever a shard says.
        entry("get", 1, &["fast"], [0, 0, 0]),
    ];
    let shard = telling(list(&odd));
    let proxy = over(&[&shard]);
    let mut client = proxy.client();
    expect_known(&mut client, "good.one");
    assert_eq!(client.command(&["good.one"]), Reply::Simple("good.one".into()));
    let arity = client.command(&["GET"]);
    assert_eq!(arity.error(), Some("ERR wrong number of arguments for 'get' command"));
    proxy.expect_log("tells of 7 commands that cannot be learned");
}

#[test]
fn a_hundred_thousand_commands_are_too_many() {
    let names = |prefix: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| entry(&format!("{prefix}.command.{n:06}"), 1, &[], [0, 0, 0])).collect()
    };
    let (huge, many) =
        (telling(list(&names("huge", 100_000))), telling(list(&names("many", 6_000))));
    let proxy = over(&[&huge, &many]);
    let mut client = proxy.client();
    expect_known(&mut client, "many.command.000000");
    proxy.expect_log("does not tell its commands");
    proxy.expect_log("tells of 1904 commands that cannot be learned");
    assert!(
        !is_known(&mut client, "many.command.005999")
            && !is_known(&mut client, "huge.command.000000")
    );
    let memory = proxy.peak_memory();
    assert!(memory < 100 << 20, "{memory} bytes");
}

#[test]
fn a_shard_that_does_not_tell_is_healthy() {
    let asked = Arc::new(AtomicUsize::new(0));
    let scripts: [fn(&mut Vec<u8>); 3] = [
        |reply| reply.extend_from_slice(b"-NOPERM this user has no permissions\r\n"),
        |reply| reply.extend_from_slice(&b"*1\r\n".repeat(5000)),
        // Nothing at all.
        |_| {},
    ];
    let fakes = scripts.map(|script| {
        let asked = Arc::clone(&asked);
        FakeShard::start(move |mut link| {
            link.serve(|command| {
                if !command[0].eq_ignore_ascii_case(b"command") {
                    return honest(command);
                }
                asked.fetch_add(1, Ordering::SeqCst);
                let mut reply = Vec::new();
                script(&mut reply);
                reply
            });
        })
    });
    let servers: Vec<String> = fakes.iter().map(|fake| fake.server(1, None)).collect();
    let settings = "heartbeat_interval: 100\nheartbeat_timeout: 500\nauto_eject_hosts: true\n\
                    server_failure_limit: 1";
    let proxy = Circlet::with_config(&pool_yaml("pool", &servers, settings));
    eventually("all were asked", || asked.load(Ordering::SeqCst) >= 3);
    std::thread::sleep(PATIENCE / 20);
    // Heartbeats went on meanwhile, some ten of them: none was a failure.
    assert!(!proxy.log().contains("ejected"), "{}", proxy.log());
    assert!(asked.load(Ordering::SeqCst) <= 5, "asked again and again");
    let accepted: Vec<usize> = fakes.iter().map(FakeShard::accepted).collect();
    assert!(accepted.iter().all(|&count| count <= 2), "{accepted:?}");
    let mut client = proxy.client();
    (0..20).for_each(|n| assert_eq!(client.command(&["GET", &format!("k{n}")]), Reply::Nil));
}
