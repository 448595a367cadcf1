//! The keys that came most often: a list in front of a sketch.
//!
//! ```text
//!   key ──► on the list? ── yes ──► counted there, exactly
//!               │ no
//!               ▼
//!            sketch: its count so far ── more than the least on the list? ──► takes that one's place
//! ```
//!
//! A key on the list is counted there alone, so that the sketch's errors come only from keys that are
//! not hot, and end with what a key had when it came onto the list, which fades. A key that leaves the
//! list takes what was counted there back to the sketch.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::big::Transfer;
use super::key::Key;
use super::sketch::Sketch;

/// A command that was looked at, and one of its keys.
#[derive(Debug, Clone, Copy)]
pub struct Noted<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its [`hash`](super::key::hash).
    pub hash: u64,
    /// Where it lives.
    pub shard: usize,
    /// The command's name in the command table.
    pub command: &'static str,
    /// Whether the command writes.
    pub writes: bool,
    /// How many bytes of the command are this key's.
    pub bytes: usize,
    /// For how many commands it stands.
    pub stands_for: f32,
}

impl<'a> Noted<'a> {
    /// The bytes that the command carries for the key.
    pub fn transfer(&self) -> Transfer<'a> {
        let &Self { hash, shard, command, bytes, stands_for, .. } = self;
        Transfer { key: self.key.into(), hash, shard, command, bytes, stands_for }
    }
}

/// A key on the list. All figures but `bytes` are numbers of commands, each with the weight of its
/// moment ([`Decay`](super::decay::Decay)).
#[derive(Debug, Clone)]
pub struct Hitter {
    /// The key.
    pub key: Key,
    /// Its hash.
    pub hash: u64,
    /// How often it came.
    pub count: f32,
    /// How much of that may be other keys'.
    pub surplus: f32,
    /// The variance that comes of looking at some commands only.
    pub variance: f32,
    /// How many of those wrote, of `looked_at`.
    pub writes: f32,
    /// What came of it while it was on the list.
    pub looked_at: f32,
    /// Bytes of requests and replies while it was on the list.
    pub bytes: f32,
    /// Where it lived when it came last.
    pub shard: usize,
    /// The command that it came with last.
    pub command: &'static str,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Hitters {
    listed: Vec<Hitter>,
    places: HashMap<u64, usize, BuildHasherDefault<AsItIs>>,
    sketch: Sketch,
    /// No more than the least count on the list; counts only grow.
    least: f32,
}

impl Hitters {
    /// Counts a key; `weight` is that of the moment.
    pub fn note(&mut self, noted: &Noted<'_>, weight: f32) {
        let more = noted.stands_for * weight;
        match self.places.get(&noted.hash) {
            Some(&place) => self.listed[place].count += more,
            None => {
                let before = self.sketch.count(noted.hash);
                if !self.admit(noted, before, weight) {
                    self.sketch.add(noted.hash, more);
                    return;
                }
            }
        }
        let hitter = &mut self.listed[self.places[&noted.hash]];
        hitter.variance += more * (noted.stands_for - 1.0) * weight;
        hitter.looked_at += more;
        hitter.bytes += more * noted.bytes as f32;
        if noted.writes {
            hitter.writes += more;
        }
        (hitter.shard, hitter.command) = (noted.shard, noted.command);
    }

    /// So many bytes more were sent for a key, if it is on the list.
    pub fn add_bytes(&mut self, hash: u64, bytes: f32) {
        if let Some(&place) = self.places.get(&hash) {
            self.listed[place].bytes += bytes;
        }
    }

    /// The keys on the list, in no order.
    pub fn listed(&self) -> &[Hitter] {
        &self.listed
    }

    /// How often a key may have come that is not on the list.
    pub fn count_of_others(&self, hash: u64) -> f32 {
        self.sketch.count(hash)
    }

    /// Multiplies all counts.
    pub fn multiply(&mut self, factor: f32) {
        self.sketch.multiply(factor);
        self.least *= factor;
        for hitter in &mut self.listed {
            let counts = [
                &mut hitter.count,
                &mut hitter.surplus,
                &mut hitter.writes,
                &mut hitter.looked_at,
                &mut hitter.bytes,
            ];
            counts.into_iter().for_each(|count| *count *= factor);
            hitter.variance *= factor * factor;
        }
    }

