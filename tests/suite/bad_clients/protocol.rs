//! Bytes that are no commands: what circlet says of them is what Redis says, byte for byte.

use std::io::Write;
use std::time::Duration;

use super::PATIENT;
use crate::harness::{Address, Circlet, Client, Reply, Shard, eventually, pool_yaml};

/// All that a server says to `bytes`, until it closes.
pub fn says(address: &Address, bytes: &[u8]) -> String {
    let mut client = Client::connect(address);
    // A server that has had enough does not take all of it.
    let _ = client.try_send(bytes);
    client.close_writing();
    client.read_to_close().escape_ascii().to_string()
}

#[test]
fn what_is_no_command_gets_the_words_of_redis() {
    let fill = |start: &str, byte: &str| [start, &byte.repeat(70 * 1024)].concat().into_bytes();
    let endless =
        [fill("PING\r\nECHO ", "x"), fill("PING\r\n*", "1"), fill("PING\r\n*1\r\n$", "1")];
    let endless = endless.each_ref().map(|input| &input[..]);
    let (behind, redis) = (Shard::start(), Shard::start());
    let proxy = Circlet::over(&[&behind]);
    for input in [NO_COMMANDS, EMPTY, REPLIES, QUOTES, OWED, POSTED, &endless].concat() {
        let expected = says(redis.address(), input);
        let got = says(&proxy.address(), input);
        let shown = input[..input.len().min(200)].escape_ascii();
        assert_eq!(got, expected, "to \"{shown}\"");
    }
}

#[test]
fn a_line_too_long_is_refused_however_it_is_cut() {
    // Redis takes it when its end comes in the same read.
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let line = format!("ECHO {}\r\n", "x".repeat(70 * 1024));
    let said = says(&proxy.address(), line.as_bytes());
    assert_eq!(said, "-ERR Protocol error: too big inline request\\r\\n");
    let word = "y".repeat(65_000);
    let mut client = proxy.client();
    client.send(format!("ECHO {word}\r\n").as_bytes());
    client.expect(format!("$65000\r\n{word}\r\n"));
}

#[test]
fn a_web_page_cannot_get_commands_run() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let page = b"GET /k HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nSET stolen yes\r\n";
    let said = says(&proxy.address(), page);
    // Redis, too, finds out at the second line, but drops the reply to the first.
    assert_eq!(said, "-ERR wrong number of arguments for \\'get\\' command\\r\\n");
    assert_eq!(shard.client().command(&["EXISTS", "stolen"]), Reply::Integer(0));
    proxy.expect_log("it speaks HTTP");
}

#[test]
fn the_error_waits_for_a_slow_shard() {
    let shard = Shard::start();
    let proxy = Circlet::with_config(&pool_yaml("pool", &[shard.server(1, None)], PATIENT));
    proxy.client().command(&["SET", "k", "v"]);
    shard.stop();
    let mut client = proxy.client();
    client.send(b"GET k\r\nPING\r\n*1\r\n$-5\r\n");
    client.expect_silence(Duration::from_millis(200));
    shard.cont();
    client.expect("$1\r\nv\r\n+PONG\r\n-ERR Protocol error: invalid bulk length\r\n");
    client.expect_closed();
}

#[test]
fn a_nul_byte_does_not_silence_the_connection() {
    // Redis never finds the end of such a line.
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let mut client = proxy.client();
    client.send(b"\x00\x01\x02\r\n");
    assert!(
        client.read_reply().error().is_some_and(|text| text.starts_with("ERR unknown command"))
    );
    client.send(b"PING\r\n");
    client.expect("+PONG\r\n");
}

#[test]
fn too_many_arguments_are_refused_unseen() {
    // Redis 7.0 takes as many as a C int holds; before and in other servers it was this.
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let said = says(&proxy.address(), b"PING\r\n*1048577\r\n$4\r\nPING\r\n");
    assert_eq!(said, "+PONG\\r\\n-ERR Protocol error: invalid multibulk length\\r\\n");
}

#[test]
fn a_value_of_600_mb_is_refused_at_its_header() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let mut other = proxy.client();
    other.command(&["SET", "k", "v"]);
    let before = proxy.memory();
    let mut client = proxy.client();
    client.send(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$629145600\r\n");
    client.expect("-ERR Protocol error: invalid bulk length\r\n");
    client.expect_closed();
    assert!(proxy.memory() < before + MIB, "{} grew to {}", before, proxy.memory());
    assert_eq!(other.command(&["GET", "k"]), Reply::bulk("v"));
    eventually("the error is counted", || proxy.pool_stat("pool", "client_err") == 1);
}

