//! The multiplexed connection: many tasks pipeline on one.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, PushKind, Script};
use tokio::sync::mpsc::unbounded_channel;

use super::PROTOCOLS;
use crate::real_clients::Fleet;

#[tokio::test]
async fn a_thousand_tasks_share_a_connection() {
    let fleet = Fleet::start();
    for protocol in PROTOCOLS {
        let connection = connect(&client(&fleet, protocol)).await;
        let tasks = (0..1000).map(|number| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                let key = format!("{number}k");
                let _: () = connection.set(&key, number).await.expect("SET");
                connection.get::<_, usize>(&key).await.expect("GET")
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.expect("no panic"), number);
        }
        let mut connection = connection.clone();
        let keys: Vec<String> = (0..1000).map(|number| format!("{number}k")).collect();
        let values: Vec<usize> = connection.mget(&keys).await.expect("MGET");
        assert_eq!(values, (0..1000).collect::<Vec<_>>());
        let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
        for key in &keys[..20] {
            let _: usize =
                add.key(key).arg(1).invoke_async(&mut connection).await.expect("EVALSHA");
        }
        let _: () = connection.flushall().await.expect("FLUSHALL");
    }
}

#[tokio::test]
async fn transactions_of_many_tasks_keep_apart() {
    let fleet = Fleet::start();
    for protocol in PROTOCOLS {
        let connection = connect(&client(&fleet, protocol)).await;
        let tasks = (0..200).map(|number| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                let (count, list) =
                    (format!("{{{}}}count", number % 10), format!("{{{}}}list", number % 10));
                let mut pipe = redis::pipe();
                pipe.atomic().incr(count, 1).rpush(list, number);
                let (count, length): (usize, usize) =
                    pipe.query_async(&mut connection).await.expect("MULTI … EXEC");
                assert_eq!(count, length);
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        let _: () = connection.clone().flushall().await.expect("FLUSHALL");
    }
}

#[tokio::test]
async fn subscriptions_are_streams() {
    let fleet = Fleet::start();
    for protocol in PROTOCOLS {
        let client = client(&fleet, protocol);
        let mut connection = connect(&client).await;
        let mut listener = client.get_async_pubsub().await.expect("connects");
        listener.subscribe(&["one", "two"]).await.expect("SUBSCRIBE");
        listener.psubscribe("t*").await.expect("PSUBSCRIBE");
        for number in 0..100 {
            let heard: usize = connection.publish("one", number).await.expect("PUBLISH");
            assert_eq!(heard, 1);
        }
        let messages: Vec<usize> = listener
            .on_message()
            .take(100)
            .map(|message| message.get_payload::<usize>().expect("a number"))
            .collect()
            .await;
        assert_eq!(messages, (0..100).collect::<Vec<_>>());
        assert_eq!(connection.publish::<_, _, usize>("two", "x").await.expect("PUBLISH"), 2);
        listener.unsubscribe(&["one", "two"]).await.expect("UNSUBSCRIBE");
        listener.punsubscribe("t*").await.expect("PUNSUBSCRIBE");
    }
}

#[tokio::test]
async fn pushes_arrive_beside_replies() {
    let fleet = Fleet::start();
    let client = client(&fleet, "?protocol=resp3");
    let (sender, mut pushes) = unbounded_channel();
    let config = config().set_push_sender(sender);
    let mut listening =
        client.get_multiplexed_async_connection_with_config(&config).await.expect("connects");
    let mut connection = connect(&client).await;
    listening.subscribe("news").await.expect("SUBSCRIBE");
    listening.psubscribe("n*").await.expect("PSUBSCRIBE");
    let _: () = listening.set("same", "connection").await.expect("SET");
    assert_eq!(connection.publish::<_, _, usize>("news", "hello").await.expect("PUBLISH"), 2);
    let mut kinds = Vec::new();
    while kinds.len() < 4 {
        kinds.push(pushes.recv().await.expect("a push").kind);
    }
    assert_eq!(kinds[..2], [PushKind::Subscribe, PushKind::PSubscribe]);
    assert!(kinds.contains(&PushKind::Message) && kinds.contains(&PushKind::PMessage), "{kinds:?}");
    listening.unsubscribe("news").await.expect("UNSUBSCRIBE");
    assert_eq!(connection.publish::<_, _, usize>("news", "x").await.expect("PUBLISH"), 1);
}

#[tokio::test]
#[ignore = "pending: blocking"]
async fn blocking_pops() {
    let fleet = Fleet::start();
    for protocol in PROTOCOLS {
        let client = client(&fleet, protocol);
        let (mut waiting, mut other) = (connect(&client).await, connect(&client).await);
        let popped = tokio::spawn(async move {
            waiting.blpop::<_, (String, String)>("list", 5.0).await.expect("BLPOP")
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _: () = other.rpush("list", "late").await.expect("RPUSH");
        assert_eq!(popped.await.expect("no panic"), ("list".to_owned(), "late".to_owned()));
    }
}

#[tokio::test]
async fn scans() {
    let fleet = Fleet::start();
    for protocol in PROTOCOLS {
        let mut connection = connect(&client(&fleet, protocol)).await;
        let pairs: Vec<(String, usize)> = (0..2000).map(|n| (format!("key:{n}"), n)).collect();
        let _: () = connection.mset(&pairs).await.expect("MSET");
        let keys = connection.scan::<String>().await.expect("SCAN");
        let mut keys: Vec<String> = keys.map(|key| key.expect("a whole page")).collect().await;
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 2000);
    }
}

fn client(fleet: &Fleet, protocol: &str) -> Client {
    Client::open(fleet.url(protocol)).expect("the address is sound")
}

async fn connect(client: &Client) -> MultiplexedConnection {
    let connection = client.get_multiplexed_async_connection_with_config(&config()).await;
    connection.expect("connects")
}

/// The crate gives up after half a second, which a busy machine may take.
fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None)
}
