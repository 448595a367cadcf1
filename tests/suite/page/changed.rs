//! A reload changes the fleet: the page follows.

use std::fs;

use serde_json::json;

use super::Scene;
use crate::harness::{Shard, ask};

#[test]
fn a_shard_that_a_reload_takes_away_goes_and_one_that_it_adds_comes() {
    let Some(scene) = Scene::open("") else { return };
    let (tab, new) = (&scene.tab, Shard::start());
    let gone = scene.shards[1].address().to_string();
    let text = scene.circlet.config_text().replace(&gone, &new.address().to_string());
    fs::write(scene.circlet.config_file(), text).expect("a file of ours");
    assert_eq!(ask(scene.port, "POST", "/reload", "").status, 200);
    let names = "[...document.querySelectorAll('#shards .name')].map((name) => name.textContent)";
    tab.until(&format!("{names}.includes('{}')", new.address()));
    tab.until(&format!("!{names}.includes('{gone}')"));
    tab.until("document.querySelector('#state').textContent === 'all 3 shards in'");
    let state = scene.state();
    let shares = state["shards"].as_array().expect("a list").iter();
    let sum: f64 = shares.filter_map(|shard| shard["share"].as_f64()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{state}");
    tab.type_into("#typed", "greeting");
    tab.until("document.querySelectorAll('#ways .end').length === 1");
    assert_eq!(tab.eval("document.querySelectorAll('#shards tr').length"), json!(3));
    assert_eq!(tab.complaints(), [""; 0]);
}
