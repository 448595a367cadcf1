//! The plain connection, which waits for each reply.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{
    Client, Commands, Connection, Direction, ErrorKind, IntoConnectionInfo, PushKind, RedisResult,
    Script, Value,
};

use super::{connect, each_protocol};
use crate::real_clients::Fleet;

#[test]
fn many_keys_and_pipelines() {
    each_protocol(|client| {
        let mut client = connect(client);
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
        assert_eq!(client.del::<_, usize>(&keys).expect("DEL"), 1000);
    });
}

#[test]
fn big_values() {
    each_protocol(|client| {
        let mut client = connect(client);
        let big: Vec<u8> = (0..=255).cycle().take(16 << 20).collect();
        let _: () = client.set("big", &big).expect("SET");
        assert!(client.get::<_, Vec<u8>>("big").expect("GET") == big);
    });
}

#[test]
fn hashes_sets_and_sorted_sets() {
    each_protocol(|client| {
        let mut client = connect(client);
        let _: () = client.hset_multiple("hash", &[("a", 1), ("b", 2)]).expect("HSET");
        let hash: HashMap<String, i32> = client.hgetall("hash").expect("HGETALL");
        assert_eq!(hash, HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
        let _: () = client.zadd_multiple("z", &[(1.5, "x"), (2.0, "y")]).expect("ZADD");
        let scored: Vec<(String, f64)> = client.zrange_withscores("z", 0, -1).expect("ZRANGE");
        assert_eq!(scored, [("x".to_owned(), 1.5), ("y".to_owned(), 2.0)]);
        assert_eq!(client.sadd::<_, _, usize>("set", &["m", "n"]).expect("SADD"), 2);
        let members: HashSet<String> = client.smembers("set").expect("SMEMBERS");
        assert_eq!(members.len(), 2);
        assert!(client.sismember::<_, _, bool>("set", "m").expect("SISMEMBER"));
    });
}

#[test]
fn scans() {
    each_protocol(|client| {
        let mut client = connect(client);
        let pairs: Vec<(String, usize)> = (0..3000).map(|n| (format!("key:{n}"), n)).collect();
        let _: () = client.mset(&pairs).expect("MSET");
        let found: RedisResult<HashSet<String>> = client.scan().expect("SCAN").collect();
        assert_eq!(found.expect("whole pages").len(), 3000);
        let found: RedisResult<HashSet<String>> =
            client.scan_match("key:1*").expect("SCAN").collect();
        assert_eq!(found.expect("whole pages").len(), 1111);
        let _: () = client.sadd("set", (0..1000).collect::<Vec<_>>()).expect("SADD");
        let found: RedisResult<HashSet<u32>> = client.sscan("set").expect("SSCAN").collect();
        assert_eq!(found.expect("whole pages").len(), 1000);
    });
}

#[test]
fn transactions() {
    each_protocol(|client| {
        let mut client = connect(client);
        for number in 0..30 {
            let key = format!("{number}k");
            let mut pipe = redis::pipe();
            pipe.atomic().set(&key, number).ignore().incr(&key, 1).get(&key);
            let answers: (usize, usize) = pipe.query(&mut client).expect("MULTI … EXEC");
            assert_eq!(answers, (number + 1, number + 1));
        }
        let mut pipe = redis::pipe();
        pipe.atomic().set("{t}a", "x").cmd("SET").arg("{t}a").set("{t}b", "never");
        let refused = pipe.query::<Value>(&mut client).expect_err("SET lacks a value");
        assert!(refused.to_string().contains("wrong number of arguments"), "{refused}");
        assert!(!client.exists::<_, bool>("{t}b").expect("EXISTS"));
    });
}

#[test]
fn watch_conflict_and_retry() {
    each_protocol(|client| {
        let (mut client, mut rival) = (connect(client), connect(client));
        let _: () = client.set("n", 1).expect("SET");
        let mut tries = 0;
        let answer: (usize,) = redis::transaction(&mut client, &["n"], |client, pipe| {
            tries += 1;
            let current: usize = client.get("n")?;
            if tries == 1 {
                let _: () = rival.incr("n", 1)?;
            }
            pipe.set("n", current + 100).ignore().get("n").query(client)
        })
        .expect("a transaction");
        assert_eq!((answer, tries), ((102,), 2));
    });
}

#[test]
fn subscriptions() {
    each_protocol(|client| {
        let (mut client, mut listening) = (connect(client), connect(client));
        let mut listener = listening.as_pubsub();
        listener.subscribe(&["news", "sport"]).expect("SUBSCRIBE");
        listener.psubscribe("s*").expect("PSUBSCRIBE");
        assert_eq!(client.publish::<_, _, usize>("news", "hello").expect("PUBLISH"), 1);
        let message = listener.get_message().expect("a message");
        assert_eq!(message.get_channel_name(), "news");
        assert_eq!(message.get_payload::<String>().expect("text"), "hello");
        assert_eq!(client.publish::<_, _, usize>("sport", "goal").expect("PUBLISH"), 2);
        let messages = [listener.get_message(), listener.get_message()];
        let patterned = messages.map(|message| message.expect("a message").from_pattern());
        assert!(patterned.contains(&true) && patterned.contains(&false), "{patterned:?}");
        listener.unsubscribe("news").expect("UNSUBSCRIBE");
        listener.punsubscribe("s*").expect("PUNSUBSCRIBE");
        assert_eq!(client.publish::<_, _, usize>("news", "x").expect("PUBLISH"), 0);
        drop(listener);
        let _: () = listening.set("again", "a client").expect("SET after the subscriptions");
    });
}

#[test]
fn pushes_of_resp3() {
    let fleet = Fleet::start();
    let client = Client::open(fleet.url("?protocol=resp3")).expect("the address is sound");
    let (mut connection, mut rival) = (connect(&client), connect(&client));
    let (sender, pushes) = channel();
    connection.set_push_sender(sender);
    connection.subscribe_resp3("news").expect("SUBSCRIBE");
    let _: () = connection.set("same", "connection").expect("SET beside the subscription");
    assert_eq!(rival.publish::<_, _, usize>("news", "hello").expect("PUBLISH"), 1);
    let kinds = || pushes.try_iter().map(|push| push.kind).collect::<Vec<_>>();
    let mut seen = kinds();
    while !seen.contains(&PushKind::Message) {
        let _: String = connection.get("same").expect("GET beside the subscription");
        seen.extend(kinds());
    }
    assert_eq!(seen, [PushKind::Subscribe, PushKind::Message]);
}

#[test]
#[ignore = "pending: blocking"]
fn blocking_pops() {
    each_protocol(|client| {
        let (mut client, mut other) = (connect(client), connect(client));
        let begun = Instant::now();
        let nothing: Option<(String, String)> = client.blpop("empty", 0.2).expect("BLPOP");
        assert_eq!(nothing, None);
        assert!(begun.elapsed() >= Duration::from_millis(150));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                other.rpush::<_, _, ()>("list", "late").expect("RPUSH");
                thread::sleep(Duration::from_millis(50));
                other.rpush::<_, _, ()>("{q}from", "moved").expect("RPUSH");
            });
            let popped: (String, String) = client.blpop("list", 5.0).expect("BLPOP");
            assert_eq!(popped, ("list".to_owned(), "late".to_owned()));
            let moved: String = client
                .blmove("{q}from", "{q}to", Direction::Left, Direction::Right, 5.0)
                .expect("BLMOVE");
            assert_eq!(moved, "moved");
        });
    });
}

