//! What one types is found where circlet really keeps it.

use serde_json::json;

use super::Scene;
use crate::harness::{Client, Reply, eventually};

#[test]
fn a_key_is_shown_on_the_shard_that_has_it() {
    let Some(scene) = Scene::open("hash_tag: \"{}\"") else { return };
    let mut client = scene.circlet.client();
    // As typed, and the bytes that this stands for.
    let keys: [(&str, &[u8]); 7] = [
        ("greeting", b"greeting"),
        ("user:{42}:name", b"user:{42}:name"),
        ("a key with spaces", b"a key with spaces"),
        ("it's", b"it's"),
        ("\"\\xff\\x00\\n\"", b"\xff\x00\n"),
        ("<img src=x onerror=alert(1)>", b"<img src=x onerror=alert(1)>"),
        ("schlüssel:鍵", "schlüssel:鍵".as_bytes()),
    ];
    for (typed, key) in keys {
        assert_eq!(client.command(&[&b"SET"[..], key, b"here"]), Reply::ok());
        let owner = owner_of(&scene, key);
        scene.tab.type_into("#typed", typed);
        scene.tab.until(&format!(
            "document.querySelectorAll('#ways .end').length === 1
             && document.querySelector('#ways .end').textContent === 'shard{owner}'"
        ));
    }
    assert_eq!(scene.tab.eval("document.querySelectorAll('#drawing .marker').length"), json!(1));
    assert_eq!(scene.tab.complaints(), [""; 0]);
}

#[test]
fn a_tag_is_told_and_a_command_shows_each_of_its_keys() {
    let Some(scene) = Scene::open("hash_tag: \"{}\"") else { return };
    let tab = &scene.tab;
    tab.type_into("#typed", "user:{42}:name");
    tab.until("document.querySelector('#ways').textContent.includes('hash tag42fnv1a_640x')");
    tab.type_into("#typed", "mset a 1 b 2 \"\\x01\" 3");
    tab.until("document.querySelectorAll('#ways .way').length === 3");
    assert!(tab.text("#ways").starts_with("MSET with 3 keys"), "{}", tab.text("#ways"));
    assert!(tab.text("#ways").contains("\\x01"), "{}", tab.text("#ways"));
    tab.type_into("#typed", "set a");
    tab.until("document.querySelector('#ways .fault')?.textContent.includes('wrong number')");
    tab.type_into("#typed", "");
    tab.until("document.querySelector('#ways').textContent === ''");
    assert_eq!(tab.complaints(), [""; 0]);
}

#[test]
fn who_is_said_to_stand_in_does() {
    let Some(scene) = Scene::open(QUICK) else { return };
    let tab = &scene.tab;
    let mut client = scene.circlet.client();
    let key = "greeting";
    client.command(&["SET", key, "at home"]);
    let home = (0..3).find(|&shard| holds(&scene, shard, key.as_bytes())).expect("a shard has it");
    tab.type_into("#typed", key);
    tab.until("document.querySelector('#ways .then')?.textContent.includes('would stand in')");
    let announced = tab.eval("document.querySelector('#ways .then span').textContent");

    scene.shards[home].kill9();
    // The page asks again when it sees that the shard is out.
    tab.until("document.querySelector('#ways .then').textContent.includes('is its home and out')");
    assert_eq!(tab.eval("document.querySelector('#ways .end').textContent.slice(5)"), announced);
    eventually("the stand-in takes it", || client.command(&["SET", key, "there"]) == Reply::ok());
    let stand_in = (0..3).find(|&shard| shard != home && holds(&scene, shard, key.as_bytes()));
    let stand_in = stand_in.expect("another shard has it").to_owned();
    assert_eq!(announced, json!(scene.shards[stand_in].address().to_string()));
}

const QUICK: &str = "auto_eject_hosts: true\nheartbeat_interval: 50\nserver_failure_limit: 1";

/// The address of the one shard that has `key`.
fn owner_of(scene: &Scene, key: &[u8]) -> String {
    let owners: Vec<usize> = (0..3).filter(|&shard| holds(scene, shard, key)).collect();
    assert_eq!(owners.len(), 1, "{key:?} is on {owners:?}");
    scene.shards[owners[0]].address().to_string()
}

fn holds(scene: &Scene, shard: usize, key: &[u8]) -> bool {
    let shard = &scene.shards[shard];
    let Ok(_) = std::net::TcpStream::connect(shard.address().to_string()) else { return false };
    Client::connect(shard.address()).command(&[&b"EXISTS"[..], key]).integer() == 1
}
