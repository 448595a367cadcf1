//! Where the record ends: its limit, and emptied databases; and shards that go out again on the way.

use std::thread::sleep;
use std::time::Duration;

use super::counters::Counters;
use super::scene::{Scene, times};
use super::writes::Writes;
use crate::harness::{Reply, eventually};

#[test]
fn past_its_limit_the_whole_shard_is_suspect() {
    for (policy, untouched) in [("clean", false), ("move", true)] {
        let scene = Scene::start(&format!("rejoin: {policy}\nrejoin_limit: 20"));
        let writes = Writes::seed(&scene);
        scene.out();
        writes.write_elsewhere(&scene);
        scene.circlet.expect_log("it is suspect as a whole");
        scene.back();
        let found = writes.look(&scene);
        // What was deleted elsewhere cannot be known any more where the rest is kept.
        let known = |text: &&String| policy == "clean" || !is_absent(text);
        let stale: Vec<&String> = found.stale.iter().filter(known).collect();
        assert!(stale.is_empty(), "{policy}: {stale:#?}");
        assert_eq!(found.untouched.1 > 0, untouched, "{policy}");
        if policy == "move" {
            let lost: Vec<&String> = found.lost.iter().filter(|text| !is_absent(text)).collect();
            assert!(lost.is_empty(), "{lost:#?}");
        }
    }
}

fn is_absent(text: &str) -> bool {
    text.starts_with("Del ") || text.starts_with("Passed ")
}

#[test]
fn what_was_emptied_during_the_outage_stays_empty() {
    for policy in ["clean", "move"] {
        let scene = Scene::start(&format!("rejoin: {policy}"));
        let writes = Writes::seed(&scene);
        scene.out();
        let mut client = scene.circlet.client();
        client.command(&["SET", "before", "v"]);
        assert_eq!(client.command(&["FLUSHALL"]), Reply::ok());
        for number in 0..30 {
            client.command(&["SET", &format!("{number}:after"), "v"]);
        }
        scene.back();
        let found = writes.look(&scene);
        assert_eq!(found.untouched.1, 0, "{policy}");
        assert!(found.stale.is_empty(), "{policy}: {:#?}", found.stale);
        let kept = (0..30)
            .filter(|number| client.command(&["GET", &format!("{number}:after")]) != Reply::Nil)
            .count();
        if policy == "move" {
            assert_eq!(kept, 30);
        }
    }
}

/// Cut off again and again, at any moment of the return, and in the end it is as if it never had.
#[test]
fn a_return_that_fails_on_the_way_is_begun_again() {
    let scene = Scene::start("rejoin: move\nslow_start: 400");
    let writes = Writes::seed(&scene);
    scene.out();
    writes.write_elsewhere(&scene);
    for pause in [5, 20, 60] {
        let ejected = times(&scene.circlet, "ejected after");
        let before = times(&scene.circlet, "readmitted after");
        scene.relay.pass();
        eventually("it answers", || times(&scene.circlet, "readmitted after") > before);
        sleep(Duration::from_millis(pause));
        scene.relay.reset();
        eventually("it is out again", || times(&scene.circlet, "ejected after") > ejected);
    }
    scene.back();
    let found = writes.look(&scene);
    assert!(found.stale.is_empty(), "{:#?}", found.stale);
    assert!(found.lost.is_empty(), "{:#?}", found.lost);
    scene.nothing_is_left_elsewhere();
}

/// Another shard goes and comes while the first one is on its way: what was under way begins again.
#[test]
fn a_stand_in_that_goes_out_takes_its_values_along_and_nothing_else() {
    let scene = Scene::start("rejoin: clean");
    let writes = Writes::seed(&scene);
    scene.out();
    let load = Counters::start(&scene.circlet.address(), "load");
    writes.write_elsewhere(&scene);
    scene.shards[1].kill9();
    eventually("the stand-in is out", || times(&scene.circlet, "ejected after") > 1);
    scene.back();
    load.finish();
    let found = writes.look(&scene);
    assert!(found.stale.is_empty(), "its values are gone, the old ones must not come back");
}

#[test]
fn with_nobody_else_in_the_first_that_answers_serves_at_once() {
    let scene = Scene::start("rejoin: clean");
    let writes = Writes::seed(&scene);
    scene.out();
    for shard in &scene.shards[1..] {
        shard.kill9();
    }
    eventually("all are out", || times(&scene.circlet, "ejected after") == 3);
    scene.relay.pass();
    scene.circlet.expect_log("nobody else is in");
    let key = writes.a_key_at_home(&scene);
    assert_ne!(scene.circlet.client().command(&["EXISTS", &key]), Reply::Integer(0));
}

#[test]
fn clients_do_not_see_the_record() {
    let scene = Scene::start("rejoin: move");
    scene.circlet.client().command(&["SET", "k", "v"]);
    scene.out();
    let mut client = scene.circlet.client();
    for number in 0..30 {
        client.command(&["SET", &format!("{number}:k"), "v"]);
    }
    let is_kept = |shard: &crate::harness::Shard| {
        !shard.client().command(&["KEYS", "__circlet:displaced:*"]).elements().is_empty()
    };
    assert!(scene.shards[1..].iter().any(is_kept), "otherwise this sees nothing");
    let page = client.command(&["SCAN", "0", "COUNT", "1000"]);
    let own = |key: &Reply| key.bytes().starts_with(b"__circlet:");
    let keys = page.elements()[1].elements();
    assert!(keys.len() >= 30 && !keys.iter().any(own), "{page:?}");
    for _ in 0..200 {
        assert!(!own(&client.command(&["RANDOMKEY"])));
    }
}
