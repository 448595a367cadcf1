//! `auth: shard`: a client is whom the shards let it be, and nobody else.

mod listening;
mod password_changes;
mod storms;
mod unaware;

use crate::harness::{Circlet, Proxy, Reply, Shard, encode, pool_yaml, raw, say};

/// Circlet over shards whose users are these lines of ACL SETUSER, beside one Redis with the same.
struct Scene {
    shards: Vec<Shard>,
    single: Shard,
    proxy: Proxy,
}

impl Scene {
    fn with(users: &[&str], settings: &str) -> Scene {
        Scene::over(users, &format!("auth: shard\n{settings}"))
    }

    /// Nobody told circlet of users.
    fn silent(users: &[&str]) -> Scene {
        Scene::over(users, "")
    }

    fn over(users: &[&str], settings: &str) -> Scene {
        let mut shards = Shard::several(4);
        for shard in &shards {
            let mut admin = shard.client();
            for user in users {
                assert_eq!(say(&mut admin, &format!("ACL SETUSER {user}")), Reply::ok());
            }
        }
        let single = shards.remove(3);
        let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
        let text = pool_yaml("pool", &servers, settings);
        let proxy = Circlet::with_arguments(&text, &["--threads", "2"]);
        Scene { shards, single, proxy }
    }

    /// The users ann, who may all, and bob, who may read what begins with `pub`; nobody else.
    fn of_ann_and_bob() -> Scene {
        Scene::with(&[ANN, BOB, "default resetpass -@all"], "redis_auth: x")
    }

    /// Both give the same bytes to each line, in both versions of RESP.
    #[track_caller]
    fn same(&self, lines: &[&str]) {
        for hello in ["", " 2", " 3"] {
            let (mut ours, mut theirs) = (self.proxy.client(), self.single.client());
            for line in lines {
                let line = line.replace("HELLO", &format!("HELLO{hello}"));
                let (one, other) = (raw(&mut ours, &line), raw(&mut theirs, &line));
                match line.starts_with("HELLO") && !other.starts_with('-') {
                    true => assert_eq!(one[..2], other[..2], "{line}"),
                    false => assert_eq!(one, other, "{line}"),
                }
            }
        }
    }
}

const ANN: &str = "ann on >secret ~* &* +@all";
const BOB: &str = "bob on >other ~pub* &* +@read +select +acl|whoami +client|id";

#[test]
fn who_says_no_password_or_a_wrong_one_reads_what_redis_says() {
    let scene = Scene::of_ann_and_bob();
    scene.same(&[
        "GET k",
        "PING",
        "CLIENT LIST",
        "MGET a b c",
        "AUTH wrong",
        "AUTH ann wrong",
        "AUTH nobody secret",
        "AUTH",
        "AUTH a b c",
        "GET k",
        "AUTH ann secret",
        "GET k",
        "ACL WHOAMI",
        "AUTH bob wrong",
        "ACL WHOAMI",
        "RESET",
        "GET k",
        "PING",
        "AUTH bob other",
        "ACL WHOAMI",
        "GET pub:1",
    ]);
    scene.same(&[
        "HELLO",
        "HELLO AUTH ann wrong",
        "GET k",
        "HELLO AUTH ann secret SETNAME me",
        "GET k",
        "ACL WHOAMI",
        "CLIENT GETNAME",
        "HELLO AUTH bob other",
        "ACL WHOAMI",
        "HELLO AUTH bob wrong",
        "GET pub:1",
    ]);
    assert!(!scene.proxy.log().contains("link to shard failed"), "{}", scene.proxy.log());
}

#[test]
fn a_default_user_without_a_password_is_let_in_and_is_default() {
    let scene = Scene::with(&[ANN], "");
    scene.same(&["GET k", "ACL WHOAMI", "HELLO", "GET k", "AUTH x", "AUTH default x", "GET k"]);
    scene.same(&["HELLO", "ACL WHOAMI", "AUTH ann secret", "ACL WHOAMI", "RESET", "ACL WHOAMI"]);
}

#[test]
fn each_command_travels_as_its_own_user() {
    let scene = Scene::of_ann_and_bob();
    let (mut ann, mut bob) = (scene.proxy.client(), scene.proxy.client());
    assert_eq!(say(&mut ann, "AUTH ann secret"), Reply::ok());
    assert_eq!(say(&mut bob, "AUTH bob other"), Reply::ok());
    for number in 0..200 {
        ann.send(&encode(&["SET", &format!("pub:{number}"), "v"]));
        ann.send(&encode(&["SET", &format!("own:{number}"), "v"]));
        bob.send(&encode(&["SET", &format!("pub:{number}"), "bob"]));
        bob.send(&encode(&["GET", &format!("own:{number}")]));
    }
    for _ in 0..200 {
        assert_eq!([ann.read_reply(), ann.read_reply()], [Reply::ok(), Reply::ok()]);
        for _ in 0..2 {
            let refused = bob.read_reply();
            assert!(refused.error().is_some_and(|text| text.starts_with("NOPERM")), "{refused:?}");
        }
    }
    for number in 0..200 {
        assert_eq!(say(&mut bob, &format!("GET pub:{number}")), Reply::bulk("v"));
    }
    // One connection, first the one and then the other, in one write.
    let mut both = scene.proxy.client();
    both.send(
        b"AUTH ann secret\r\nGET own:1\r\nAUTH bob other\r\nGET own:1\r\nSELECT 3\r\nGET own:1\r\n\
          AUTH ann secret\r\nSET own:1 three\r\nSELECT 0\r\nGET own:1\r\nACL WHOAMI\r\n",
    );
    let noperm =
        "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n";
    both.expect(format!(
        "+OK\r\n$1\r\nv\r\n+OK\r\n{noperm}+OK\r\n{noperm}+OK\r\n+OK\r\n+OK\r\n$1\r\nv\r\n$3\r\nann\r\n"
    ));
}

