//! Which connections transactions cost, and that long ones do not get stuck.

use super::{clients_of, over, words};
use crate::harness::{Client, Reply, Shard, encode, eventually};

fn transaction(commands: usize, value: &str) -> Vec<u8> {
    let mut bytes = encode(&["MULTI"]);
    for number in 0..commands {
        bytes.extend(encode(&["SET", &format!("{{t}}{number}"), value]));
    }
    bytes.extend(encode(&["EXEC"]));
    bytes
}

#[track_caller]
fn expect_transaction(client: &mut Client, commands: usize) {
    client.expect("+OK\r\n");
    client.expect("+QUEUED\r\n".repeat(commands));
    client.expect(format!("*{commands}\r\n{}", "+OK\r\n".repeat(commands)));
}

#[test]
fn a_pipelined_transaction_opens_no_connection() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let mut clients: Vec<Client> = (0..5).map(|_| proxy.client()).collect();
    clients[0].command(&["GET", "{t}k"]);
    let before = clients_of(&shards[0]);
    for _ in 0..20 {
        for client in &mut clients {
            client.send(&[encode(&["GET", "{t}none"]), transaction(4, "v")].concat());
        }
        for client in &mut clients {
            client.expect("$-1\r\n");
            expect_transaction(client, 4);
        }
    }
    // Nor do keyless ones, and those of which no key came before their EXEC.
    for line in ["MULTI", "PING", "EXEC", "MULTI", "CLIENT GETNAME", "EXEC", "MULTI", "EXEC"] {
        clients[0].command(&words(line));
    }
    assert_eq!(clients_of(&shards[0]), before);
}

#[test]
fn slow_transactions_take_turns_on_a_private_link() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    proxy.client().command(&["GET", "{t}k"]);
    let before = clients_of(&shards[0]);
    for round in 0..20 {
        let mut client = proxy.client();
        for line in ["WATCH {t}k", "MULTI", "INCR {t}k"] {
            client.command(&words(line));
        }
        assert_eq!(clients_of(&shards[0]), before + 1);
        let end = ["EXEC", "DISCARD"][round % 2];
        client.command(&[end]);
        for line in ["MULTI", "INCR {t}k", end, "WATCH {t}k", "UNWATCH"] {
            client.command(&words(line));
        }
        assert_eq!(clients_of(&shards[0]), before + 1);
    }
    assert_eq!(proxy.client().command(&["GET", "{t}k"]), Reply::bulk("20"));
}

#[test]
fn a_link_that_had_other_state_is_not_lent_again() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let (mut client, mut other) = (proxy.client(), proxy.client());
    for line in ["WATCH {t}k", "SELECT 1", "MULTI", "SET {t}k one", "EXEC"] {
        client.command(&words(line));
    }
    for line in ["MULTI", "SET {t}k two", "SELECT 3", "EXEC"] {
        client.command(&words(line));
    }
    for line in ["WATCH {t}x", "MULTI", "SET {t}k zero"] {
        other.command(&words(line));
    }
    assert_eq!(other.command(&["EXEC"]), Reply::Array(vec![Reply::ok()]));
    let mut direct = shards[0].client();
    for (db, value) in [("0", "zero"), ("1", "two")] {
        direct.command(&["SELECT", db]);
        assert_eq!(direct.command(&["GET", "{t}k"]), Reply::bulk(value), "{db}");
    }
    // And on the shared link, the database is again what it was.
    client.command(&["SELECT", "0"]);
    client.pipeline(&["MULTI", "SELECT 5", "SET {t}k five", "EXEC"].map(words));
    assert_eq!(client.command(&["GET", "{t}k"]), Reply::bulk("five"));
    assert_eq!(other.command(&["GET", "{t}k"]), Reply::bulk("zero"));
}

#[test]
fn ten_thousand_commands_in_one_transaction() {
    let shards = Shard::several(2);
    for settings in ["", "client_pipeline_limit: 100\nlink_output_limit: 10000"] {
        let proxy = over(&shards, settings);
        for value in ["v", &"value".repeat(100)] {
            let mut client = proxy.client();
            let mut sender = client.sender();
            let bytes = [encode(&["GET", "{t}none"]), transaction(10_000, value)].concat();
            let sending = std::thread::spawn(move || sender.send(&bytes));
            client.expect("$-1\r\n");
            expect_transaction(&mut client, 10_000);
            sending.join().expect("all is taken");
        }
        // With no key before the last command.
        let mut client = proxy.client();
        let mut bytes = encode(&["MULTI"]);
        bytes.extend(encode(&["PING"]).repeat(10_000));
        bytes.extend(encode(&["GET", "{t}none"]));
        bytes.extend(encode(&["EXEC"]));
        let mut sender = client.sender();
        let sending = std::thread::spawn(move || sender.send(&bytes));
        client.expect(format!("+OK\r\n{}*10001\r\n", "+QUEUED\r\n".repeat(10_001)));
        client.expect(format!("{}$-1\r\n", "+PONG\r\n".repeat(10_000)));
        sending.join().expect("all is taken");
    }
}

#[test]
fn large_commands_do_not_gather_in_memory() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    client.send(&transaction(60, &"x".repeat(1_000_000)));
    expect_transaction(&mut client, 60);
    eventually("the memory is given back or was never taken", || proxy.peak_memory() < 60_000_000);
}

#[test]
fn a_transaction_without_a_key_cannot_grow_for_ever() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "max_command: 2000000");
    let mut client = proxy.client();
    client.command(&["MULTI"]);
    let text = "x".repeat(300_000);
    let refused = (0..20).find_map(|_| match client.command(&["ECHO", &text]) {
        Reply::Error(text) => Some(text),
        _ => None,
    });
    assert!(refused.expect("refused at last").contains("max_command"));
    let reply = client.command(&["EXEC"]);
    assert!(reply.error().expect("aborted").starts_with("EXECABORT"), "{reply}");
    assert_eq!(client.command(&["ECHO", "on"]), Reply::bulk("on"));
}

#[test]
fn private_links_are_as_many_as_configured() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "private_links: 1");
    let (mut first, mut second) = (proxy.client(), proxy.client());
    for line in ["MULTI", "SET {t}k 1"] {
        first.command(&words(line));
    }
    assert_eq!(second.command(&["MULTI"]), Reply::ok());
    let refusal = second.command(&words("SET {t}k 2"));
    assert!(refusal.error().expect("refused").contains("private_links"), "{refusal}");
    let refusal = second.command(&words("SET {t}k 3"));
    assert!(refusal.error().expect("refused").contains("private_links"), "{refusal}");
    let abort = second.command(&["EXEC"]);
    let text = abort.error().expect("aborted");
    assert!(text.starts_with("EXECABORT") && text.contains("nothing of it was applied"), "{text}");
    let refusal = second.command(&words("WATCH {t}k"));
    assert!(refusal.error().expect("refused").contains("private_links"), "{refusal}");
    // One piece needs none.
    second.send(&transaction(2, "v"));
    expect_transaction(&mut second, 2);
    assert_eq!(first.command(&["EXEC"]), Reply::Array(vec![Reply::ok()]));
    assert_eq!(second.command(&words("WATCH {t}k")), Reply::ok());
}
