//! A user changes on the shards while clients are connected as that user.

use super::{ANN, BOB, Scene, say};
use crate::harness::{Reply, eventually};

fn on_all(scene: &Scene, line: &str) {
    for shard in &scene.shards {
        let mut admin = shard.client();
        assert_eq!(say(&mut admin, "AUTH ann secret"), Reply::ok());
        assert!(say(&mut admin, line).error().is_none());
    }
}

#[test]
fn clients_of_a_user_that_is_gone_read_so_and_the_others_nothing_of_it() {
    let settings = "auto_eject_hosts: true\nserver_failure_limit: 1\nredis_auth: x";
    let scene = Scene::with(&[ANN, BOB, "default on >x ~* +@all"], settings);
    let (mut ann, mut bob) = (scene.proxy.client(), scene.proxy.client());
    assert_eq!(say(&mut ann, "AUTH ann secret"), Reply::ok());
    assert_eq!(say(&mut bob, "AUTH bob other"), Reply::ok());
    for number in 0..30 {
        assert_eq!(say(&mut ann, &format!("SET pub:{number} v")), Reply::ok());
        assert_eq!(say(&mut bob, &format!("GET pub:{number}")), Reply::bulk("v"));
    }
    on_all(&scene, "ACL DELUSER bob");
    eventually("bob is refused", || {
        (0..30).all(|number| {
            let refused = say(&mut bob, &format!("GET pub:{number}"));
            refused.error().is_some_and(|text| text.starts_with("WRONGPASS"))
        })
    });
    for number in 0..30 {
        assert_eq!(say(&mut ann, &format!("GET pub:{number}")), Reply::bulk("v"));
    }
    // With the same password he is himself again.
    on_all(&scene, &format!("ACL SETUSER {BOB}"));
    eventually("bob is back", || {
        (0..30).all(|number| say(&mut bob, &format!("GET pub:{number}")) == Reply::bulk("v"))
    });
    assert!(!scene.proxy.log().contains("eject"), "{}", scene.proxy.log());
}
