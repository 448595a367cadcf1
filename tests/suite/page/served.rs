//! What is served, to whom, and what is not.

use serde_json::json;

use super::state;
use crate::admin::with_admin;
use crate::harness::{Circlet, Shard, ask, free_port, get, pool_yaml};

#[test]
fn nothing_of_the_page_comes_from_elsewhere_or_is_taken_for_something_else() {
    let shard = Shard::start();
    let (_circlet, port) = with_admin(&[&shard], "");
    let page = get(port, "/");
    let header = page.header.to_lowercase();
    assert_eq!(page.status, 200);
    assert!(header.contains("content-security-policy: default-src 'none'; script-src 'self'"));
    assert!(!header.contains("unsafe"), "{header}");
    assert!(header.contains("x-content-type-options: nosniff"), "{header}");
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "{}", page.body);
    for part in page.body.split("=\"").skip(1).filter(|part| part.starts_with("/page/")) {
        let path = part.split('"').next().expect("a path");
        let file = get(port, path);
        assert_eq!(file.status, 200, "{path}");
        assert!(file.header.to_lowercase().contains("nosniff"), "{path}");
    }
    assert_eq!(get(port, "/page/").status, 404);
    assert_eq!(get(port, "/page/../state").status, 404);
}

#[test]
fn another_name_and_another_sites_post_are_refused() {
    let shard = Shard::start();
    let text = pool_yaml("pool", &[shard.server(1, None)], "");
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let arguments = ["--admin-addr", &address, "--admin-names", "cache.example,ring"];
    let _circlet = Circlet::with_arguments(&text, &arguments);
    let named = |host: &str| crate::harness::ask_as(port, host, "GET", "/api/state", "").status;
    assert_eq!(named(&format!("localhost:{port}")), 200);
    assert_eq!(named("cache.example"), 200);
    assert_eq!(named(&format!("RING:{port}")), 200);
    assert_eq!(named(&format!("rebound.evil.example:{port}")), 403);
    let posted = |lines: &str| ask(port, "POST", "/healthz", lines).status;
    assert_eq!(posted("Origin: http://evil.example\r\n"), 403);
    assert_eq!(posted("Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(posted(&format!("Origin: http://127.0.0.1:{port}\r\n")), 405, "it is ours");
}

#[test]
fn each_pool_has_its_own_state_and_its_own_ring() {
    let shards = Shard::several(2);
    let port = free_port();
    let text = pool_yaml("alpha", &[shards[0].server(1, None)], "distribution: rendezvous")
        + &pool_yaml("beta", &[shards[0].server(1, None), shards[1].server(3, None)], "");
    let circlet = Circlet::with_arguments(&text, &["--admin-addr", &format!("127.0.0.1:{port}")]);
    circlet.client_of("beta").command(&["SET", "k", "v"]);
    let (alpha, beta) = (state(port, ""), state(port, "?pool=beta"));
    assert_eq!(alpha["pools"], json!(["alpha", "beta"]));
    assert_eq!((&alpha["pool"]["name"], &beta["pool"]["name"]), (&json!("alpha"), &json!("beta")));
    let sum = |name: &str, state: &serde_json::Value| -> f64 {
        let shards = state["shards"].as_array().expect("a list");
        shards.iter().filter_map(|shard| shard[name].as_f64()).sum()
    };
    assert_eq!((sum("requests", &alpha), sum("requests", &beta)), (0.0, 1.0));
    assert!((sum("share", &beta) - 1.0).abs() < 1e-9);
    let told = get(port, "/api/explain?pool=beta&typed=k").body;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let owner = told["keys"][0]["shard"].as_u64().expect("a shard") as usize;
    assert_eq!(beta["shards"][owner]["requests"], json!(1));
    for path in ["/api/state?pool=gamma", "/api/explain?pool=gamma&typed=x"] {
        let page = get(port, path);
        assert_eq!(page.status, 404);
        assert!(page.body.contains("there is no pool \\\"gamma\\\""), "{}", page.body);
    }
}