#[test]
fn what_is_only_announced_takes_no_memory() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    proxy.client().command(&["SET", "k", "v"]);
    let before = proxy.memory();
    let mut announcers = Vec::new();
    for _ in 0..200 {
        let mut client = proxy.client();
        client.send(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$536870912\r\nonly the beginning");
        let mut many = proxy.client();
        many.send(b"*1048576\r\n$4\r\nMSET\r\n$1\r\na\r\n");
        announcers.push((client, many));
    }
    assert_eq!(proxy.client().command(&["GET", "k"]), Reply::bulk("v"));
    assert!(proxy.memory() < before + 16 * MIB, "{} grew to {}", before, proxy.memory());
}

#[test]
fn a_million_tiny_arguments_are_one_command() {
    let shards = Shard::several(2);
    let text = pool_yaml("pool", &[shards[0].server(1, None), shards[1].server(1, None)], PATIENT);
    let proxy = Circlet::with_config(&text);
    const KEYS: usize = 500_000;
    let mut command = Vec::with_capacity(16 * KEYS);
    write!(command, "*{}\r\n$4\r\nMSET\r\n", 2 * KEYS + 1).expect("memory");
    for key in 0..KEYS {
        write!(command, "$6\r\n{key:06}\r\n$0\r\n\r\n").expect("memory");
    }
    let mut client = proxy.client();
    client.send(&command);
    client.expect("+OK\r\n");
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(KEYS as i64));
    let most = shards.iter().map(|shard| shard.client().command(&["DBSIZE"]).integer()).max();
    assert!(most < Some(KEYS as i64), "all keys are on one shard");
}

/// What is no command.
const NO_COMMANDS: &[&[u8]] = &[
    b"\xff\xfe\x80 garbage\r\nPING\r\n",
    b"*1\r\n$-5\r\nPING\r\n",
    b"*1\r\n$-1\r\nPING\r\n",
    b"*1\r\n$abc\r\nPING\r\n",
    b"*1\r\n$\r\nPING\r\n",
    b"*1\r\n$629145600\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$99999999999999999999\r\n",
    b"*2147483648\r\nPING\r\n",
    b"*99999999999999999999\r\nPING\r\n",
    b"*abc\r\nPING\r\n",
    b"*\r\nPING\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n:1\r\n",
    b"*2\r\n$4\r\nPING\r\n*0\r\n",
];

/// Empty commands are passed over.
const EMPTY: &[&[u8]] = &[
    b"*-1\r\nPING\r\n",
    b"*-7\r\nPING\r\n",
    b"*0\r\nPING\r\n",
    b"\r\n\r\n \r\nPING\r\n",
    b"\nPING\n",
];

/// What a shard says is, said by a client, a line with an unknown command.
const REPLIES: &[&[u8]] = &[
    b"+OK\r\nPING\r\n",
    b"-ERR no\r\nPING\r\n",
    b":1\r\nPING\r\n",
    b"$3\r\nfoo\r\nPING\r\n",
    b"%1\r\nPING\r\n",
];

/// Lines with words in quotes.
const QUOTES: &[&[u8]] = &[
    b"SET \"a key\" 'it\\'s'\r\nGET \"a key\"\r\n",
    b"ECHO \"\\x00\\x41\\n\\r\\t\\a\\b\\\\\\\"\\q\"\r\n",
    b"ECHO '\\x41\\n'\r\n",
    b"  ECHO\t\tspaced  \r\nECHO lf\nECHO \"\"\r\nECHO ''\r\n",
    b"ECHO a\"b c\"\r\n",
    b"ECHO \"unbalanced\r\nPING\r\n",
    b"ECHO 'unbalanced\r\nPING\r\n",
    b"ECHO \"a\"b\r\nPING\r\n",
    b"ECHO 'a'b\r\nPING\r\n",
    b"ECHO \"\\\r\nPING\r\n",
    b"ping\r\nEcHo x\r\nGET\r\nGET a b\r\n",
];

/// Replies owed come before the error, and nothing comes after it.
const OWED: &[&[u8]] = &[
    b"PING\r\nSET k v\r\nGET k\r\nECHO e\r\n*1\r\n$-5\r\nSET k wrong\r\n",
    b"GET k\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$x\r\n",
    b"GET k\r\nGET \"k\r\n",
    b"GET k\r\nQUIT\r\nGET k\r\n",
];

/// A web page that makes a browser post to the port.
const POSTED: &[&[u8]] = &[
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 17\r\n\r\nSET stolen yes\r\nPING\r\n",
    b"host: 127.0.0.1\r\nPING\r\n",
];

const MIB: u64 = 1 << 20;
