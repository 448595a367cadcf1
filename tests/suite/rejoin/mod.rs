//! A shard that was out comes back with what it had: which old values are served, by policy, while
//! the load goes on; and that nothing written meanwhile is lost where it is to be carried over.

mod counters;
mod limits;
mod proxies;
mod record;
mod scene;
mod writes;

use crate::harness::{Nutcracker, Reply, pool_yaml};
use counters::Counters;
use scene::Scene;
use writes::{Kind, Writes};

/// What was found afterwards among the keys of the shard that was out.
#[derive(Debug, Default)]
struct Found {
    written: usize,
    stale: Vec<String>,
    lost: Vec<String>,
    /// Keys that nobody touched, and how many of them are still there.
    untouched: (usize, usize),
    /// The same for keys that were missing when EXPIRE came for them.
    touched: (usize, usize),
}

/// One outage with writes of every kind in it, and a load all the time.
fn outage(settings: &str) -> Found {
    let scene = Scene::start(settings);
    let writes = Writes::seed(&scene);
    scene.out();
    let load = Counters::start(&scene.circlet.address(), "load");
    writes.write_elsewhere(&scene);
    scene.back();
    let found = writes.look(&scene);
    load.finish_well();
    found
}

#[test]
fn keep_serves_what_the_shard_had() {
    let found = outage("rejoin: keep");
    println!("keep: {} of {} written keys stale", found.stale.len(), found.written);
    assert!(found.stale.len() * 2 > found.written, "otherwise the other tests see nothing");
    assert_eq!(found.untouched.0, found.untouched.1);
}

#[test]
fn clean_serves_no_old_value_and_keeps_what_nobody_touched() {
    let found = outage("rejoin: clean");
    println!("clean: {} of {} written keys stale", found.stale.len(), found.written);
    assert!(found.stale.is_empty(), "{:#?}", found.stale);
    assert_eq!(found.untouched.0, found.untouched.1);
}

#[test]
fn flush_serves_no_old_value() {
    let found = outage("rejoin: flush");
    println!("flush: {} of {} written keys stale", found.stale.len(), found.written);
    assert!(found.stale.is_empty(), "{:#?}", found.stale);
    assert_eq!(found.untouched.1, 0);
}

#[test]
fn move_serves_what_was_written_elsewhere() {
    let found = outage("rejoin: move");
    println!("move: {} of {} written keys stale", found.stale.len(), found.written);
    assert!(found.stale.is_empty(), "{:#?}", found.stale);
    assert!(found.lost.is_empty(), "{:#?}", found.lost);
    assert_eq!(found.untouched.0, found.untouched.1);
    assert_eq!(found.touched.0, found.touched.1, "EXPIRE of a missing key removes nothing");
}

#[test]
fn move_in_steps_serves_what_was_written_elsewhere() {
    let found = outage("rejoin: move\nslow_start: 800");
    assert!(found.stale.is_empty(), "{:#?}", found.stale);
    assert!(found.lost.is_empty(), "{:#?}", found.lost);
    assert_eq!(found.untouched.0, found.untouched.1);
}

/// nutcracker knows neither MULTI nor SELECT: the plain writes alone.
#[test]
fn nutcracker_serves_what_the_shard_had() {
    let scene = Scene::start("rejoin: keep");
    let servers = scene.servers();
    let settings = format!("{}\nserver_retry_timeout: 300", scene::COMMON);
    let nutcracker = Nutcracker::with_config(&pool_yaml("theirs", &servers, &settings));
    let kinds = [Kind::Set, Kind::Del, Kind::Incr, Kind::Rpush, Kind::Hset];
    let writes = Writes::seed_kinds(&scene, &kinds);
    scene.relay.reset();
    let mut client = nutcracker.client();
    let key = writes.a_key_at_home(&scene);
    crate::harness::eventually("nutcracker finds out", || {
        client.command(&["GET", &key]) == Reply::Nil
    });
    scene.circlet.expect_log("ejected after");
    writes.write_by(&mut client, &scene);
    scene.relay.pass();
    crate::harness::eventually("nutcracker sees it again", || {
        client.command(&["EXISTS", &key]);
        writes.look_by(&mut client, &scene).stale.len() > writes.len() / 20
    });
    let found = writes.look_by(&mut client, &scene);
    println!("nutcracker: {} of {} written keys stale", found.stale.len(), found.written);
}
