//! circlet ends: clients that speak TLS leave between two commands too.

use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::Scene;
use crate::harness::{Reply, within};

#[test]
fn each_hears_a_goodbye_after_its_last_reply() {
    let mut scene = Scene::start("");
    let (mut idle, mut busy) = (scene.client(), scene.client());
    assert_eq!(idle.command(&["PING"]), Reply::Simple("PONG".into()));
    let work = thread::spawn(move || {
        let mut counted = 0;
        // rustls looks for the goodbye only when it reads: it stands behind the last reply.
        let ended = loop {
            match busy.try_command(&["INCR", "a"]) {
                Ok(reply) => counted = reply.integer(),
                Err(error) => break error.kind(),
            }
        };
        (counted, ended)
    });
    thread::sleep(Duration::from_millis(100));
    scene.proxy.signal(Signal::TERM);
    idle.expect_goodbye();
    let (counted, ended) = work.join().expect("it does not panic");
    assert!(matches!(
        ended,
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    ));
    assert!(within(Duration::from_secs(5), || !scene.proxy.is_alive()));
    let values = scene.shards.iter().map(|shard| shard.client().command(&["GET", "a"]));
    assert!(values.into_iter().any(|value| value == Reply::bulk(counted.to_string())));
}
