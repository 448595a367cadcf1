//! What clients ask about clients: CLIENT and MONITOR, over all workers.

mod kill;
mod list;
mod monitor;
mod pause;
mod replies;

use crate::harness::{Circlet, Client, Proxy, Reply, Shard, encode, pool_yaml};

/// Circlet with three workers over three shards, beside one Redis.
struct Scene {
    shards: Vec<Shard>,
    single: Shard,
    proxy: Proxy,
}

impl Scene {
    fn start() -> Scene {
        Scene::with("")
    }

    fn with(settings: &str) -> Scene {
        let mut shards = Shard::several(4);
        let single = shards.remove(3);
        let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
        let text = pool_yaml("pool", &servers, settings);
        let proxy = Circlet::with_arguments(&text, &["--threads", "3"]);
        Scene { shards, single, proxy }
    }

    /// A client of circlet and one of the one Redis, both speaking this RESP.
    fn pair(&self, protocol: u8) -> (Client, Client) {
        let (mut ours, mut theirs) = (self.proxy.client(), self.single.client());
        for client in [&mut ours, &mut theirs] {
            client.command(&["HELLO".to_owned(), protocol.to_string()]);
        }
        (ours, theirs)
    }

    /// Both give the same bytes to each line, in both versions of RESP.
    #[track_caller]
    fn same(&self, lines: &[&str]) {
        for protocol in [2, 3] {
            let (mut ours, mut theirs) = self.pair(protocol);
            for line in lines {
                assert_eq!(raw(&mut ours, line), raw(&mut theirs, line), "{line} RESP{protocol}");
            }
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn say(client: &mut Client, line: &str) -> Reply {
    client.command(&words(line))
}

/// The bytes of the reply to `line`.
#[track_caller]
fn raw(client: &mut Client, line: &str) -> String {
    client.send(&encode(&words(line)));
    String::from_utf8_lossy(&client.read_reply_bytes()).into_owned()
}

fn id_of(client: &mut Client) -> i64 {
    say(client, "CLIENT ID").integer()
}

/// The text of a reply, without RESP3's format.
fn text(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(reply.bytes()).into_owned();
    text.strip_prefix("txt:").map(str::to_owned).unwrap_or(text)
}

/// The value of a field of a line of CLIENT LIST.
#[track_caller]
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let found = line.split_whitespace().find_map(|pair| {
        pair.split_once('=').filter(|(known, _)| *known == name).map(|(_, value)| value)
    });
    found.unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn what_is_no_business_of_others_is_answered_as_redis_does() {
    Scene::start().same(&[
        "CLIENT HELP",
        "CLIENT NO-EVICT x",
        "CLIENT NO-EVICT ON",
        "CLIENT NO-EVICT OFF",
        "CLIENT NO-EVICT",
        "CLIENT TRACKING OFF",
        "CLIENT TRACKING x",
        "CLIENT TRACKING OFF x",
        "CLIENT TRACKINGINFO",
        "CLIENT GETREDIR",
        "CLIENT CACHING YES",
        "CLIENT CACHING x",
        "CLIENT NOSUCH",
        "CLIENT",
        "CLIENT REPLY x",
        "CLIENT REPLY ON",
        "CLIENT REPLY",
        "ACL WHOAMI",
        "ACL HELP",
        "ACL CAT",
        "ACL CAT nosuch",
        "ACL LIST",
        "ACL USERS",
        "ACL GETUSER default",
        "ACL GETUSER nosuch",
        "ACL DRYRUN default GET k",
        "ACL DRYRUN nosuch GET k",
        "ACL GENPASS x",
        "ACL LOG",
        "ACL LOG RESET",
        "ACL LOG x",
        "ACL NOSUCH",
    ]);
}

#[test]
fn client_side_caching_is_refused_with_the_remedy() {
    let scene = Scene::start();
    let refused = say(&mut scene.proxy.client(), "CLIENT TRACKING ON BCAST");
    assert!(refused.error().is_some_and(|text| text.contains("without client-side caching")));
}

#[test]
fn what_newer_clients_say_of_themselves_is_accepted() {
    let scene = Scene::start();
    let mut client = scene.proxy.client();
    for line in ["CLIENT NO-TOUCH ON", "CLIENT SETINFO LIB-NAME x", "CLIENT NO-EVICT ON"] {
        assert_eq!(say(&mut client, line), Reply::ok());
    }
    let line = text(&say(&mut client, "CLIENT INFO"));
    assert_eq!((field(&line, "flags"), field(&line, "lib-name")), ("eT", "x"));
}
