//! A pool's shards as they stand: who is in, what is in flight, where displaced keys are.

use std::time::Duration;

use super::{Fields, Standing, Value, percent};
use crate::route::moves;
use crate::shard::health::State;

/// What the workers have to do with one shard, all of them together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load {
    /// Open connections, private ones included.
    pub links: u64,
    /// Requests whose replies are due.
    pub in_flight: u64,
    /// What a round trip usually takes, where it was measured.
    pub round_trip: Option<Duration>,
}

impl Load {
    /// That of two workers.
    pub fn and(self, other: Self) -> Self {
        let longest = self.round_trip.max(other.round_trip);
        Self {
            links: self.links + other.links,
            in_flight: self.in_flight + other.in_flight,
            round_trip: longest,
        }
    }
}

/// Each shard of the pool, with what is known of its load.
pub fn shards(standing: Standing<'_>, loads: &[Load]) -> Vec<Fields> {
    let home = standing.ring.at_home();
    let same: Vec<Option<usize>> = (0..standing.pool.servers.len()).map(Some).collect();
    let displaced = match standing.is_whole() {
        true => None,
        false => moves::between(&home, standing.ring, &same),
    };
    let shares = (home.shares(), standing.ring.shares());
    let servers = standing.pool.servers.iter().enumerate();
    let servers = servers.filter(|(_, server)| !server.is_removed);
    let told = servers.map(|(index, server)| {
        let heirs = displaced.iter().flat_map(|moves| &moves.each);
        let heirs = heirs.filter(|moved| moved.from == index).map(|moved| {
            let heir = standing.pool.servers[moved.to].name.clone();
            vec![("shard", Value::Text(heir)), ("share", Value::Text(percent(moved.share)))]
        });
        let load = loads.get(index).copied().unwrap_or_default();
        let mut fields = vec![
            ("shard", Value::Text(server.name.clone())),
            ("address", Value::Text(server.address.to_string())),
        ];
        fields.extend(standing.health_of(index));
        fields.extend([
            ("share", Value::Text(percent(shares.0[index]))),
            ("share_now", Value::Text(percent(shares.1[index]))),
            ("links", Value::Number(load.links)),
            ("in_flight", Value::Number(load.in_flight)),
            ("round_trip_us", round_trip(load.round_trip)),
            ("displaced_to", Value::maps(heirs)),
        ]);
        fields
    });
    told.collect()
}

impl Standing<'_> {
    fn is_whole(&self) -> bool {
        self.health.is_none_or(|health| {
            health.iter().all(|shard| matches!(shard.state, State::Live | State::Removed))
        })
    }

    fn health_of(&self, shard: usize) -> Fields {
        let Some(health) = self.health.and_then(|health| health.get(shard)) else {
            return Vec::new();
        };
        let cause = (!health.cause.is_empty()).then(|| health.cause.to_string());
        vec![
            ("state", Value::Text(health.state.name().to_owned())),
            ("seconds", Value::Number(health.since.elapsed().as_secs())),
            ("cause", Value::of(cause)),
        ]
    }
}

fn round_trip(time: Option<Duration>) -> Value {
    time.map_or(Value::Nothing, |time| Value::Number(time.as_micros() as u64))
}
