//! `circlet ring`: each shard's share, as a table.

use super::table::{row, table};
use crate::config::{Config, Pool};
use crate::explain::percent;
use crate::route::Ring;

/// A table for each pool.
pub(super) fn text(config: &Config) -> String {
    config.pools.iter().map(pool).collect::<Vec<_>>().join("\n")
}

fn pool(pool: &Pool) -> String {
    let ring = Ring::new(pool);
    let shares = ring.shares();
    let total: f64 = pool.servers.iter().map(|server| f64::from(server.weight)).sum();
    let mut rows = vec![row(["shard", "address", "weight", "points", "share", "of weight"])];
    for (index, server) in pool.servers.iter().enumerate() {
        rows.push(vec![
            server.name.clone(),
            server.address.to_string(),
            server.weight.to_string(),
            ring.points_of(index).to_string(),
            percent(shares[index]),
            percent(f64::from(server.weight) / total),
        ]);
    }
    let tag = match pool.hash_tag {
        Some([open, close]) => format!(", hash tag {}{}", char::from(open), char::from(close)),
        None => String::new(),
    };
    let mut text = format!(
        "pool {}: {} shards, {}, {}{tag}, peak-to-mean {:.2}\n{}",
        pool.name,
        pool.servers.len(),
        pool.distribution.name(),
        pool.hash.name(),
        ring.peak_to_mean(),
        table(&rows)
    );
    for warning in Ring::warnings(pool) {
        text += &format!("note: {warning}\n");
    }
    text
}
