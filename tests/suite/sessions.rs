//! What a session remembers: its name, protocol, database and password.

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

#[test]
fn hello_is_what_redis_says_but_for_the_clients_number() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let hello = |client: &mut Client, line: &str| {
        let id = client.command(&["CLIENT", "ID"]).integer().to_string();
        let version = raw(client, "INFO server");
        let version = version.lines().find_map(|line| line.strip_prefix("redis_version:"));
        let version = version.expect("INFO tells it").to_owned();
        let reply = raw(client, line).replace(&format!("id\r\n:{id}\r\n"), "ID");
        reply.replace(&format!("${}\r\n{version}\r\n", version.len()), "VERSION")
    };
    for line in [
        "HELLO",
        "HELLO 2",
        "HELLO 3",
        "HELLO 3 SETNAME me",
        "HELLO 2 AUTH default anything SETNAME you",
        "HELLO 3 setname me auth default x",
    ] {
        let (mut ours, mut theirs) = (proxy.client(), shards[0].client());
        assert_eq!(hello(&mut ours, line), hello(&mut theirs, line), "{line}");
        same(&mut ours, &mut theirs, &["CLIENT GETNAME", "GET nosuch", "HGETALL nosuch"]);
        assert_eq!(hello(&mut ours, "HELLO"), hello(&mut theirs, "HELLO"), "after {line}");
    }
}

#[test]
fn a_refused_hello_says_why_and_changes_nothing() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut ours, mut theirs) = (proxy.client(), shards[0].client());
    same(&mut ours, &mut theirs, &["CLIENT SETNAME before"]);
    for line in [
        "HELLO 1",
        "HELLO 4",
        "HELLO x",
        "HELLO 03",
        "HELLO 99999999999999999999",
        "HELLO 3 SETNAME",
        "HELLO 3 AUTH default",
        "HELLO 3 NOSUCH",
        "HELLO 3 SETNAME bad\nname",
        "HELLO 3 AUTH nobody x",
    ] {
        same(&mut ours, &mut theirs, &[line, "CLIENT GETNAME", "GET nosuch"]);
    }
}

#[test]
fn names_are_kept_under_redis_rules() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut ours, mut theirs) = (proxy.client(), shards[0].client());
    let lines = [
        "CLIENT GETNAME",
        "CLIENT SETNAME worker-7",
        "CLIENT GETNAME",
        "CLIENT SETNAME with\nline",
        "CLIENT SETNAME \u{fc}",
        "CLIENT GETNAME",
        "CLIENT SETNAME ",
        "CLIENT GETNAME",
        "CLIENT SETNAME",
        "CLIENT SETNAME a b",
        "CLIENT ID x",
    ];
    same(&mut ours, &mut theirs, &lines);
    assert_eq!(proxy.client().command(&["CLIENT", "GETNAME"]), Reply::Nil, "others have none");
}

#[test]
fn a_session_has_a_number_and_tells_about_itself() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut one, mut two) = (proxy.client(), proxy.client());
    let id = one.command(&["CLIENT", "ID"]).integer();
    assert_eq!(one.command(&["CLIENT", "ID"]).integer(), id);
    assert_ne!(two.command(&["CLIENT", "ID"]).integer(), id);
    one.command(&["CLIENT", "SETNAME", "me"]);
    one.command(&["SELECT", "3"]);
    assert_eq!(one.command(&["CLIENT", "SETINFO", "LIB-NAME", "lib"]), Reply::ok());
    assert_eq!(one.command(&["CLIENT", "SETINFO", "lib-ver", "1.2"]), Reply::ok());
    let odd = one.command(&["CLIENT", "SETINFO", "NOSUCH", "x"]);
    assert_eq!(odd.error(), Some("ERR Unrecognized option 'NOSUCH'"));
    let spaced = one.command(&["CLIENT", "SETINFO", "LIB-NAME", "my lib"]);
    let why = "ERR lib-name cannot contain spaces, newlines or special characters.";
    assert_eq!(spaced.error(), Some(why));
    let info = one.command(&["CLIENT", "INFO"]);
    let info = String::from_utf8_lossy(info.bytes()).into_owned();
    assert!(info.starts_with(&format!("id={id} addr=127.0.0.1:")), "{info}");
    for field in ["name=me", "db=3", "resp=2", "lib-name=lib", "lib-ver=1.2"] {
        assert!(info.split_whitespace().any(|known| known == field), "{field}: {info}");
    }
    two.command(&["HELLO", "3"]);
    let info = String::from_utf8_lossy(two.command(&["CLIENT", "INFO"]).bytes()).into_owned();
    assert!(info.contains(" name= ") && info.contains(" resp=3 "), "{info}");
}

