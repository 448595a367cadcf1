//! Each user hears what the shards let it hear.

use super::{ANN, Scene, raw, say};
use crate::harness::{Client, Reply, encode, eventually};

const EVE: &str = "eve on >news resetchannels &news:* +subscribe +psubscribe +unsubscribe +publish \
                   +ssubscribe +ping";
const MUTE: &str = "mute on >silence ~* &* +get +ping";

fn of(scene: &Scene, auth: &str) -> [Client; 2] {
    [scene.proxy.client(), scene.single.client()].map(|mut client| {
        assert_eq!(say(&mut client, auth), Reply::ok());
        client
    })
}

/// Both read the same; what circlet's read.
#[track_caller]
fn both(clients: &mut [Client; 2], line: &str) -> String {
    let [ours, theirs] = clients;
    let reply = raw(ours, line);
    assert_eq!(reply, raw(theirs, line), "{line}");
    reply
}

#[track_caller]
fn hears(clients: &mut [Client; 2], text: &str) {
    for client in clients {
        let bytes = client.read_reply_bytes();
        let message = String::from_utf8_lossy(&bytes).into_owned();
        assert!(message.contains("message") && message.contains(text), "{message:?}");
    }
}

#[test]
fn a_user_subscribes_to_what_its_rights_name_and_to_nothing_else() {
    for default in ["default resetpass -@all", "default on nopass ~* &* +@all"] {
        let scene = Scene::with(&[ANN, EVE, MUTE, default], "");
        let mut eve = of(&scene, "AUTH eve news");
        let mut ann = of(&scene, "AUTH ann secret");
        let mut mute = of(&scene, "AUTH mute silence");
        for line in ["SUBSCRIBE other", "SUBSCRIBE news:x other", "PSUBSCRIBE *", "SSUBSCRIBE o"] {
            assert!(both(&mut eve, line).starts_with("-NOPERM"), "{line}");
        }
        assert!(both(&mut mute, "SUBSCRIBE news:x").starts_with("-NOPERM"));
        assert!(both(&mut eve, "PUBLISH other text").starts_with("-NOPERM"));
        both(&mut eve, "SUBSCRIBE news:x");
        both(&mut eve, "PSUBSCRIBE news:*");
        // Another user, whom more is allowed, and the same user once more.
        let mut other = of(&scene, "AUTH ann secret");
        both(&mut other, "SUBSCRIBE other");
        assert!(both(&mut eve, "SUBSCRIBE other").starts_with("-NOPERM"));
        let mut again = of(&scene, "AUTH eve news");
        assert!(both(&mut again, "SUBSCRIBE other").starts_with("-NOPERM"));
        both(&mut again, "SUBSCRIBE news:x");
        assert_eq!(both(&mut ann, "PUBLISH news:x hello"), ":3\r\n");
        hears(&mut eve, "hello");
        hears(&mut eve, "pmessage");
        hears(&mut again, "hello");
        assert_eq!(both(&mut ann, "PUBLISH other more"), ":1\r\n");
        hears(&mut other, "more");
        assert_eq!(both(&mut ann, "PUBSUB NUMSUB news:x other"), both(&mut ann, NUMSUB));
    }
}

const NUMSUB: &str = "PUBSUB NUMSUB news:x other";

#[test]
fn a_listener_is_disconnected_when_its_user_may_no_longer() {
    let scene = Scene::with(&[ANN, EVE], "");
    let mut ann = scene.proxy.client();
    assert_eq!(say(&mut ann, "AUTH ann secret"), Reply::ok());
    let mut carl = scene.proxy.client();
    say(&mut carl, "SUBSCRIBE other");
    for change in ["ACL SETUSER eve resetchannels", "ACL DELUSER eve"] {
        assert_eq!(say(&mut ann, &format!("ACL SETUSER {EVE}")), Reply::ok());
        let mut eve = scene.proxy.client();
        assert_eq!(say(&mut eve, "AUTH eve news"), Reply::ok());
        eve.send(&encode(&["SUBSCRIBE", "news:x", "news:y"]));
        (0..2).for_each(|_| assert_eq!(eve.read_reply().elements().len(), 3));
        assert!(say(&mut ann, change).error().is_none());
        eve.expect_closed();
    }
    eventually("who was not concerned still listens", || {
        say(&mut ann, "PUBLISH other text") == Reply::Integer(1)
    });
    assert_eq!(carl.read_reply().elements()[2], Reply::bulk("text"));
}

#[test]
fn who_listens_stays_who_it_was() {
    let scene = Scene::with(&[ANN, EVE], "");
    let mut client = scene.proxy.client();
    say(&mut client, "HELLO 3 AUTH eve news");
    say(&mut client, "SUBSCRIBE news:x");
    assert_eq!(say(&mut client, "AUTH ann secret"), Reply::ok());
    let refused = say(&mut client, "SUBSCRIBE other");
    assert!(refused.error().is_some_and(|text| text.contains("as another user")), "{refused:?}");
    say(&mut client, "UNSUBSCRIBE");
    assert!(matches!(say(&mut client, "SUBSCRIBE other"), Reply::Push(_)));
}
