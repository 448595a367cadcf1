//! The same bytes as from one Redis, however the commands arrive.

use std::thread::sleep;
use std::time::Duration;

use super::{over, words};
use crate::harness::{Client, Proxy, Shard, encode};

/// Each line gives one reply. QUIT comes last.
const SCRIPT: &str = "
SET {t}a 0
MULTI
INCR {t}a
MULTI
WATCH {t}a
GET {t}a
EXEC
MULTI
EXEC
MULTI
PING
ECHO hi
EXEC
MULTI
PING
INCR {t}a
SADD {t}a x
GET {t}a
UNWATCH
EXEC
GET {t}a
MULTI
SET {t}a 5
DISCARD
MULTI
DISCARD
GET {t}a
MULTI
SET {t}a
SET {t}a 9
EXEC
EXEC
DISCARD
MULTI
GET {t}a
NOSUCH
GET {t}a
DISCARD
MULTI
SAVE
EXEC
MULTI
GET {t}a
EXEC x
EXEC
EXEC y
WATCH {t}a {t}b
GET {t}a
EXEC x
MULTI
SET {t}a 6
EXEC
WATCH {t}a
WATCH {t}b
GET {t}a
MULTI
SET {t}a 7
EXEC
WATCH {t}a
SET {t}a 8
GET {t}a
MULTI
SET {t}a 9
EXEC
GET {t}a
WATCH {t}a
SET {t}a 8
UNWATCH
MULTI
SET {t}a 10
EXEC
WATCH {t}a
MULTI
SET {t}a 11
DISCARD
SET {t}a 12
MULTI
GET {t}a
EXEC
WATCH {t}a
SET {t}a 13
MULTI
NOSUCH
SET {t}a 14
EXEC
MULTI
GET {t}a
EXEC
MULTI
CLIENT SETNAME me
GET {t}a
CLIENT GETNAME
COMMAND GETKEYS SET a b
CLIENT SETNAME \"not me\"
EXEC
CLIENT GETNAME
WATCH {t}a
SET {t}a 15
MULTI
CLIENT SETNAME you
EXEC
CLIENT GETNAME
MULTI
CLIENT SETNAME you
DISCARD
CLIENT GETNAME
MULTI
SELECT 1
SET {t}a one
CLIENT GETNAME
EXEC
GET {t}a
SELECT 0
GET {t}a
MULTI
SELECT 99
SELECT x
GET {t}a
EXEC
GET {t}a
WATCH {t}a
SELECT 1
GET {t}a
WATCH {t}b
MULTI
GET {t}a
SELECT 0
GET {t}a
EXEC
GET {t}a
WATCH {t}b
SELECT 1
WATCH {t}a
SET {t}a two
MULTI
GET {t}a
EXEC
GET {t}a
SELECT 0
MULTI
HSET {t}h f v
HGETALL {t}h
ZADD {t}z 1.5 m
ZSCORE {t}z m
DEL {t}h {t}z {t}none
EXEC
MULTI
BLPOP {t}list 0
XREAD BLOCK 0 STREAMS {t}x $
EVAL \"return redis.call('get',KEYS[1])\" 1 {t}a
EVAL \"return 1\" 0
EVAL x y
MGET {t}a {t}b {t}c
MSET {t}a 1 {t}b 2
SORT {t}none BY nosort
ZUNION 0 {t}a
PUBLISH channel message
WAIT 0 0
OBJECT HELP
EXEC
WATCH
MULTI
WATCH
EXEC
MULTI
SET {t}a 16
RESET
EXEC
WATCH {t}a
RESET
GET {t}a
MULTI
GET {t}a
QUIT";

/// Circlet over three shards, and one Redis.
struct Pair {
    proxy: Proxy,
    _shards: Vec<Shard>,
    single: Shard,
    resp3: bool,
}

impl Pair {
    fn start(resp3: bool) -> Pair {
        let mut shards = Shard::several(4);
        let single = shards.remove(3);
        Pair { proxy: over(&shards, ""), _shards: shards, single, resp3 }
    }

    fn clients(&self) -> [Client; 2] {
        let mut clients = [self.proxy.client(), self.single.client()];
        for client in &mut clients {
            client.command(&["FLUSHALL"]);
            if self.resp3 {
                client.command(&["HELLO", "3"]);
            }
        }
        clients
    }

