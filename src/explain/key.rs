//! A key's way: tag, hash, point, shard, and where it goes if that shard fails.

use super::{Fields, Value};
use crate::config::{Distribution, Pool};
use crate::route::ring::{ALL, Share};
use crate::route::{Explanation, Ring, Spot};
use crate::shard::health::{ShardHealth, State, span};

/// A pool as it stands: what is configured, and who is in.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// As configured.
    pub pool: &'a Pool,
    /// Where keys live now.
    pub ring: &'a Ring,
    /// How each shard is; `None` where nobody asked them, so that all are taken to be in.
    pub health: Option<&'a [ShardHealth]>,
}

/// The ways of these keys, in their order.
pub fn keys(standing: Standing<'_>, keys: &[&[u8]]) -> Vec<Fields> {
    let told: Vec<Explanation> = keys.iter().map(|key| standing.ring.explain(key)).collect();
    let mut stand_ins = vec![None; keys.len()];
    let mut left: Vec<usize> = (0..keys.len()).filter(|&key| told[key].shard.is_some()).collect();
    // One ring at a time: that of many rendezvous shards without each of them would fill memory.
    while let Some(shard) = left.first().and_then(|&key| told[key].shard) {
        let without = standing.ring.without(shard);
        left.retain(|&key| {
            let is_its = told[key].shard == Some(shard);
            if is_its {
                stand_ins[key] = without.shard(keys[key]);
            }
            !is_its
        });
    }
    let told = keys.iter().zip(&told).zip(stand_ins);
    told.map(|((key, told), stand_in)| standing.key(key, told, stand_in)).collect()
}

impl Standing<'_> {
    fn key(&self, key: &[u8], told: &Explanation, stand_in: Option<usize>) -> Fields {
        let has_tag = told.hashed != (0..key.len());
        let tag = key[told.hashed.clone()].to_vec();
        vec![
            ("key", Value::Bytes(key.to_vec())),
            ("hash_tag", if has_tag { Value::Bytes(tag) } else { Value::Nothing }),
            ("hash", Value::Text(self.pool.hash.name().to_owned())),
            ("hash_value", Value::Number(told.hash.into())),
            ("distribution", Value::Text(self.pool.distribution.name().to_owned())),
            ("point", Value::of(point(told.spot))),
            ("home", Value::of(told.home.map(|home| self.name(home)))),
            ("shard", Value::of(told.shard.map(|shard| self.name(shard)))),
            ("address", Value::of(told.shard.map(|shard| self.address(shard)))),
            ("place", Value::Text(self.place(told))),
            ("if_ejected", self.if_ejected(told, stand_in)),
        ]
    }

    /// Whether it is at home, and if not, why.
    fn place(&self, told: &Explanation) -> String {
        match (told.home, told.shard) {
            _ if self.has_no_homes() => {
                "any shard, by chance: distribution random gives no key a home".to_owned()
            }
            (Some(home), Some(shard)) if home != shard => {
                format!("displaced: {}", self.why_not(home))
            }
            (Some(home), Some(_)) => match self.trouble(home) {
                None => "at home".to_owned(),
                Some(trouble) => format!("at home; {trouble}"),
            },
            _ => "nowhere: no shard is in, so that requests fail at once".to_owned(),
        }
    }

    /// What keeps a shard from having a key of its own.
    fn why_not(&self, shard: usize) -> String {
        match self.health.and_then(|health| health.get(shard)) {
            Some(health) if health.state == State::Returning => format!(
                "{} is returning and has {} of its keys back, this one not yet",
                self.name(shard),
                part(health.share)
            ),
            Some(health) => format!(
                "{} is {} for {}, {}",
                self.name(shard),
                health.state.name(),
                span(health.since.elapsed()),
                health.cause
            ),
            None => format!("{} is out", self.name(shard)),
        }
    }

    /// What is wrong with a shard that has its keys.
    fn trouble(&self, shard: usize) -> Option<String> {
        let health = self.health?.get(shard)?;
        match health.state {
            State::Live => None,
            State::Returning => Some(format!(
                "{} is returning and has {} of its keys back, this one among them",
                self.name(shard),
                part(health.share)
            )),
            _ => Some(format!("its requests fail at once: {}", self.why_not(shard))),
        }
    }

    fn if_ejected(&self, told: &Explanation, stand_in: Option<usize>) -> Value {
        if told.shard.is_some() && !self.pool.auto_eject_hosts {
            let stays = "stays, and its requests fail: auto_eject_hosts is off";
            return Value::Text(stays.to_owned());
        }
        match (told.shard, stand_in) {
            (Some(_), None) => Value::Text("nowhere: no other shard is in".to_owned()),
            (_, stand_in) => Value::of(stand_in.map(|shard| self.name(shard))),
        }
    }

    fn has_no_homes(&self) -> bool {
        self.pool.distribution == Distribution::Random && self.ring.servers() > 1
    }

    fn name(&self, shard: usize) -> String {
        self.pool.servers.get(shard).map_or_else(String::new, |server| server.name.clone())
    }

    fn address(&self, shard: usize) -> String {
        self.pool.servers.get(shard).map_or_else(String::new, |server| server.address.to_string())
    }
}

/// What a hash falls on, in words; counted from 1.
fn point(spot: Spot) -> Option<String> {
    match spot {
        Spot::Point { value, index, of } => {
            Some(format!("point {} of {of}, at {value}", index + 1))
        }
        Spot::Slot { index, of } => Some(format!("slot {} of {of}", index + 1)),
        Spot::Place { index, of } => Some(format!("place {} of {of}", index + 1)),
        Spot::Only | Spot::Chance => None,
    }
}

fn part(share: Share) -> String {
    super::percent(f64::from(share) / f64::from(ALL))
}
