//! Nothing comes between the commands of a transaction, though all sessions share one link.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{over, words};
use crate::harness::{Client, Reply, Shard, encode};

const TRANSFER: [&str; 4] = ["MULTI", "INCR {t}a", "INCR {t}b", "EXEC"];
const LOOK: [&str; 4] = ["MULTI", "GET {t}a", "GET {t}b", "EXEC"];

fn at_once(client: &mut Client, lines: &[&str]) -> Reply {
    let commands: Vec<Vec<String>> = lines.iter().map(|line| words(line)).collect();
    client.pipeline(&commands).pop().expect("a reply each")
}

fn one_by_one(client: &mut Client, lines: &[&str]) -> Reply {
    lines.iter().map(|line| client.command(&words(line))).last().expect("some lines")
}

#[test]
fn two_counters_are_never_seen_apart() {
    let shards = [Shard::start()];
    let proxy = over(&shards, "");
    let over_now = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..6)
            .map(|number| {
                let run = if number % 2 == 0 { at_once } else { one_by_one };
                let mut client = proxy.client();
                scope.spawn(move || {
                    for _ in 0..150 {
                        let reply = run(&mut client, &TRANSFER);
                        assert_eq!(reply.elements().len(), 2);
                    }
                })
            })
            .collect();
        for number in 0..4 {
            let run = if number % 2 == 0 { at_once } else { one_by_one };
            let (mut client, over_now) = (proxy.client(), &over_now);
            scope.spawn(move || {
                while !over_now.load(Ordering::Relaxed) {
                    let reply = run(&mut client, &LOOK);
                    let [a, b] = reply.elements() else { panic!("two values: {reply}") };
                    assert_eq!(a, b);
                }
            });
        }
        // Plain commands on the same link: none of them may be queued in another's MULTI.
        for _ in 0..2 {
            let (mut client, over_now) = (proxy.client(), &over_now);
            scope.spawn(move || {
                while !over_now.load(Ordering::Relaxed) {
                    client.send(&encode(&["INCR", "{t}other"]).repeat(20));
                    (0..20).for_each(|_| assert!(client.read_reply().integer() > 0));
                }
            });
        }
        let ended: Vec<bool> = writers.into_iter().map(|writer| writer.join().is_ok()).collect();
        over_now.store(true, Ordering::Relaxed);
        assert!(ended.into_iter().all(|well| well), "a writer failed");
    });
    let mut client = proxy.client();
    for key in ["{t}a", "{t}b"] {
        assert_eq!(client.command(&["GET", key]), Reply::bulk("900"));
    }
}