    /// Sends the script with `send` to both; all that they say.
    fn run(&self, send: impl Fn(&mut Client, &[u8])) {
        let script: Vec<u8> = lines().flat_map(|line| encode(&words(line))).collect();
        let [mut ours, mut theirs] = self.clients();
        send(&mut ours, &script);
        theirs.send(&script);
        for line in lines() {
            let (ours, theirs) = (ours.read_reply_bytes(), theirs.read_reply_bytes());
            assert_eq!(
                ours.escape_ascii().to_string(),
                theirs.escape_ascii().to_string(),
                "{line}"
            );
        }
        ours.expect_closed();
    }
}

fn lines() -> impl Iterator<Item = &'static str> {
    SCRIPT.lines().filter(|line| !line.is_empty())
}

fn one_by_one(pair: &Pair) {
    let [mut ours, mut theirs] = pair.clients();
    for line in lines() {
        let command = encode(&words(line));
        ours.send(&command);
        theirs.send(&command);
        let (ours, theirs) = (ours.read_reply_bytes(), theirs.read_reply_bytes());
        assert_eq!(ours.escape_ascii().to_string(), theirs.escape_ascii().to_string(), "{line}");
    }
}

fn in_pieces(pair: &Pair, seed: u64) {
    pair.run(|client, script| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut rest = script;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(80)));
            client.send(piece);
            sleep(Duration::from_micros(random.u64(0..1500)));
            rest = after;
        }
    });
}

#[test]
fn as_from_one_redis_in_resp2() {
    let pair = Pair::start(false);
    one_by_one(&pair);
    pair.run(|client, script| client.send(script));
    (1..6).for_each(|seed| in_pieces(&pair, seed));
}

#[test]
fn as_from_one_redis_in_resp3() {
    let pair = Pair::start(true);
    one_by_one(&pair);
    pair.run(|client, script| client.send(script));
    (6..11).for_each(|seed| in_pieces(&pair, seed));
}

#[test]
fn inline_commands_make_transactions_too() {
    let pair = Pair::start(false);
    let [mut ours, _] = pair.clients();
    ours.send(b"MULTI\r\nINCR k\r\nEXEC\r\n");
    ours.expect("+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
}

#[test]
fn cut_anywhere_the_replies_are_the_same() {
    let pair = Pair::start(false);
    let commands = ["GET {t}a", "MULTI", "PING", "SET {t}a x", "GET {t}a", "EXEC", "GET {t}a"];
    let bytes: Vec<u8> = commands.iter().flat_map(|line| encode(&words(line))).collect();
    let mut client = pair.proxy.client();
    client.command(&["SET", "{t}a", "x"]);
    for cut in 0..=bytes.len() {
        client.send(&bytes[..cut]);
        sleep(Duration::from_millis(3));
        client.send(&bytes[cut..]);
        client.expect("$1\r\nx\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
        client.expect("*3\r\n+PONG\r\n+OK\r\n$1\r\nx\r\n$1\r\nx\r\n");
    }
}

#[test]
fn a_reply_comes_as_soon_as_redis_gives_it() {
    let pair = Pair::start(false);
    let mut client = pair.proxy.client();
    // Behind a command that is not whole, what came before it is answered.
    client.send(b"MULTI\r\nSET {t}a 1\r\n*2\r\n$3\r\nGE");
    client.expect("+OK\r\n+QUEUED\r\n");
    client.send(b"T\r\n$4\r\n{t}a\r\n");
    client.expect("+QUEUED\r\n");
    client.send(b"EXEC\r\n");
    client.expect("*2\r\n+OK\r\n$1\r\n1\r\n");
}

#[test]
fn what_the_session_sent_before_is_done_before_a_slow_transaction() {
    let pair = Pair::start(false);
    let mut client = pair.proxy.client();
    let value = "v".repeat(500_000);
    for round in 0..10 {
        let large = format!("{round}{value}");
        client.send(&[encode(&["SET", "{t}k", &large]), encode(&["MULTI"])].concat());
        client.send(&encode(&["STRLEN", "{t}k"]));
        // No EXEC yet: the transaction moves to its own link, by itself.
        client.expect("+OK\r\n+OK\r\n+QUEUED\r\n");
        client.send(&[encode(&["SET", "{t}k", ""]), encode(&["EXEC"])].concat());
        client.send(&encode(&["GET", "{t}k"]));
        client.expect(format!("+QUEUED\r\n*2\r\n:{}\r\n+OK\r\n$0\r\n\r\n", large.len()));
    }
}
