//! PROXY HELP, and PROXY as a command where it could be taken for the header of a protocol.

use crate::harness::{Circlet, Reply, Shard, raw};

const HEAD: &str = "+PROXY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n";

#[test]
fn help_has_the_form_of_other_commands_help() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let mut client = proxy.client();
    let help = raw(&mut client, "proxy help");
    let theirs = raw(&mut client, "CONFIG HELP");
    let (count, lines) = help.split_once("\r\n").expect("an array");
    assert_eq!(count, format!("*{}", lines.matches("\r\n").count()));
    assert!(lines.starts_with(HEAD), "{help}");
    let end = "HELP\r\n+    Prints this help.\r\n";
    assert!(help.ends_with(end) && theirs.ends_with(end), "{help}\n{theirs}");
    assert_eq!(
        client.command(&["PROXY"]),
        Reply::Error("ERR wrong number of arguments for 'proxy' command".into())
    );
    assert_eq!(
        client.command(&["PROXY", "NOSUCH"]),
        Reply::Error("ERR unknown subcommand 'NOSUCH'. Try PROXY HELP.".into())
    );
}

#[test]
fn a_first_line_that_says_proxy_may_be_the_command() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    for line in ["PROXY HELP\r\n", "proxy help\r\n"] {
        let mut client = proxy.client();
        client.send(line.as_bytes());
        let reply = client.read_reply_bytes();
        let reply = String::from_utf8_lossy(&reply);
        assert!(reply.contains(HEAD), "{line}: {reply}");
        assert_eq!(client.command(&["PING"]), Reply::Simple("PONG".into()));
    }
    let mut client = proxy.client();
    client.send(b"PROXY NOSUCH\r\n");
    let reply = client.read_reply_bytes();
    assert_eq!(reply, b"-ERR unknown subcommand 'NOSUCH'. Try PROXY HELP.\r\n");
    client.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
    let refusal = String::from_utf8_lossy(&client.read_to_close()).into_owned();
    assert!(refusal.starts_with("-ERR PROXY protocol header refused"), "{refusal}");
}
