//! HELLO, and what a client tells of itself.

use super::{over, raw, same};
use crate::harness::{Client, Reply, Shard};

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
