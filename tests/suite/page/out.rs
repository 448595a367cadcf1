//! A shard goes: the page says so within seconds, why, and where its keys went. circlet goes: the
//! page says that too.

use super::{Scene, under_load};

#[test]
fn a_killed_shard_is_shown_as_ejected_with_cause_and_stand_ins_and_comes_back() {
    let settings = "auto_eject_hosts: true\nheartbeat_interval: 50\nserver_failure_limit: 1\n\
                    server_retry_timeout: 200";
    let Some(mut scene) = Scene::open(settings) else { return };
    let row = scene.row_of(0);
    let (tab, share) = (&scene.tab, scene.state()["shards"][row]["share"].as_f64());
    under_load(&scene.circlet.address(), || {
        scene.shards[0].kill9();
        tab.until("document.querySelector('#state').textContent === '1 of 3 shards out'");
        tab.until("document.querySelectorAll('#shards .told').length === 1");
        let told = tab.text("#shards .told");
        for others in &scene.shards[1..] {
            assert!(told.contains(&others.address().to_string()), "{told}");
        }
        assert!(told.starts_with("Out for ") && told.contains("onnection"), "{told}");
        assert!(told.contains("Its keys are served by"), "{told}");
        assert_eq!(tab.text(&format!("#shards tr:nth-child({}) .pill", row + 1)), "ejected");
        let state = scene.state();
        let parts = state["shards"][row]["stand_ins"].as_array().expect("a list");
        let sum: f64 = parts.iter().filter_map(|part| part[1].as_f64()).sum();
        assert!((sum - share.expect("a number")).abs() < 0.001, "{parts:?} of {share:?}");
        for (width, theme) in [(1280, "dark"), (390, "light")] {
            tab.look_as(width, theme);
            let wide = tab.eval("document.scrollingElement.scrollWidth").as_u64();
            assert!(wide <= Some(u64::from(width)), "{width}, {theme}: {wide:?}");
            tab.picture(&format!("ejected-{width}-{theme}"));
        }
        scene.shards[0].restart();
        tab.until("document.querySelector('#state').textContent === 'all 3 shards in'");
        tab.until("document.querySelectorAll('#shards .told').length === 0");
    });
    assert_eq!(tab.complaints(), [""; 0]);

    scene.circlet.kill9();
    let tab = &scene.tab;
    tab.until("!document.querySelector('#lost').hidden");
    let told = tab.text("#lost");
    assert!(told.starts_with("circlet cannot be reached. What is shown is of "), "{told}");
    assert!(tab.eval("document.body.classList.contains('stale')").as_bool() == Some(true));
    tab.look_as(1280, "light");
    tab.picture("lost-1280-light");
}
