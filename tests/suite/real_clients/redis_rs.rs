//! The redis crate.

use redis::{Commands, Connection, ErrorKind, RedisResult, Value};

use super::Fleet;

fn connection(fleet: &Fleet, settings: &str) -> Connection {
    let client = redis::Client::open(fleet.url(settings));
    client.and_then(|client| client.get_connection()).expect("connects")
}

#[test]
fn many_keys_and_pipelines() {
    let fleet = Fleet::start();
    for settings in ["", "3", "?protocol=resp3"] {
        let mut client = connection(&fleet, settings);
        let binary: Vec<u8> = (0..=255).collect();
        let _: () = client.set("binary", &binary).expect("SET");
        assert_eq!(client.get::<_, Vec<u8>>("binary").expect("GET"), binary);
        let pairs: Vec<(String, usize)> = (0..1000).map(|n| (format!("{n}k"), n)).collect();
        let _: () = client.mset(&pairs).expect("MSET");
        let keys: Vec<&String> = pairs.iter().map(|(key, _)| key).collect();
        let values: Vec<usize> = client.mget(&keys).expect("MGET");
        assert_eq!(values, (0..1000).collect::<Vec<_>>());
        let missing: Vec<Option<String>> = client.mget(&["nosuch", "7k"]).expect("MGET");
        assert_eq!(missing, [None, Some("7".to_owned())]);
        let mut pipe = redis::pipe();
        for number in 0..500 {
            pipe.cmd("INCRBY").arg(format!("{number}k")).arg(1);
        }
        let sums: Vec<usize> = pipe.query(&mut client).expect("a pipeline");
        assert_eq!(sums, (1..=500).collect::<Vec<_>>());
        let refused: RedisResult<Value> = redis::cmd("INCR").arg("binary").query(&mut client);
        let refused = refused.expect_err("INCR of a binary string");
        assert!(refused.to_string().contains("not an integer"), "{refused}");
        assert_ne!(refused.kind(), ErrorKind::Io, "the connection lives on");
        assert_eq!(client.del::<_, usize>(&keys).expect("DEL"), 1000);
    }
}
