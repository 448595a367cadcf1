//! The numbers of one metric at one moment, each with what it is the number of.

use std::borrow::Cow;

use super::declared::{From, Metric};
use super::reading::Reading;
use crate::admin::histogram::Distribution;
use crate::command::Family;

/// One number, or one histogram.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What it is of: names and values.
    pub labels: Vec<(&'static str, Cow<'static, str>)>,
    /// The number.
    pub value: Value,
}

/// What a sample says.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number.
    Number(f64),
    /// How many times were how long.
    Times(Box<Distribution>),
}

/// All samples of a metric, pool by pool and shard by shard.
pub fn samples(metric: &Metric, reading: &Reading) -> Vec<Sample> {
    let mut all = Vec::new();
    match metric.from {
        From::Build => {
            let version = Cow::Borrowed(env!("CARGO_PKG_VERSION"));
            all.push(number(vec![("version", version)], 1.0));
        }
        From::Process(read) => all.push(number(Vec::new(), read(&reading.process))),
        From::Returns => all.push(times(Vec::new(), reading.returns())),
        From::Pool(read) => {
            for pool in &reading.pools {
                all.push(number(vec![of_pool(&pool.config.name)], read(pool)));
            }
        }
        From::PoolBy(label, read) => {
            for pool in &reading.pools {
                let own = of_pool(&pool.config.name);
                let by = |(value, read)| number(vec![own.clone(), (label, value)], read);
                all.extend(read(pool).into_iter().map(by));
            }
        }
        From::Family(read) => {
            for (pool, family) in families(reading) {
                let labels = of_family(&pool.config.name, family);
                all.push(number(labels, pool.sum(|pool| read(&pool.families[family as usize]))));
            }
        }
        From::FamilyTimes(which) => {
            for (pool, family) in families(reading) {
                if let Some(read) = pool.times_of(family) {
                    all.push(times(of_family(&pool.config.name, family), read[which as usize]));
                }
            }
        }
        From::Shard(read) => {
            for (pool, shard) in shards(reading) {
                all.push(number(of_shard(pool, &shard.name), read(shard)));
            }
        }
        From::ShardBy(label, read) => {
            for (pool, shard) in shards(reading) {
                let own = of_shard(pool, &shard.name);
                let by = |(value, read)| number([&own[..], &[(label, value)]].concat(), read);
                all.extend(read(shard).into_iter().map(by));
            }
        }
        From::ShardTimes(read) => {
            for (pool, shard) in shards(reading) {
                all.push(times(of_shard(pool, &shard.name), read(shard)));
            }
        }
    }
    all
}

type Labels = Vec<(&'static str, Cow<'static, str>)>;

fn number(labels: Labels, value: f64) -> Sample {
    Sample { labels, value: Value::Number(value) }
}

fn times(labels: Labels, times: Distribution) -> Sample {
    Sample { labels, value: Value::Times(Box::new(times)) }
}

fn of_pool(name: &str) -> (&'static str, Cow<'static, str>) {
    ("pool", Cow::Owned(name.to_owned()))
}

fn of_family(pool: &str, family: Family) -> Labels {
    vec![of_pool(pool), ("family", Cow::Borrowed(family.label()))]
}

fn of_shard(pool: &str, name: &str) -> Labels {
    vec![of_pool(pool), ("shard", Cow::Owned(name.to_owned()))]
}

/// The families of each pool that clients ever said a command of.
fn families(reading: &Reading) -> impl Iterator<Item = (&super::PoolReading, Family)> {
    let every = |pool| Family::ALL.iter().map(move |&family| (pool, family));
    reading.pools.iter().flat_map(every).filter(|(pool, family)| {
        pool.sum(|pool| pool.families[*family as usize].commands.value()) > 0.0
    })
}

fn shards(reading: &Reading) -> impl Iterator<Item = (&str, &super::ShardReading)> {
    reading
        .pools
        .iter()
        .flat_map(|pool| pool.shards.iter().map(|shard| (pool.config.name.as_str(), shard)))
}
