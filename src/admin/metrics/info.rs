//! The metrics of one pool as lines of INFO's section `proxy`.
//!
//! ```text
//!   client_connections:3
//!   family_string:commands_total=12,…,command_shard_seconds_p99=0.0004
//!   shard0:name=127.0.0.1:7001,shard_up=1,…
//! ```

use std::collections::BTreeMap;

use super::declared::{From, METRICS};
use super::reading::Reading;
use super::sample::{Sample, Value, samples};

/// Names and values: of the process and the pool in a line each, of a family or a shard all in one
/// line.
pub fn fields(reading: &Reading, pool: &str) -> Vec<(String, String)> {
    let Some(own) = reading.pools.iter().find(|known| known.config.name == pool) else {
        return Vec::new();
    };
    let (mut lines, mut families, mut shards) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for (index, shard) in own.shards.iter().enumerate() {
        shards.insert(index, vec![format!("name={}", shard.name)]);
    }
    for metric in METRICS {
        let name = metric.name.strip_prefix("circlet_").unwrap_or(metric.name);
        for sample in samples(metric, reading) {
            let label = |wanted| {
                sample.labels.iter().find(|(name, _)| *name == wanted).map(|(_, value)| &**value)
            };
            if label("pool").is_some_and(|of| of != pool) {
                continue;
            }
            let told = values(name, &sample);
            if let Some(family) = label("family") {
                let line: &mut Vec<String> = families.entry(family.to_owned()).or_default();
                line.extend(told.into_iter().map(|(name, value)| format!("{name}={value}")));
            } else if let Some(shard) = label("shard") {
                let Some(index) = own.shards.iter().position(|known| known.name == shard) else {
                    continue;
                };
                let line = shards.entry(index).or_default();
                line.extend(told.into_iter().map(|(name, value)| format!("{name}={value}")));
            } else if !matches!(metric.from, From::Build) {
                lines.extend(told);
            }
        }
    }
    let families =
        families.into_iter().map(|(name, told)| (format!("family_{name}"), told.join(",")));
    lines.extend(families);
    lines.extend(shards.into_iter().map(|(index, told)| (format!("shard{index}"), told.join(","))));
    lines
}

/// A sample's numbers. What it is by (a code, a kind) becomes part of the name, unless it is 0.
fn values(name: &str, sample: &Sample) -> Vec<(String, String)> {
    let by = sample.labels.iter().find(|(name, _)| !PLACES.contains(name));
    match (&sample.value, by) {
        (Value::Number(0.0), Some(_)) => Vec::new(),
        (Value::Number(number), Some((_, by))) => {
            vec![(format!("{name}_{by}"), number.to_string())]
        }
        (Value::Number(number), None) => vec![(name.to_owned(), number.to_string())],
        (Value::Times(times), _) => {
            let quantile = |part| times.quantile(part).unwrap_or(0.0).to_string();
            vec![
                (format!("{name}_count"), times.count().to_string()),
                (format!("{name}_sum"), times.seconds().to_string()),
                (format!("{name}_p50"), quantile(0.5)),
                (format!("{name}_p99"), quantile(0.99)),
            ]
        }
    }
}

const PLACES: [&str; 3] = ["pool", "shard", "family"];
