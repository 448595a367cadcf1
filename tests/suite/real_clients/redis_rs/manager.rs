//! The connection manager: a connection that is made again when it is lost.

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, PushKind};
use tokio::sync::mpsc::unbounded_channel;

use super::PROTOCOLS;
use crate::real_clients::Fleet;

#[tokio::test]
async fn strings_and_pipelines() {
    let fleet = Fleet::start();
    for protocol in PROTOCOLS {
        let client = Client::open(fleet.url(protocol)).expect("the address is sound");
        let mut manager =
            ConnectionManager::new_with_config(client, config()).await.expect("connects");
        let mut pipe = redis::pipe();
        for number in 0..100 {
            pipe.set(format!("{number}k"), number).ignore().get(format!("{number}k"));
        }
        let values: Vec<usize> = pipe.query_async(&mut manager).await.expect("a pipeline");
        assert_eq!(values, (0..100).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_killed_connection_is_made_again() {
    let fleet = Fleet::start();
    for protocol in PROTOCOLS {
        let client = Client::open(fleet.url(protocol)).expect("the address is sound");
        let mut manager =
            ConnectionManager::new_with_config(client.clone(), config()).await.expect("connects");
        let mut killer =
            ConnectionManager::new_with_config(client, config()).await.expect("connects");
        let id: usize =
            redis::cmd("CLIENT").arg("ID").query_async(&mut manager).await.expect("CLIENT ID");
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(id);
        assert_eq!(kill.query_async::<usize>(&mut killer).await.expect("CLIENT KILL"), 1);
        // The first command after the loss may fail: that is how the manager learns of it.
        let mut answer = manager.set::<_, _, ()>("after", "all").await;
        for _ in 0..20 {
            if answer.is_ok() {
                break;
            }
            answer = manager.set("after", "all").await;
        }
        answer.expect("a new connection");
        let now: usize =
            redis::cmd("CLIENT").arg("ID").query_async(&mut manager).await.expect("CLIENT ID");
        assert_ne!(id, now);
    }
}

#[tokio::test]
async fn it_subscribes_again() {
    let fleet = Fleet::start();
    let client = Client::open(fleet.url("?protocol=resp3")).expect("the address is sound");
    let (sender, mut pushes) = unbounded_channel();
    let listening = config().set_push_sender(sender).set_automatic_resubscription();
    let mut manager =
        ConnectionManager::new_with_config(client.clone(), listening).await.expect("connects");
    let mut other = ConnectionManager::new_with_config(client, config()).await.expect("connects");
    manager.subscribe("news").await.expect("SUBSCRIBE");
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("pubsub");
    assert_eq!(kill.query_async::<usize>(&mut other).await.expect("CLIENT KILL"), 1);
    // A connection that the manager gives up for another one takes a message along.
    let soon = std::time::Duration::from_millis(100);
    loop {
        let _ = manager.get::<_, Option<String>>("any").await;
        other.publish::<_, _, usize>("news", "again").await.expect("PUBLISH");
        while let Ok(push) = tokio::time::timeout(soon, pushes.recv()).await {
            if push.expect("a push").kind == PushKind::Message {
                return;
            }
        }
    }
}

/// The crate gives up after half a second, which a busy machine may take.
fn config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new().set_response_timeout(None).set_connection_timeout(None)
}