#[test]
#[ignore = "pending: blocking"]
fn streams() {
    each_protocol(|client| {
        let (mut client, mut other) = (connect(client), connect(client));
        let _: () = client.xadd("s", "1-1", &[("field", "value")]).expect("XADD");
        let _: () = client.xgroup_create("s", "g", "0").expect("XGROUP CREATE");
        let options = StreamReadOptions::default().group("g", "alice").count(10);
        let taken: StreamReadReply = client.xread_options(&["s"], &[">"], &options).expect("XREAD");
        assert_eq!(taken.keys[0].ids[0].id, "1-1");
        assert_eq!(client.xack::<_, _, _, usize>("s", "g", &["1-1"]).expect("XACK"), 1);
        let options = StreamReadOptions::default().block(200);
        let nothing: Option<StreamReadReply> =
            client.xread_options(&["s"], &["$"], &options).expect("XREAD");
        assert!(nothing.is_none_or(|reply| reply.keys.is_empty()));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                other.xadd::<_, _, _, _, ()>("s", "2-1", &[("n", "late")]).expect("XADD");
            });
            let options = StreamReadOptions::default().block(5000);
            let late: StreamReadReply =
                client.xread_options(&["s"], &["$"], &options).expect("XREAD");
            assert_eq!(late.keys[0].ids[0].get::<String>("n").as_deref(), Some("late"));
        });
    });
}

#[test]
fn scripts() {
    each_protocol(|client| {
        let mut client = connect(client);
        let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
        let sum = |client: &mut Connection, number: usize| {
            let answer: RedisResult<usize> = add.key(format!("{number}n")).arg(2).invoke(client);
            answer.expect("EVALSHA or EVAL")
        };
        assert!((0..20).all(|number| sum(&mut client, number) == 2));
        let _: () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut client).expect("SCRIPT FLUSH");
        assert!((0..20).all(|number| sum(&mut client, number) == 4));
        let sha = add.prepare_invoke().load(&mut client).expect("SCRIPT LOAD");
        assert_eq!(sha, add.get_hash());
        let mut pipe = redis::pipe();
        for number in 0..20 {
            pipe.invoke_script(add.key(format!("{number}n")).arg(1));
        }
        assert_eq!(pipe.query::<Vec<usize>>(&mut client).expect("a pipeline"), vec![5; 20]);
    });
}

#[test]
fn errors_and_settings() {
    let fleet = Fleet::start();
    for protocol in ["3", "3?protocol=resp3"] {
        let info = fleet.url(protocol).into_connection_info().expect("the address is sound");
        let mut client = connect(&Client::open(info).expect("the address is sound"));
        let _: () = client.hset("hash", "field", 1).expect("HSET");
        let refused = client.incr::<_, _, usize>("hash", 1).expect_err("a hash is no number");
        assert_eq!(refused.code(), Some("WRONGTYPE"));
        assert_ne!(refused.kind(), ErrorKind::Io, "the connection lives on");
        let database: String =
            redis::cmd("CLIENT").arg("INFO").query(&mut client).expect("CLIENT INFO");
        assert!(
            database.contains(" db=3 ") && database.contains(" lib-name=redis-rs")
                || !database.contains("lib-name="),
            "{database}"
        );
    }
    let wrong = fleet.url("").replace("redis://", "redis://nobody:wrong@");
    let refused = Client::open(wrong).expect("the address is sound").get_connection();
    let refused = refused.err().expect("nobody has no account");
    assert_eq!(refused.kind(), ErrorKind::AuthenticationFailed, "{refused}");
}
