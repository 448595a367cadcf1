//! A session's number stays taken for as long as a link carries it, and no longer.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::sleep;

use crate::admin::counters::WorkerCounters;
use crate::config::{Format, parse};
use crate::route::ring::Ring;
use crate::shard::doors::Doors;
use crate::shard::scripts::ScriptCache;
use crate::socket::Socket;
use crate::tls::keeper::Certificates;
use crate::worker::{PoolState, Shared, Worker, flush};

const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
const REPLY: &[u8] = b"$1\r\nv\r\n";
const COUNT: usize = 3000;

/// A worker over one shard at `port`, whose requests may wait for 50 ms.
pub(in crate::worker) fn worker(port: u16) -> Rc<RefCell<Worker>> {
    let text = format!(
        "pool:\n  listen: 127.0.0.1:1\n  redis: true\n  timeout: 50\n  servers:\n    - 127.0.0.1:{port}:1\n"
    );
    let mut config = parse(&text, Format::Yaml, "test").unwrap();
    let (doors, scripts) = (Arc::new(Doors::new(&config)), vec![ScriptCache::new(0)]);
    let certificates = Arc::new(Certificates::load(&config).unwrap());
    let shared = Shared::new(Vec::new(), scripts, doors, certificates);
    let pool = Arc::new(config.pools.remove(0));
    let ring = Arc::new(Ring::new(&pool));
    let (failures, _) = unbounded_channel();
    let counters = Arc::new(WorkerCounters::new(&[1]));
    Worker::new(vec![PoolState::new(pool, ring)], counters, failures, 0, Arc::new(shared))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("did not happen: {what}");
}

#[test]
fn late_replies_free_the_number_of_a_session_that_left() {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let worker = worker(listener.local_addr().unwrap().port());
        tokio::task::spawn_local(flush::run(Rc::clone(&worker)));
        let (mut client, socket) = UnixStream::pair().unwrap();
        worker.borrow_mut().add_session(Socket::Unix(socket), None, 0, 1);
        client.write_all(&GET.repeat(COUNT)).await.unwrap();
        let (mut shard, _) = listener.accept().await.unwrap();
        let mut requests = vec![0; GET.len() * COUNT];
        shard.read_exact(&mut requests).await.unwrap();
        sleep(Duration::from_millis(80)).await;
        worker.borrow_mut().sweep_timeouts();
        let mut errors = vec![0; b"-ERR Connection timed out".len()];
        client.read_exact(&mut errors).await.unwrap();
        assert_eq!(errors, b"-ERR Connection timed out");
        drop(client);
        until("the session ends", || worker.borrow().sessions[0].socket.is_none()).await;
        // The link's probe is the last in flight.
        assert_eq!(worker.borrow().sessions[0].outstanding as usize, COUNT + 1);

        // All but one have come: the number must not go to another client yet.
        shard.write_all(&REPLY.repeat(COUNT - 1)).await.unwrap();
        until("they are read", || worker.borrow().links[0].in_flight.len() == 2).await;
        assert_eq!(worker.borrow().sessions.len(), 1);
        shard.write_all(REPLY).await.unwrap();
        until("the probe is next", || worker.borrow().links[0].in_flight.len() == 1).await;
        assert_eq!(worker.borrow().sessions.len(), 1);
        let text = format!("circlet:probe:{}:0", std::process::id());
        shard.write_all(format!("${}\r\n{text}\r\n", text.len()).as_bytes()).await.unwrap();
        until("the number is free", || worker.borrow().sessions.is_empty()).await;
        assert!(worker.borrow().links[0].in_flight.is_empty());
        assert!(worker.borrow().links[0].socket.is_some(), "the link is as good as before");
    });
}
