//! What a session remembers: its name, protocol, database and password.

mod database;
mod greeting;
mod password;

use std::time::Duration;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, encode, pool_yaml};

/// Circlet over three shards.
fn over(shards: &[Shard], settings: &str) -> Proxy {
    let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
    Circlet::with_config(&pool_yaml("pool", &servers, settings))
}

fn split(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// The bytes of the reply to `line`.
#[track_caller]
fn raw(client: &mut Client, line: &str) -> String {
    client.send(&encode(&split(line)));
    String::from_utf8_lossy(&client.read_reply_bytes()).into_owned()
}

/// Both give the same bytes to each line.
#[track_caller]
fn same(ours: &mut Client, theirs: &mut Client, lines: &[&str]) {
    for line in lines {
        assert_eq!(raw(ours, line), raw(theirs, line), "{line}");
    }
}

/// How many keys the shards hold in `db`.
fn keys_in(shards: &[Shard], db: u32) -> i64 {
    let count = |shard: &Shard| {
        let mut client = shard.client();
        client.command(&["SELECT".to_owned(), db.to_string()]);
        client.command(&["DBSIZE"]).integer()
    };
    shards.iter().map(count).sum()
}

#[test]
fn quit_answers_all_that_came_before_it_and_closes() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    client.send(b"SET k v\r\nGET k\r\nQUIT\r\nSET k after\r\n");
    client.expect("+OK\r\n$1\r\nv\r\n+OK\r\n");
    client.expect_closed();
    assert_eq!(proxy.client().command(&["GET", "k"]), Reply::bulk("v"));
}

#[test]
fn reset_forgets_name_protocol_and_database() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut ours, mut theirs) = (proxy.client(), shards[0].client());
    for client in [&mut ours, &mut theirs] {
        client.command(&split("HELLO 3 SETNAME me"));
        client.command(&["SELECT", "2"]);
    }
    same(&mut ours, &mut theirs, &["CLIENT GETNAME", "GET nosuch", "RESET x"]);
    same(&mut ours, &mut theirs, &["RESET", "CLIENT GETNAME", "GET nosuch"]);
    ours.command(&["SET", "k", "v"]);
    assert_eq!((keys_in(&shards, 0), keys_in(&shards, 2)), (1, 0));
}

#[test]
fn no_command_overtakes_what_was_sent_before_on_other_links() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let turns = [
        ("HELLO 3", "HELLO 2"),
        ("HELLO 3", "RESET"),
        ("SELECT 1", "SELECT 0"),
        ("SELECT 2", "HELLO 3"),
    ];
    for (turn, back) in turns {
        let mut client = proxy.client();
        // The links of this version and database are up, the others are not.
        client.command(&["SET", "k", "before"]);
        let mut bytes = encode(&split(turn));
        bytes.extend(encode(&["EVAL", FLUSH_ALL, "1", "k"]));
        bytes.extend(encode(&split(back)));
        bytes.extend(encode(&["GET", "k"]));
        client.send(&bytes);
        for _ in 0..3 {
            client.read_reply();
        }
        assert_eq!(client.read_reply(), Reply::Nil, "{turn}, {back}");
    }
}

/// A key is in no database any more.
const FLUSH_ALL: &str = "for db = 0, 15 do redis.call('SELECT', db) redis.call('DEL', KEYS[1]) end";

#[test]
fn sessions_of_both_protocols_live_side_by_side() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut two, mut three) = (proxy.client(), proxy.client());
    three.command(&["HELLO", "3"]);
    for round in 0..50 {
        let key = format!("{round}hash");
        two.send(&encode(&["HSET", &key, "f", "v"]));
        two.send(&encode(&["HGETALL", &key]));
        three.send(&encode(&["HGETALL", &format!("{}hash", round + 1000)]));
        three.send(&encode(&["GET", "nosuch"]));
        two.send(&encode(&["GET", "nosuch"]));
        two.expect(":1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n$-1\r\n");
        three.expect("%0\r\n_\r\n");
    }
    // The protocol changes between the commands of one pipeline.
    let mut client = proxy.client();
    client.send(b"HGETALL 1hash\r\nHELLO 3\r\nHGETALL 1hash\r\nHELLO 2\r\nHGETALL 1hash\r\n");
    let resp2 = Reply::Array(vec![Reply::bulk("f"), Reply::bulk("v")]);
    assert_eq!(client.read_reply(), resp2);
    assert!(matches!(client.read_reply(), Reply::Map(_)));
    let resp3 = Reply::Map(vec![(Reply::bulk("f"), Reply::bulk("v"))]);
    assert_eq!(client.read_reply(), resp3);
    client.read_reply();
    assert_eq!(client.read_reply(), resp2);
    client.expect_silence(Duration::from_millis(20));
}
