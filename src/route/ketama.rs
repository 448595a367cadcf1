//! twemproxy's ketama continuum.
//!
//! Each server has about 160 points on a circle of 2³² values; a key belongs to the first point
//! at or after its hash. The points never change: ejection changes only whose each point is.
//!
//! ```text
//! hash ─ top bits ─▶ starts ─▶ values ▁▂▃▅▆█ first value ≥ hash ─▶ owners ─▶ shard
//! ```
//!
//! A look-up jumps by the top bits of the hash to the first value that can match, and mostly is
//! there: `starts` has at least four entries a point.

use std::sync::Arc;

use super::hash::md5_points;
use super::placement::Placed;

/// Points of a server of mean weight, as libmemcached and twemproxy have it.
const POINTS_PER_SERVER: f32 = 160.0;

/// The sorted points of some servers, and the shard that answers for each.
#[derive(Debug, Clone)]
pub struct Continuum {
    /// The points' values, ascending, closed by a `u32::MAX` that no look-up runs past.
    values: Arc<[u32]>,
    /// For each value of the top bits, the first point that is not below all such hashes.
    starts: Arc<[u32]>,
    /// How far to shift a hash to get its top bits.
    shift: u32,
    /// The server that each point was made from.
    makers: Arc<[u16]>,
    /// The live shard that answers for each point, and after the last that of the first again.
    owners: Box<[u16]>,
}

impl Continuum {
    /// The continuum of those of the servers whose indices are listed; all are in.
    pub fn build(servers: &[Placed], members: &[u16]) -> Self {
        let points = sorted_points(servers, members);
        let mut values: Vec<u32> = points.iter().map(|&(value, _)| value).collect();
        values.push(u32::MAX);
        let makers: Arc<[u16]> = points.iter().map(|&(_, maker)| maker).collect();
        let bits = (points.len() * 4).next_power_of_two().trailing_zeros().clamp(2, 24);
        let starts = starts(&values, bits);
        let owners = resolve(&makers, |_| true);
        Self { values: values.into(), starts, shift: 32 - bits, makers, owners }
    }

    /// The same points; those of shards that are out belong to the next live one's.
    ///
    /// `None` when no live shard has a point.
    pub fn with_live(&self, live: &[bool]) -> Option<Self> {
        let is_live = |maker: u16| live[usize::from(maker)];
        let any = self.makers.iter().any(|&maker| is_live(maker));
        any.then(|| Self { owners: resolve(&self.makers, is_live), ..self.clone() })
    }

    /// The shard of the first point at or after `hash`.
    #[inline]
    pub fn owner(&self, hash: u32) -> u16 {
        let mut point = self.starts[(hash >> self.shift) as usize] as usize;
        while self.values[point] < hash {
            point += 1;
        }
        self.owners[point]
    }

    /// The first point at or after `hash`: its place, its value, and how many there are. Past the
    /// last comes the first again.
    pub fn point(&self, hash: u32) -> (usize, u32, usize) {
        let points = self.makers.len();
        let place = self.values[..points].partition_point(|&value| value < hash) % points;
        (place, self.values[place], points)
    }

    /// The arcs of the circle that belong to one point: the highest hash of each, ascending, and the
    /// live shard that answers for it. What follows the last point is the first one's.
    pub fn arcs(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        self.values.iter().copied().zip(self.owners.iter().copied())
    }

    /// How many points each of `shards` shards has.
    pub fn points(&self, shards: usize) -> Vec<usize> {
        let mut points = vec![0; shards];
        for &maker in self.makers.iter() {
            points[usize::from(maker)] += 1;
        }
        points
    }

    /// How many of the hashes below `range` each of `shards` shards owns.
    pub fn owned(&self, range: u64, shards: usize) -> Vec<u64> {
        let mut owned = vec![0; shards];
        let mut low = 0;
        for (&value, &owner) in self.values.iter().zip(&self.owners) {
            let high = (u64::from(value) + 1).min(range);
            owned[usize::from(owner)] += high - low;
            low = high;
        }
        owned
    }
}

/// How many points twemproxy gives a server, its rounding in 32 bits included: 25 equal servers
/// get 156 each rather than 160, and a weight far below the mean gets none.
fn point_count(weight: u32, total: u64, members: usize) -> u32 {
    let share = weight as f32 / total as f32;
    let fourths = share * POINTS_PER_SERVER / 4.0 * members as f32;
    (f64::from(fourths) + 1e-10) as f32 as u32 * 4
}

/// All points as (value, server), in order; equal values in the order of `members`.
fn sorted_points(servers: &[Placed], members: &[u16]) -> Vec<(u32, u16)> {
    let total = members.iter().map(|&member| u64::from(servers[usize::from(member)].weight)).sum();
    let mut points = Vec::new();
    for (place, &member) in (0_u16..).zip(members) {
        let server = &servers[usize::from(member)];
        for digest in 0..point_count(server.weight, total, members.len()) / 4 {
            let text = format!("{}-{digest}", server.name);
            points.extend(md5_points(text.as_bytes()).map(|value| (value, place)));
        }
    }
    points.sort_unstable();
    points.into_iter().map(|(value, place)| (value, members[usize::from(place)])).collect()
}

fn starts(values: &[u32], bits: u32) -> Arc<[u32]> {
    let mut point = 0;
    let first_at = |bucket: u32| {
        let low = bucket << (32 - bits);
        while values[point] < low {
            point += 1;
        }
        point as u32
    };
    (0..1 << bits).map(first_at).collect()
}

/// Each point's own server where that is live, else the server of the next point that is.
fn resolve(makers: &[u16], is_live: impl Fn(u16) -> bool) -> Box<[u16]> {
    let first = makers.iter().copied().find(|&maker| is_live(maker)).unwrap_or_default();
    let mut owner = first;
    let mut owners = vec![first; makers.len() + 1];
    for (slot, &maker) in owners.iter_mut().zip(makers).rev() {
        if is_live(maker) {
            owner = maker;
        }
        *slot = owner;
    }
    owners.into()
}

#[cfg(test)]
mod tests;