#[test]
fn what_circlet_does_itself_is_asked_of_the_shard_first() {
    let scene = Scene::of_ann_and_bob();
    let mut client = scene.proxy.client();
    assert_eq!(say(&mut client, "AUTH bob other"), Reply::ok());
    for line in [
        "CLIENT LIST",
        "CLIENT KILL TYPE normal",
        "CLIENT KILL USER ann",
        "CLIENT PAUSE 100000",
        "CLIENT UNPAUSE",
        "MONITOR",
        "ACL SETUSER bob +@all",
        "ACL LOG",
    ] {
        let refused = say(&mut client, line);
        assert!(refused.error().is_some_and(|text| text.starts_with("NOPERM")), "{line} {refused}");
    }
    assert_eq!(say(&mut client, "GET pub:1"), Reply::Nil);
    assert_eq!(say(&mut client, "AUTH ann secret"), Reply::ok());
    let mut bob = scene.proxy.client();
    assert_eq!(say(&mut bob, "AUTH bob other"), Reply::ok());
    let list = say(&mut client, "CLIENT LIST");
    let list = String::from_utf8_lossy(list.bytes()).into_owned();
    assert!(list.contains(" user=ann ") && list.contains(" user=bob "), "{list}");
    assert_eq!(say(&mut client, "CLIENT PAUSE 100000 WRITE"), Reply::ok());
    assert_eq!(say(&mut client, "CLIENT UNPAUSE"), Reply::ok());
    assert_eq!(say(&mut client, "CLIENT KILL USER bob"), Reply::Integer(1));
    bob.expect_closed();
    assert_eq!(say(&mut client, "MONITOR"), Reply::ok());
}

#[test]
fn users_are_changed_on_all_shards() {
    let scene = Scene::of_ann_and_bob();
    let mut ann = scene.proxy.client();
    assert_eq!(say(&mut ann, "AUTH ann secret"), Reply::ok());
    assert_eq!(say(&mut ann, "ACL SETUSER carl on >third ~c* +@all"), Reply::ok());
    for shard in &scene.shards {
        let mut direct = shard.client();
        assert_eq!(say(&mut direct, "AUTH carl third"), Reply::ok());
    }
    let mut carl = scene.proxy.client();
    assert_eq!(say(&mut carl, "AUTH carl third"), Reply::ok());
    for number in 0..20 {
        assert_eq!(say(&mut carl, &format!("SET c{number} v")), Reply::ok());
    }
    assert_eq!(say(&mut ann, "ACL DELUSER carl"), Reply::Integer(1));
    for shard in &scene.shards {
        let refused = say(&mut shard.client(), "AUTH carl third");
        assert!(refused.error().is_some_and(|text| text.starts_with("WRONGPASS")));
    }
    // What the shards' log says of refusals, from all of them.
    say(&mut ann, "ACL LOG RESET");
    for shard in &scene.shards {
        say(&mut shard.client(), "AUTH nobody x");
    }
    assert_eq!(say(&mut ann, "ACL LOG").elements().len(), 3);
    say(&mut ann, "ACL LOG RESET");
    assert_eq!(say(&mut ann, "ACL LOG").elements().len(), 0);
}

#[test]
fn without_it_the_shards_users_are_not_changed_through_circlet() {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], "redis_auth: any");
    let proxy = Circlet::with_arguments(&text, &["--threads", "1"]);
    let mut client = proxy.client();
    assert_eq!(say(&mut client, "AUTH any"), Reply::ok());
    for line in ["ACL SETUSER carl on", "ACL DELUSER carl", "ACL LOAD", "ACL SAVE"] {
        let refused = say(&mut client, line);
        assert!(refused.error().is_some_and(|text| text.contains("auth: shard")), "{refused}");
    }
    assert_eq!(say(&mut shard.client(), "ACL USERS").elements().len(), 1);
}

#[test]
fn a_client_whose_user_may_not_ask_its_number_is_not_let_go_and_nobody_waits_for_that() {
    let scene = Scene::with(&[ANN, "eve on >third ~* &* +blpop"], "");
    let (mut eve, mut ann) = (scene.proxy.client(), scene.proxy.client());
    assert_eq!(say(&mut ann, "AUTH ann secret"), Reply::ok());
    let id = say(&mut eve, "CLIENT ID").integer();
    assert_eq!(say(&mut eve, "AUTH eve third"), Reply::ok());
    eve.send(b"BLPOP l 0\r\n");
    let is_blocked = || {
        let waits = |shard: &Shard| {
            let info = shard.client().command(&["INFO", "clients"]);
            String::from_utf8_lossy(info.bytes()).contains("blocked_clients:1")
        };
        scene.shards.iter().any(waits)
    };
    crate::harness::eventually("eve waits", is_blocked);
    assert_eq!(say(&mut ann, &format!("CLIENT UNBLOCK {id}")).integer(), 0);
    say(&mut ann, "RPUSH l x");
    assert_eq!(eve.read_reply().elements()[1], Reply::bulk("x"));
}
