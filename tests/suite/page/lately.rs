//! What stood out: a hot key, a slow request, an error with its cause.

use serde_json::json;

use super::Scene;

#[test]
fn hot_keys_slow_requests_and_errors_are_told() {
    let Some(scene) = Scene::open("") else { return };
    let tab = &scene.tab;
    assert_eq!(tab.text("#slow-commands"), "No request was slow.");
    assert_eq!(tab.text("#errors"), "Nobody was told of an error.");
    let mut client = scene.circlet.client();
    client.command(&["SET", "<i>hot</i>", "x"]);
    for _ in 0..500 {
        client.command(&["GET", "<i>hot</i>"]);
    }
    client.command(&["EVAL", "local i = 0 while i < 3000000 do i = i + 1 end", "1", "<i>hot</i>"]);
    client.command(&["LPUSH", "<i>hot</i>", "x"]);
    tab.until("document.querySelector('#hot-keys').textContent.includes('<i>hot</i>')");
    tab.until("document.querySelector('#slow-commands').textContent.includes('while i < 3000000')");
    tab.until("document.querySelector('#errors').textContent.includes('WRONGTYPE')");
    let errors = tab.text("#errors");
    assert!(errors.contains("lpush"), "{errors}");
    let owner = scene.state()["hot_keys"][0]["shard"].clone();
    assert!(errors.contains(owner.as_str().expect("a name")), "{errors} of {owner}");
    assert_eq!(tab.eval("document.querySelectorAll('main i').length"), json!(3), "bars alone");
    for width in [1280, 390] {
        tab.look_as(width, "light");
        let wide = tab.eval("document.scrollingElement.scrollWidth").as_u64();
        assert!(wide <= Some(u64::from(width)), "{width}: {wide:?}");
        tab.picture(&format!("lately-{width}-light"));
    }
    assert_eq!(tab.complaints(), [""; 0]);
}
