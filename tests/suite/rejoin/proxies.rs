//! Two proxies over the same shards, and one outage.

use std::thread::sleep;
use std::time::Duration;

use super::counters::Counters;
use super::scene::{Scene, times};
use super::writes::Writes;
use crate::harness::{Proxy, eventually};

/// Each has the shard out at its own moment and lets it return at its own.
fn out_and_back(scene: &Scene, second: &Proxy, between: impl FnOnce()) {
    scene.out();
    eventually("the other knows as well", || times(second, "ejected after") > 0);
    between();
    scene.back();
    eventually("the other as well", || times(second, "has all its keys again") > 0);
}

#[test]
fn no_old_value_is_left_of_what_either_wrote() {
    let scene = Scene::start("rejoin: clean");
    let mut second = scene.second("rejoin: clean", 1_200);
    let writes = Writes::seed(&scene);
    out_and_back(&scene, &second, || {
        writes.write_elsewhere_by(&mut second.client());
        // Who did not write returns first, and knows all the same.
        sleep(Duration::from_millis(100));
    });
    let found = writes.look(&scene);
    assert!(found.written > 0 && found.stale.is_empty(), "{:#?}", found.stale);
    assert!(second.is_alive());
}

#[test]
fn what_each_writes_alone_is_carried_over() {
    let scene = Scene::start("rejoin: move");
    // The second returns a second after the first.
    let second = scene.second("rejoin: move", 1_500);
    let mut counters = Vec::new();
    out_and_back(&scene, &second, || {
        counters.push(Counters::start(&scene.circlet.address(), "first"));
        counters.push(Counters::start(&second.address(), "second"));
        sleep(Duration::from_millis(700));
    });
    sleep(Duration::from_millis(200));
    for counters in counters {
        let tally = counters.finish();
        assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
        assert!(tally.errors.is_empty(), "{:#?}", tally.errors);
    }
    scene.nothing_is_left_elsewhere();
}

#[test]
fn a_proxy_that_restarts_during_the_outage_has_forgotten_nothing() {
    let mut scene = Scene::start("rejoin: move");
    let writes = Writes::seed(&scene);
    scene.out();
    writes.write_elsewhere(&scene);
    scene.circlet.kill9();
    scene.circlet = scene.second("rejoin: move", 200);
    eventually("the new one knows", || times(&scene.circlet, "ejected after") > 0);
    scene.back();
    let found = writes.look(&scene);
    assert!(found.stale.is_empty(), "{:#?}", found.stale);
    assert!(found.lost.is_empty(), "{:#?}", found.lost);
}