    /// Puts a key onto the list of which the sketch has `before`, if it has come more often now than
    /// the least there.
    fn admit(&mut self, noted: &Noted<'_>, before: f32, weight: f32) -> bool {
        let surplus = before.min(self.sketch.error());
        let mut hitter = Hitter::new(noted, before, surplus, weight);
        if self.listed.len() < LISTED {
            hitter.key.set(noted.key.into());
            self.places.insert(noted.hash, self.listed.len());
            self.listed.push(hitter);
            return true;
        }
        if hitter.count <= self.least {
            return false;
        }
        let counts = self.listed.iter().enumerate().map(|(place, hitter)| (hitter.count, place));
        let (least, place) =
            counts.min_by(|one, other| one.0.total_cmp(&other.0)).expect("the list is full");
        self.least = least;
        if hitter.count <= least {
            return false;
        }
        let leaving = &mut self.listed[place];
        std::mem::swap(&mut hitter.key, &mut leaving.key);
        hitter.key.set(noted.key.into());
        self.places.remove(&leaving.hash);
        // The sketch still has what the key had when it came.
        self.sketch.add(leaving.hash, leaving.looked_at);
        *leaving = hitter;
        self.places.insert(noted.hash, place);
        true
    }
}

impl Hitter {
    /// One that came now, and so often before; its key is still to be set.
    fn new(noted: &Noted<'_>, before: f32, surplus: f32, weight: f32) -> Self {
        Self {
            key: Key::default(),
            hash: noted.hash,
            count: before + noted.stands_for * weight,
            surplus,
            variance: before * (noted.stands_for - 1.0) * weight,
            writes: 0.0,
            looked_at: 0.0,
            bytes: 0.0,
            shard: noted.shard,
            command: noted.command,
        }
    }
}

/// A hash that needs no hashing.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes of 64 bits are looked up");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Keys on a worker's list: more than anyone reads, so that the hottest of all workers together are
/// on the list of each.
pub const LISTED: usize = 128;

#[cfg(test)]
mod tests {
    use super::super::key::hash;
    use super::*;

    fn note(hitters: &mut Hitters, name: &str, stands_for: f32) {
        let (command, writes, bytes, shard) = ("get", false, 10, 0);
        let (key, hash) = (name.as_bytes(), hash(name.as_bytes()));
        hitters.note(&Noted { key, hash, shard, command, writes, bytes, stands_for }, 1.0);
    }

    fn listed<'a>(hitters: &'a Hitters, name: &str) -> Option<&'a Hitter> {
        hitters.listed().iter().find(|hitter| hitter.key.start == name.as_bytes())
    }

    #[test]
    fn as_many_keys_as_the_list_has_places_are_counted_exactly() {
        let mut hitters = Hitters::default();
        for round in 0..LISTED {
            for name in round..LISTED {
                note(&mut hitters, &name.to_string(), 3.0);
            }
        }
        for name in 0..LISTED {
            let hitter = listed(&hitters, &name.to_string()).expect("it is on the list");
            let count = 3.0 * (name + 1) as f32;
            assert_eq!((hitter.count, hitter.surplus, hitter.bytes), (count, 0.0, count * 10.0));
        }
    }

    #[test]
    fn a_key_that_leaves_the_list_and_comes_back_has_lost_nothing() {
        let mut hitters = Hitters::default();
        note(&mut hitters, "coming and going", 5.0);
        for name in 0..LISTED {
            (0..10).for_each(|_| note(&mut hitters, &name.to_string(), 1.0));
        }
        assert!(listed(&hitters, "coming and going").is_none());
        note(&mut hitters, "coming and going", 6.0);
        let back = listed(&hitters, "coming and going").expect("it is back");
        assert_eq!(back.count, 11.0);
        // And once more: what the sketch had is not brought to it twice.
        for name in 0..LISTED {
            (0..10).for_each(|_| note(&mut hitters, &name.to_string(), 1.0));
        }
        assert!(listed(&hitters, "coming and going").is_none());
        note(&mut hitters, "coming and going", 60.0);
        assert_eq!(listed(&hitters, "coming and going").map(|back| back.count), Some(71.0));
    }

    #[test]
    fn counts_are_never_too_small_whoever_comes_and_goes() {
        let mut random = fastrand::Rng::with_seed(9);
        let (mut hitters, mut exact) = (Hitters::default(), HashMap::new());
        for _ in 0..50_000 {
            let name = random.u32(1..2000) * random.u32(1..2000) / 4000;
            note(&mut hitters, &name.to_string(), 1.0);
            *exact.entry(name.to_string()).or_insert(0.0) += 1.0;
        }
        for hitter in hitters.listed() {
            let name = String::from_utf8_lossy(&hitter.key.start).into_owned();
            let over = hitter.count - exact[&name];
            assert!((0.0..=hitter.surplus + 1.0).contains(&over), "{over} of {hitter:?}");
        }
    }
}
