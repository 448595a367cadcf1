//! INFO: every field of a Redis, and numbers that are the shards' together.

use std::collections::BTreeMap;

use super::over;
use crate::harness::{Client, Proxy, Reply, Shard, eventually};
use crate::one_redis::{Pair, words};

fn text(client: &mut Client, line: &str) -> String {
    String::from_utf8(client.command(&words(line)).bytes().to_vec()).expect("INFO is text")
}

/// Titles and fields, in their order.
fn outline(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(field, value)| (field.to_owned(), value.to_owned())).collect()
}

/// The sum of a field over the shards themselves.
fn sum(shards: &[Shard], section: &str, field: &str) -> i64 {
    let value = |shard: &Shard| {
        let fields = fields(&text(&mut shard.client(), &format!("INFO {section}")));
        fields[field].parse::<i64>().expect("a number")
    };
    shards.iter().map(value).sum()
}

#[test]
fn every_section_and_field_of_a_redis_is_there() {
    let mut pair = Pair::start();
    for client in [&mut pair.through, &mut pair.direct] {
        client.command(&words("SET k v EX 1000"));
        client.command(&words("INCR k"));
    }
    for sections in
        ["", "everything", "all", "default", "server", "MEMORY", "cpu keyspace", "commandstats"]
    {
        let line = format!("INFO {sections}");
        let ours = outline(&text(&mut pair.through, &line));
        let theirs = outline(&text(&mut pair.direct, &line));
        for field in &theirs {
            // The handshakes and heartbeats of one are not the other's.
            let is_same = ours.contains(field) || field.starts_with("cmdstat_");
            assert!(is_same, "INFO {sections} lacks {field}: {ours:#?}");
        }
        let is_own = |line: &&String| !theirs.contains(line) && line.starts_with("# ");
        let own: Vec<&String> = ours.iter().filter(is_own).collect();
        let expected: &[&str] = match sections {
            "" | "default" => &["# circlet"],
            "everything" | "all" => &["# circlet", "# proxy"],
            _ => &[],
        };
        assert_eq!(own, expected, "INFO {sections}");
    }
    pair.all_same(&["INFO nosuch", "INFO nosuch other"]);
    pair.speak_resp3();
    pair.all_same(&["INFO nosuch", "INFO cluster"]);
}

#[test]
fn numbers_are_the_shards_together() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    for number in 0..300 {
        client.command(&["SET".to_owned(), format!("k{number}"), "v".into()]);
        client.command(&["GET".to_owned(), format!("k{number}")]);
        client.command(&["GET".to_owned(), format!("nosuch{number}")]);
    }
    client.command(&words("SET k0 v EX 500"));
    client.command(&words("SELECT 7"));
    client.command(&words("SET k v"));
    let merged = fields(&text(&mut client, "INFO everything"));
    let number = |field: &str| merged[field].parse::<i64>().expect("a number");
    for (section, field) in [
        ("stats", "keyspace_hits"),
        ("stats", "keyspace_misses"),
        ("persistence", "rdb_changes_since_last_save"),
        ("memory", "used_memory_startup"),
    ] {
        assert_eq!(number(field), sum(&shards, section, field), "{field}");
    }
    assert_eq!((number("keyspace_hits"), number("keyspace_misses")), (300, 300));
    assert!(merged["db0"].starts_with("keys=300,expires=1,avg_ttl="), "{}", merged["db0"]);
    assert_eq!(merged["db7"], "keys=1,expires=0,avg_ttl=0");
    assert!(merged["cmdstat_get"].starts_with("calls=600,usec="), "{}", merged["cmdstat_get"]);
    let used = number("used_memory");
    let shown = merged["used_memory_human"].strip_suffix('M').map(|shown| shown.parse::<f64>());
    let shown = shown.expect("megabytes").expect("a number") * 1048576.0;
    assert!((shown - used as f64).abs() < 20_000.0, "{shown} of {used}");
    assert!(used > 2 * sum(&shards[..1], "memory", "used_memory"));
}

#[test]
fn circlet_speaks_of_itself_where_a_server_would() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "client_connections: 50");
    let mut clients: Vec<Client> = (0..5).map(|_| proxy.client()).collect();
    clients.iter_mut().for_each(|client| {
        client.command(&["PING"]);
    });
    let told = fields(&text(&mut clients[0], "INFO"));
    for (field, value) in [
        ("process_id", proxy.pid().to_string().as_str()),
        ("redis_mode", "standalone"),
        ("role", "master"),
        ("connected_slaves", "0"),
        ("cluster_enabled", "0"),
        ("loading", "0"),
        ("connected_clients", "5"),
        ("maxclients", "50"),
        ("pool", "pool"),
        ("shards", "3"),
        ("live", "3"),
        ("answered", "3"),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    assert_eq!(format!("127.0.0.1:{}", told["tcp_port"]), proxy.address().to_string());
    assert!(told["total_connections_received"].parse::<u32>().expect("a number") >= 5);
    assert!(told["shard1"].starts_with("name=b,address=127.0.0.1:"), "{}", told["shard1"]);
    assert_eq!(told["run_id"].len(), 40);
    clients.truncate(1);
    let mut left = Vec::new();
    eventually("those who left are not counted", || {
        let told = fields(&text(&mut clients[0], "INFO clients"));
        left.push(told["connected_clients"].clone());
        left.last().is_some_and(|count| count == "1")
    });
    let own = text(&mut clients[0], "INFO CIRCLET");
    assert!(own.starts_with("# circlet\r\n") && own.matches('#').count() == 1, "{own}");
}

#[test]
fn one_shards_own_info_can_be_had() {
    let shards = Shard::several(3);
    let proxy = over(&shards, "");
    let mut client = proxy.client();
    for (shard, name) in shards.iter().zip(["a", "b", "c"]) {
        let told = fields(&text(&mut client, &format!("INFO shard:{name}")));
        assert_eq!(told["process_id"], shard.pid().to_string());
        let line = format!("INFO Shard:{name} persistence");
        assert_eq!(
            outline(&text(&mut client, &line)),
            outline(&text(&mut shard.client(), "INFO persistence"))
        );
    }
    for name in ["nosuch", "", "A"] {
        let reply = client.command(&["INFO".to_owned(), format!("shard:{name}")]);
        let text = reply.error().unwrap_or_else(|| panic!("{reply}"));
        assert_eq!(text, format!("ERR pool 'pool' has no shard '{name}'; its shards are a, b, c"));
    }
}

/// INFO is what clients ask to know whether the server is ready: it must be quick and pipelined.
#[test]
fn replies_keep_their_order_around_info() {
    let shards = Shard::several(3);
    let proxy: Proxy = over(&shards, "");
    let mut client = proxy.client();
    let commands: Vec<Vec<&str>> = (0..30)
        .flat_map(|_| {
            [vec!["ECHO", "before"], vec!["INFO"], vec!["SCAN", "0"], vec!["ECHO", "after"]]
        })
        .collect();
    for replies in client.pipeline(&commands).chunks(4) {
        assert_eq!(replies[0], Reply::bulk("before"));
        assert!(replies[1].bytes().starts_with(b"# Server"));
        assert_eq!(replies[2].elements().len(), 2);
        assert_eq!(replies[3], Reply::bulk("after"));
    }
}
