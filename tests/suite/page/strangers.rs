//! Names are chosen by whoever connects: they are shown, and do nothing.

use serde_json::json;

use super::{Scene, state};
use crate::harness::Reply;

#[test]
fn a_client_named_like_markup_is_shown_by_its_name() {
    let Some(scene) = Scene::open("") else { return };
    let name = "<img/src=x/onerror=document.title='owned'><script>alert(1)</script>";
    let mut client = scene.circlet.client();
    assert_eq!(client.command(&["CLIENT", "SETNAME", name]), Reply::ok());
    let tab = &scene.tab;
    tab.until(&format!(
        "[...document.querySelectorAll('#clients td:nth-child(2)')]
            .some((cell) => cell.textContent === {name:?} && cell.children.length === 0)"
    ));
    // Those of the page itself.
    assert_eq!(tab.eval("document.querySelectorAll('img').length"), json!(1));
    assert_eq!(tab.eval("document.querySelectorAll('script').length"), json!(1));
    assert!(tab.eval("document.title").as_str().expect("a text").contains("circlet"));
    tab.type_into("#typed", "<b onclick=alert(1)>&amp;</b>");
    tab.until(
        "document.querySelector('#ways .code')?.textContent === '<b onclick=alert(1)>&amp;</b>'",
    );
    assert_eq!(tab.eval("document.querySelectorAll('#ways b').length"), json!(0));
    assert_eq!(tab.complaints(), [""; 0]);
}

#[test]
fn clients_are_listed_by_what_one_asks_for_and_never_more_than_some() {
    let shard = crate::harness::Shard::start();
    let (circlet, port) = crate::admin::with_admin(&[&shard], "");
    let mut idle: Vec<_> = (0..210).map(|_| circlet.client()).collect();
    for client in &mut idle {
        client.command(&["PING"]);
    }
    let mut busy = circlet.client();
    for _ in 0..20 {
        busy.command(&["CLIENT", "SETNAME", "busy"]);
    }
    let mut large = circlet.client();
    large.command(&["CLIENT", "SETNAME", "large"]);
    large.command(&["SET", "k", &"x".repeat(10_000)]);
    for _ in 0..5 {
        large.command(&["GET", "k"]);
    }
    let first = |by: &str| state(port, &format!("?by={by}"))["clients"][0].clone();
    let all = state(port, "");
    assert_eq!(all["clients"].as_array().map(Vec::len), Some(200));
    assert_eq!(all["pool"]["clients"], json!(212));
    assert_eq!(
        (&first("commands")["name"], &first("commands")["commands"]),
        (&json!("busy"), &json!(20))
    );
    let large = first("bytes");
    assert_eq!(large["name"], "large");
    assert!(large["read"].as_u64() > Some(10_000), "{large}");
    assert!(large["written"].as_u64() > Some(50_000), "{large}");
    assert_eq!(large["last"], "get");
    assert!(first("age")["id"].as_u64() < large["id"].as_u64());
}
