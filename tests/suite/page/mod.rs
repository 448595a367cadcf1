//! The page on the admin address, in a real browser over real shards.

mod browser;
mod changed;
mod key_box;
mod lately;
mod looks;
mod out;
mod served;
mod strangers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use browser::Tab;
use serde_json::Value;

use crate::admin::with_admin;
use crate::harness::{Address, Client, Proxy, Shard, get};

/// circlet over three shards, with its page open.
struct Scene {
    shards: Vec<Shard>,
    circlet: Proxy,
    port: u16,
    tab: Tab,
}

impl Scene {
    /// `None` where there is no browser.
    fn open(settings: &str) -> Option<Scene> {
        let shards = Shard::several(3);
        let (circlet, port) = with_admin(&shards.iter().collect::<Vec<_>>(), settings);
        let tab = Tab::open(&format!("http://127.0.0.1:{port}/"))?;
        tab.until("document.querySelectorAll('#shards .name').length === 3");
        Some(Scene { shards, circlet, port, tab })
    }

    /// The place of a shard on the page, which has them in circlet's own order.
    fn row_of(&self, shard: usize) -> usize {
        let address = self.shards[shard].address().to_string();
        let state = self.state();
        let shards = state["shards"].as_array().expect("a list");
        let found = shards.iter().position(|shard| shard["address"] == *address);
        found.unwrap_or_else(|| panic!("no {address} in {state}"))
    }

    fn state(&self) -> Value {
        state(self.port, "")
    }
}

/// What `/api/state` says.
fn state(port: u16, query: &str) -> Value {
    let page = get(port, &format!("/api/state{query}"));
    assert_eq!(page.status, 200, "{}", page.body);
    serde_json::from_str(&page.body).expect("JSON")
}

/// Sends commands to `address` while `work` is done.
fn under_load<T>(address: &Address, work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(address);
            client.command(&["CLIENT", "SETNAME", "orders-worker"]);
            let mut number = 0_u32;
            while !is_over.load(Ordering::Relaxed) {
                let key = format!("{number}:order");
                client.command(&["SET", &key, "x"]);
                client.command(&["GET", &key]);
                number = (number + 1) % 1000;
                if number.is_multiple_of(10) {
                    thread::sleep(std::time::Duration::from_millis(1));
                }
            }
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        done
    })
}