#[test]
fn a_password_is_wanted_before_anything_else() {
    let password = ["--requirepass", "s3cret"];
    let shards: Vec<Shard> = (0..3).map(|_| Shard::with(&password)).collect();
    let proxy = over(&shards, "redis_auth: s3cret");
    let session = || (proxy.client(), shards[0].client());
    let (mut ours, mut theirs) = session();
    let before = [
        "GET k",
        "MGET a b",
        "PING",
        "DBSIZE",
        "SELECT 1",
        "CLIENT ID",
        "NOSUCH",
        "GET",
        "HELLO",
        "HELLO 3",
        "AUTH wrong",
        "AUTH default wrong",
        "AUTH nobody s3cret",
        "AUTH s3cret0",
        "AUTH ",
        "AUTH a b c",
        "AUTH",
        "HELLO 3 AUTH default wrong",
        "PING",
    ];
    same(&mut ours, &mut theirs, &before);
    let after =
        ["AUTH s3cret", "SET k v", "GET k", "AUTH wrong", "GET k", "RESET", "GET k", "QUIT"];
    same(&mut ours, &mut theirs, &after);
    let (mut ours, mut theirs) = session();
    same(&mut ours, &mut theirs, &["AUTH default s3cret", "PING", "RESET", "PING"]);
    let (mut ours, _) = session();
    let hello = ours.command(&split("HELLO 3 AUTH default s3cret SETNAME me"));
    assert!(matches!(hello, Reply::Map(_)), "{hello:?}");
    assert_eq!(ours.command(&["MGET", "a", "b", "k"]).elements().len(), 3);
    assert_eq!(ours.command(&["CLIENT", "GETNAME"]), Reply::bulk("me"));
    assert_eq!(proxy.client().command(&["QUIT"]), Reply::ok());
}

#[test]
fn a_password_that_nobody_wants_is_answered_as_redis_does() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut ours, mut theirs) = (proxy.client(), shards[0].client());
    let lines = ["AUTH x", "AUTH default x", "AUTH nobody x", "AUTH", "AUTH a b c", "PING"];
    same(&mut ours, &mut theirs, &lines);
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
fn select_leads_to_that_database_on_every_shard_for_that_session_alone() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let (mut one, mut two) = (proxy.client(), proxy.client());
    assert_eq!(one.command(&["SELECT", "5"]), Reply::ok());
    for number in 0..30 {
        one.command(&["SET", &format!("{number}key"), "five"]);
    }
    assert_eq!((keys_in(&shards, 5), keys_in(&shards, 0)), (30, 0));
    assert_eq!(two.command(&["GET", "1key"]), Reply::Nil);
    assert_eq!(one.command(&["DBSIZE"]), Reply::Integer(30));
    assert_eq!(one.command(&["SELECT", "0"]), Reply::ok());
    assert_eq!(one.command(&["DBSIZE"]), Reply::Integer(0));
    assert_eq!(two.command(&["SELECT", "5"]), Reply::ok());
    assert_eq!(two.command(&["GET", "29key"]), Reply::bulk("five"));
    assert_eq!(one.command(&["GET", "29key"]), Reply::Nil);
}

