//! Which part of all keys lives elsewhere on another ring, from where to where.
//!
//! Where both rings share the hashes out in the same manner the part is counted exactly, arc by arc
//! (ketama), slot by slot (rendezvous) or along the two weighted lists (modula). Otherwise a million
//! hashes, evenly spread, are looked up in both.

use std::collections::BTreeMap;

use super::arcs::{Intervals, walk};
use super::placement::Placement;
use super::ring::Ring;

/// What moves from one ring to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Moves {
    /// From where to where, the largest first.
    pub each: Vec<Move>,
    /// How that is known.
    pub basis: Basis,
}

/// What moves from one shard to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// Index of the shard in the one ring.
    pub from: usize,
    /// Index of the shard in the other ring.
    pub to: usize,
    /// The part of all keys: of 1.
    pub share: f64,
}

/// How well [`Moves`] are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Every hash was counted.
    Exact,
    /// So many hashes were looked up in both rings.
    Sampled(u32),
    /// The rings hash keys by different functions: where a key was says nothing of where it will
    /// be.
    Unrelated,
}

impl Moves {
    /// The part of all keys that moves: of 1.
    pub fn share(&self) -> f64 {
        // An empty sum would be -0.
        self.each.iter().fold(0.0, |sum, moved| sum + moved.share)
    }
}

/// For each shard of `old` the one of `new` that has its name.
pub fn by_name(old: &Ring, new: &Ring) -> Vec<Option<usize>> {
    let place = |name: &str| new.placed().iter().position(|server| &*server.name == name);
    old.placed().iter().map(|server| place(&server.name)).collect()
}

/// What moves from where `old` has it now to where `new` has it now, if shard `s` of `old` is the
/// shard `same[s]` of `new`. `None` if a ring has no shard that is in, or places keys by chance.
///
/// That is a part of all values of the hash: keys without a hash tag, of which none is asked for
/// more than others.
pub fn between(old: &Ring, new: &Ring, same: &[Option<usize>]) -> Option<Moves> {
    let places = |ring: &Ring| {
        let is_one = ring.servers() == 1;
        is_one || !matches!(ring.placement(), Placement::Nobody | Placement::Random(_))
    };
    if !places(old) || !places(new) {
        return None;
    }
    let mut tally = Tally::default();
    let basis = match old.hashes_like(new) {
        true => tally.count(old, new),
        false => {
            tally.multiply(&old.shares(), &new.shares());
            Basis::Unrelated
        }
    };
    let all = tally.total();
    let is_moved = |from: usize, to: usize| same.get(from).copied().flatten() != Some(to);
    let moved = tally.counts.into_iter().filter(|&((from, to), _)| is_moved(from, to));
    let mut each: Vec<Move> =
        moved.map(|((from, to), count)| Move { from, to, share: count / all }).collect();
    each.sort_by(|a, b| b.share.total_cmp(&a.share));
    Some(Moves { each, basis })
}

/// How many hashes are whose in the one ring and whose in the other.
#[derive(Debug, Default)]
struct Tally {
    counts: BTreeMap<(usize, usize), f64>,
}

impl Tally {
    fn add(&mut self, from: usize, to: usize, hashes: f64) {
        if hashes > 0.0 {
            *self.counts.entry((from, to)).or_default() += hashes;
        }
    }

    fn total(&self) -> f64 {
        self.counts.values().sum()
    }

    fn multiply(&mut self, old: &[f64], new: &[f64]) {
        for (from, &had) in old.iter().enumerate() {
            new.iter().enumerate().for_each(|(to, &has)| self.add(from, to, had * has));
        }
    }

    fn count(&mut self, old: &Ring, new: &Ring) -> Basis {
        let range = old.range();
        if [old, new].iter().any(|ring| matches!(ring.placement(), Placement::One(_))) {
            self.multiply(&old.shares(), &new.shares());
            return Basis::Exact;
        }
        if range <= FEW_HASHES {
            self.look_up(old, new, (0..range).map(|hash| hash as u32));
            return Basis::Exact;
        }
        if let (Placement::Rendezvous(had), Placement::Rendezvous(has)) =
            (old.placement(), new.placement())
        {
            let owners = had.owners().iter().zip(has.owners());
            owners.for_each(|(&from, &to)| self.add(from.into(), to.into(), 1.0));
            return Basis::Exact;
        }
        if self.walk(old, new, range).is_some() {
            return Basis::Exact;
        }
        // An odd factor visits evenly spread hashes in the manner of the golden section.
        self.look_up(old, new, (0..SAMPLES).map(|sample| sample.wrapping_mul(GOLDEN)));
        Basis::Sampled(SAMPLES)
    }

    fn look_up(&mut self, old: &Ring, new: &Ring, hashes: impl Iterator<Item = u32>) {
        for hash in hashes {
            if let (Some(from), Some(to)) = (old.shard_of_hash(hash), new.shard_of_hash(hash)) {
                self.add(from, to, 1.0);
            }
        }
    }

    /// Along the intervals of both, to where they begin again together; as often as the range of
    /// the hash has it.
    fn walk(&mut self, old: &Ring, new: &Ring, range: u64) -> Option<()> {
        let (had, has) = (Intervals::of(old.placement())?, Intervals::of(new.placement())?);
        let together = common_multiple(had.period, has.period).min(range);
        if had.count(together).saturating_add(has.count(together)) > MOST_INTERVALS {
            return None;
        }
        let (rounds, rest) = (range / together, range % together);
        walk(&had, &has, together, |from, to, low, high| {
            let in_rest = rest.clamp(low, high) - low;
            self.add(from.into(), to.into(), (rounds * (high - low) + in_rest) as f64);
        });
        Some(())
    }
}

fn common_multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor.max(1)).saturating_mul(b)
}

/// So many hashes are looked up one by one: crc32 has no more.
const FEW_HASHES: u64 = 1 << 16;
/// Past so many intervals a sample is as good and sooner there.
const MOST_INTERVALS: u64 = 1 << 22;
const SAMPLES: u32 = 1 << 20;
/// 2³² over the golden section, made odd.
const GOLDEN: u32 = 0x9e37_79b1;

#[cfg(test)]
mod tests;
