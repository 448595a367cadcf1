//! How it is asked for: over RESP, over HTTP, and what is said where nothing is looked at.

use super::{ask, over, row_of};
use crate::harness::{Shard, eventually, free_port, get};

#[test]
fn count_and_reset() {
    let shards = Shard::several(1);
    let circlet = over(&shards, "", &[]);
    let mut client = circlet.client();
    for key in 0..15 {
        client.command(&["GET", &format!("key:{key}")]);
    }
    assert_eq!(ask(&mut client, &["PROXY", "HOTKEYS"]).len(), 10);
    assert_eq!(ask(&mut client, &["PROXY", "hotkeys", "count", "12"]).len(), 12);
    assert_eq!(ask(&mut client, &["PROXY", "HOTKEYS", "RESET", "COUNT", "100"]).len(), 15);
    eventually("both workers have forgotten", || {
        ask(&mut client, &["PROXY", "HOTKEYS"]).is_empty()
    });
    client.command(&["GET", "again"]);
    let told = ask(&mut client, &["PROXY", "HOTKEYS"]);
    assert!(told.len() == 1 && row_of(&told, "again").is_some(), "{told:?}");
    for wrong in [&["PROXY", "HOTKEYS", "10"][..], &["PROXY", "HOTKEYS", "COUNT"]] {
        assert_eq!(client.command(wrong).error(), Some("ERR syntax error"));
    }
    let error = client.command(&["PROXY", "BIGKEYS", "COUNT", "-1"]);
    assert_eq!(error.error(), Some("ERR value is not an integer or out of range"));
}

#[test]
fn a_long_key_is_told_by_its_beginning_and_length() {
    let shards = Shard::several(1);
    let circlet = over(&shards, "", &[]);
    let mut client = circlet.client();
    let [one, other] = ["1", "2"].map(|end| "k".repeat(999) + end);
    client.command(&["GET", &one]);
    client.command(&["GET", &other]);
    let told = ask(&mut client, &["PROXY", "HOTKEYS"]);
    assert_eq!(told.len(), 2, "they are told apart: {told:?}");
    assert_eq!(told[0]["key"], "k".repeat(256) + "... (1000 bytes)");
}

#[test]
fn nothing_is_known_where_nothing_is_looked_at() {
    let shards = Shard::several(1);
    let circlet = over(&shards, "", &["--hotkeys-samples", "0"]);
    let mut client = circlet.client();
    client.command(&["GET", "key"]);
    let error = client.command(&["PROXY", "HOTKEYS"]);
    let error = error.error().expect("an error");
    assert!(error.contains("set hotkeys_samples"), "{error}");
}

#[test]
fn the_admin_address_tells_of_all_pools() {
    let shards = Shard::several(1);
    let port = free_port();
    let circlet = over(&shards, "", &["--admin-addr", &format!("127.0.0.1:{port}")]);
    let mut client = circlet.client();
    client.command(&["SET", "big", &"v".repeat(20_000)]);
    client.command(&[&b"GET"[..], b"bytes\xff"]);
    let page = get(port, "/hotkeys?count=5");
    assert_eq!(page.status, 200);
    let told: serde_json::Value = serde_json::from_str(&page.body).expect("JSON");
    assert_eq!(told["on"], true);
    let pool = &told["pools"][0];
    assert_eq!(pool["pool"], "pool");
    let hot: Vec<&str> =
        pool["hot"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert!(hot.contains(&"big") && hot.contains(&"bytes\\xff"), "{hot:?}");
    assert_eq!(pool["hot"][0]["share"], 50.0);
    assert_eq!(pool["big"][0]["key"], "big");
    assert!(pool["big"][0]["largest"].as_u64() > Some(20_000), "{told}");
}
