//! CLUSTER of a pool with `cluster_emulation`, beside a real node that owns all slots.

use crate::harness::{Address, Circlet, Client, Proxy, Reply, Shard, eventually, pool_yaml};

struct Beside {
    _shard: Shard,
    _real: Shard,
    proxy: Proxy,
    through: Client,
    direct: Client,
}

impl Beside {
    fn start() -> Beside {
        let (shard, real) = (Shard::start(), Shard::with(&["--cluster-enabled", "yes"]));
        let proxy = emulating(&shard);
        let (through, mut direct) = (proxy.client(), real.client());
        assert_eq!(direct.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), Reply::ok());
        eventually("the real cluster is up", || {
            let info = direct.command(&["CLUSTER", "INFO"]);
            String::from_utf8_lossy(info.bytes()).contains("cluster_state:ok")
        });
        Beside { _shard: shard, _real: real, proxy, through, direct }
    }

    /// Both give the same, but for ids and addresses.
    #[track_caller]
    fn same_shape(&mut self, line: &str) {
        let shapes = [&mut self.through, &mut self.direct].map(|client| {
            let words: Vec<&str> = line.split(' ').collect();
            client.send(&crate::harness::encode(&words));
            shape(&client.read_reply_bytes())
        });
        assert_eq!(shapes[0], shapes[1], "{line}");
    }
}

fn emulating(shard: &Shard) -> Proxy {
    let settings = "cluster_emulation: true";
    Circlet::with_config(&pool_yaml("pool", &[shard.server(1, None)], settings))
}

/// The reply with ids, addresses and ports made the same; the length of what holds one is left out.
fn shape(reply: &[u8]) -> Vec<String> {
    let text = String::from_utf8(reply.to_vec()).expect("text");
    let word = |word: &str| match word {
        "" => "ADDRESS".to_owned(),
        _ if word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) => "ID".into(),
        _ if word.contains('@') => "ADDRESS:PORT".into(),
        _ if word.starts_with(':') && word.len() >= 5 && word != ":16383" => ":PORT".into(),
        "127.0.0.1" => "ADDRESS".into(),
        _ if word.starts_with(['$', '=']) => word[..1].to_owned(),
        _ => word.to_owned(),
    };
    let text = text.replace("txt:", "txt ");
    text.split(['\n', ' ']).map(|part| word(part.trim_end_matches('\r'))).collect()
}

#[test]
fn replies_have_the_shape_of_a_real_nodes() {
    let mut beside = Beside::start();
    for protocol in ["2", "3"] {
        for client in [&mut beside.through, &mut beside.direct] {
            client.command(&["HELLO", protocol]);
        }
        for line in [
            "CLUSTER SLOTS",
            "CLUSTER SHARDS",
            "CLUSTER NODES",
            "CLUSTER INFO",
            "CLUSTER MYID",
            "CLUSTER LINKS",
            "CLUSTER REPLICAS 0123",
            "CLUSTER SLAVES 0123",
            "CLUSTER COUNT-FAILURE-REPORTS 0123",
            "CLUSTER FAILOVER",
            "CLUSTER COUNTKEYSINSLOT 16384",
            "CLUSTER GETKEYSINSLOT -1 1",
            "CLUSTER GETKEYSINSLOT 1 -1",
            "CLUSTER GETKEYSINSLOT 1 many",
            "CLUSTER COUNTKEYSINSLOT x",
            "CLUSTER NOSUCH",
            "CLUSTER",
            "CLUSTER KEYSLOT",
            "READONLY",
            "READWRITE",
            "ASKING",
        ] {
            beside.same_shape(line);
        }
    }
}

#[test]
fn slots_of_keys_are_those_of_redis() {
    let mut beside = Beside::start();
    let mut key = Vec::new();
    for round in 0..3000_u32 {
        key.clear();
        // Short keys of few letters, so that braces meet in every order; then any bytes.
        let letters: &[u8] = if round % 2 == 0 { b"{}ab" } else { b"{}\x00\xff\x80\r\nk\xc3\xa9" };
        key.extend((0..fastrand::usize(0..12)).map(|_| letters[fastrand::usize(..letters.len())]));
        let ask: [&[u8]; 3] = [b"CLUSTER", b"KEYSLOT", &key];
        let ours = beside.through.command(&ask);
        assert_eq!(ours, beside.direct.command(&ask), "{}", key.escape_ascii());
    }
}

