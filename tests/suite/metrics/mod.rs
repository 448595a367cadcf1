//! What circlet measures: exactly what happened, in every form in which it is told.

mod agreement;
mod counts;
mod documented;
mod errors;
mod page;
mod readiness;
mod times;
mod twemproxy;

use crate::harness::{FakeShard, Proxy, Shard, get};

pub use crate::admin::over_servers;
pub use page::Metrics;

/// All that the admin address at this port tells.
#[track_caller]
pub fn scrape(port: u16) -> Metrics {
    let page = get(port, "/metrics");
    assert_eq!(page.status, 200, "{}", page.body);
    Metrics::read(&page.body)
}

/// circlet over scripted shards, the port of its admin address, and the shards.
pub fn over_fakes(fakes: Vec<FakeShard>, settings: &str) -> (Proxy, u16, Vec<FakeShard>) {
    let servers: Vec<String> = fakes.iter().map(|fake| fake.server(1, Some("fake"))).collect();
    let (proxy, port) = over_servers(&servers, settings);
    (proxy, port, fakes)
}

/// A shard, named, so that its series can be found.
pub fn named(shard: &Shard, name: &str) -> String {
    shard.server(1, Some(name))
}
