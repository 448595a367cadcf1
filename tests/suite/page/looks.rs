//! What one sees: three shards with their shares, on every screen, and nothing that is broken.

use serde_json::json;

use super::{Scene, under_load};

#[test]
fn three_shards_with_their_shares_at_every_width_and_in_both_themes() {
    let Some(scene) = Scene::open("hash_tag: \"{}\"\nauto_eject_hosts: true") else { return };
    let tab = &scene.tab;
    let state = scene.state();
    under_load(&scene.circlet.address(), || {
        // Rates need two looks.
        tab.until("/^[1-9].*\\/s$/.test(document.querySelector('#figures dd').textContent)");
        tab.type_into("#typed", "user:{42}:name");
        tab.until("document.querySelectorAll('#ways .end').length === 1");
        tab.until(
            "document.querySelectorAll('#shards .spark polyline[points*=\",\"]').length === 3",
        );
        for width in [1280, 390] {
            for theme in ["light", "dark"] {
                tab.look_as(width, theme);
                let wide = tab.eval("document.scrollingElement.scrollWidth");
                assert!(wide.as_u64() <= Some(u64::from(width)), "{width}, {theme}: {wide}");
                assert_eq!(tab.eval("innerWidth"), json!(width), "nothing made it zoom out");
                tab.picture(&format!("page-{width}-{theme}"));
            }
        }
    });
    for (row, shard) in state["shards"].as_array().expect("a list").iter().enumerate() {
        let share = format!("{:.1} %", shard["share"].as_f64().expect("a number") * 100.0);
        let told = tab.text(&format!("#shards tr:nth-child({})", row + 1));
        assert!(told.contains(&share), "{share} in {told}");
        assert!(told.contains(shard["address"].as_str().expect("a text")), "{told}");
        assert!(told.contains("in"), "{told}");
    }
    assert_eq!(tab.text("#state"), "all 3 shards in");
    assert_eq!(tab.complaints(), [""; 0]);
}

#[test]
fn without_a_mouse_everything_can_be_reached() {
    let Some(scene) = Scene::open("") else { return };
    let tab = &scene.tab;
    let unnamed = "[...document.querySelectorAll('button, input, select, [role=img]')]
        .filter((part) => !(part.labels?.length || part.textContent.trim() || part.ariaLabel))
        .length";
    assert_eq!(tab.eval(unnamed), json!(0), "each has a name");
    tab.eval("document.querySelector('#by').focus()");
    tab.press("ArrowDown");
    tab.until("document.querySelector('#by').value === 'bytes'");
    tab.until(
        "[...document.querySelectorAll('th[aria-sort]')].every((th) => th.dataset.by === 'bytes')",
    );
    let order = "[...document.querySelectorAll('a, input, select, button')].map((part) => part.id)";
    assert_eq!(tab.eval(order), json!(["", "pool", "typed", "by"]));
    assert_eq!(tab.eval("document.querySelectorAll('h1').length"), json!(1));
    assert_eq!(tab.eval("document.querySelectorAll('[tabindex]').length"), json!(0));
}

#[test]
fn it_rests_while_nobody_looks() {
    let Some(scene) = Scene::open("") else { return };
    let tab = &scene.tab;
    let looks = "performance.getEntriesByType('resource')
        .filter((entry) => entry.name.includes('/api/state')).length";
    tab.until(&format!("{looks} >= 2"));
    let turn = |hidden: bool| {
        tab.eval(&format!(
            "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
             document.dispatchEvent(new Event('visibilitychange'))"
        ));
    };
    turn(true);
    // One may be under way.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let before = tab.eval(looks).as_u64();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(tab.eval(looks).as_u64(), before);
    turn(false);
    tab.until(&format!("{looks} > {}", before.expect("a number")));
}