#[test]
fn the_node_is_the_address_that_the_client_connected_to() {
    let shard = Shard::start();
    let servers = [shard.server(1, None)];
    let everywhere = pool_yaml("pool", &servers, "cluster_emulation: true")
        .replace("127.0.0.1:{port:", "0.0.0.0:{port:");
    let proxy = Circlet::with_config(&everywhere);
    let Address::Tcp(port) = proxy.address() else { panic!("a port") };
    let mut ids = Vec::new();
    for host in ["127.0.0.1", "127.0.0.2"] {
        let mut client = redis::Client::open(format!("redis://{host}:{port}"))
            .and_then(|client| client.get_connection())
            .expect("connects");
        let [(first, last, (ip, shown, id))]: [(u16, u16, (String, u16, String)); 1] =
            first_three(&mut client);
        assert_eq!((first, last, &ip[..], shown), (0, 16383, host, port));
        ids.push(id);
    }
    assert_eq!(ids[0], ids[1]);
}

type Range = (u16, u16, (String, u16, String));

fn first_three(client: &mut redis::Connection) -> [Range; 1] {
    type Node = (String, u16, String, Vec<String>);
    let slots: Vec<(u16, u16, Node)> =
        redis::cmd("CLUSTER").arg("SLOTS").query(client).expect("CLUSTER SLOTS");
    let ranges =
        slots.into_iter().map(|(first, last, (ip, port, id, _))| (first, last, (ip, port, id)));
    ranges.collect::<Vec<_>>().try_into().expect("one range")
}

#[test]
fn the_id_is_the_same_on_every_connection() {
    let Beside { proxy, mut through, .. } = Beside::start();
    let id = |client: &mut Client| client.command(&["CLUSTER", "MYID"]).bytes().to_vec();
    let ours = id(&mut through);
    assert_eq!(ours, id(&mut proxy.client()));
    let nodes = through.command(&["CLUSTER", "NODES"]).bytes().to_vec();
    assert!(nodes.starts_with(&ours));
    let own = String::from_utf8(ours).expect("digits");
    assert_eq!(through.command(&["CLUSTER", "REPLICAS", &own]), Reply::Array(Vec::new()));
    assert_eq!(through.command(&["CLUSTER", "COUNT-FAILURE-REPORTS", &own]), Reply::Integer(0));
}

#[test]
fn hello_and_info_say_cluster() {
    let shard = Shard::start();
    let (with, without) = (emulating(&shard), Circlet::over(&[&shard]));
    for (proxy, mode, enabled) in [(&with, "cluster", "1"), (&without, "standalone", "0")] {
        let mut client = proxy.client();
        let hello = client.command(&["HELLO", "3"]);
        let Reply::Map(facts) = hello else { panic!("no map: {hello}") };
        assert!(facts.contains(&(Reply::bulk("mode"), Reply::bulk(mode))), "{facts:?}");
        let info = client.command(&["INFO"]);
        let info = String::from_utf8_lossy(info.bytes()).into_owned();
        assert!(info.contains(&format!("redis_mode:{mode}\r\n")), "{info}");
        assert!(info.contains(&format!("cluster_enabled:{enabled}\r\n")), "{info}");
    }
}

#[test]
fn what_would_change_the_cluster_is_refused() {
    let shard = Shard::start();
    let proxy = emulating(&shard);
    let mut client = proxy.client();
    for line in [
        "MEET 127.0.0.1 7000",
        "FORGET 0123",
        "RESET HARD",
        "ADDSLOTS 1",
        "DELSLOTS 1",
        "SETSLOT 1 STABLE",
        "REPLICATE 0123",
        "FLUSHSLOTS",
        "BUMPEPOCH",
    ] {
        let words: Vec<&str> = std::iter::once("CLUSTER").chain(line.split(' ')).collect();
        let reply = client.command(&words);
        let text = reply.error().unwrap_or_else(|| panic!("{line}: {reply}"));
        assert!(text.starts_with("ERR CLUSTER ") && text.contains("is not served"), "{text}");
    }
    let count = client.command(&["CLUSTER", "COUNTKEYSINSLOT", "7"]);
    assert!(count.error().is_some_and(|text| text.contains("keys are not listed by slot")));
}

#[test]
fn without_the_option_it_is_as_on_a_redis_without_a_cluster() {
    let shard = Shard::start();
    let proxy = Circlet::over(&[&shard]);
    let (mut through, mut direct) = (proxy.client(), shard.client());
    for line in [
        "CLUSTER SLOTS",
        "CLUSTER MEET 1.2.3.4 5",
        "CLUSTER INFO",
        "READONLY",
        "READWRITE",
        "ASKING",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(through.command(&words), direct.command(&words), "{line}");
    }
}