#[test]
fn a_refused_select_leaves_the_session_where_it_was() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "auto_eject_hosts: true\nserver_failure_limit: 1");
    let single = Shard::start();
    let (mut ours, mut theirs) = (proxy.client(), single.client());
    let lines = [
        "SELECT 4",
        "SET k four",
        "SELECT 16",
        "GET k",
        "SELECT 4000000000",
        "SELECT 2147483647",
        "SELECT -1",
        "SELECT x",
        "SELECT 01",
        "SELECT",
        "SELECT 99999999999999999999",
        "GET k",
        "SELECT 0",
        "SELECT 16",
        "GET k",
        "SET k zero",
        "SELECT 4",
        "GET k",
    ];
    same(&mut ours, &mut theirs, &lines);
    // In one write, too: what follows a SELECT waits for its outcome.
    let mut bytes = Vec::new();
    for _ in 0..20 {
        lines.iter().for_each(|line| bytes.extend(encode(&split(line))));
        for db in ["7", "8", "77", "9"] {
            bytes.extend(encode(&["SELECT", db]));
            bytes.extend(encode(&["APPEND", "k", db]));
            bytes.extend(encode(&["DBSIZE"]));
        }
    }
    ours.send(&bytes);
    theirs.send(&bytes);
    for number in 0..20 * (lines.len() + 12) {
        assert_eq!(ours.read_reply(), theirs.read_reply(), "reply {number}");
    }
    assert_eq!(keys_in(&shards, 8), 1);
    // No client can blame a shard for a database that is none.
    for db in 16..60 {
        let refused = ours.command(&["SELECT".to_owned(), db.to_string()]);
        assert_eq!(refused.error(), Some("ERR DB index is out of range"));
    }
    assert!(!proxy.log().contains("failed"), "{}", proxy.log());
    assert_eq!(ours.command(&["DBSIZE"]), theirs.command(&["DBSIZE"]));
}

#[test]
fn sessions_on_different_databases_pipeline_at_the_same_time() {
    const COMMANDS: usize = 3000;
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let work = &|db: usize| {
        let mut client = proxy.client();
        let select = encode(&["SELECT".to_owned(), db.to_string()]);
        let back_and_forth = [encode(&["SELECT", "9"]), select.clone()].concat();
        let mut bytes = select;
        for number in 0..COMMANDS {
            let (key, value) = (format!("{}key", number % 50), format!("{db}:{number}"));
            bytes.extend(encode(&["SET", &key, &value]));
            if number % 100 == 0 {
                bytes.extend(&back_and_forth);
            }
            bytes.extend(encode(&["GET", &key]));
        }
        std::thread::scope(|scope| {
            let mut writer = client.try_clone().expect("a second handle");
            scope.spawn(move || writer.send(&bytes));
            assert_eq!(client.read_reply(), Reply::ok());
            for number in 0..COMMANDS {
                assert_eq!(client.read_reply(), Reply::ok());
                if number % 100 == 0 {
                    assert_eq!(
                        [client.read_reply(), client.read_reply()],
                        [Reply::ok(), Reply::ok()]
                    );
                }
                assert_eq!(client.read_reply(), Reply::bulk(format!("{db}:{number}")));
            }
        });
    };
    std::thread::scope(|scope| {
        for db in 0..4 {
            scope.spawn(move || work(db));
        }
    });
    assert_eq!((0..5).map(|db| keys_in(&shards, db)).collect::<Vec<_>>(), [50, 50, 50, 50, 0]);
}

#[test]
fn sessions_start_in_the_pools_database() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "redis_db: 6");
    let mut client = proxy.client();
    for number in 0..10 {
        client.command(&["SET", &format!("{number}key"), "v"]);
    }
    assert_eq!((keys_in(&shards, 6), keys_in(&shards, 0)), (10, 0));
    assert_eq!(client.command(&["SELECT", "0"]), Reply::ok());
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(0));
    client.command(&["RESET"]);
    assert_eq!(client.command(&["DBSIZE"]), Reply::Integer(10));
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
