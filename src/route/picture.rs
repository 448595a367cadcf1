//! The ring as one sees it: who answers along its way, and where on it a hash is.
//!
//! What the way is hangs on the distribution: all hashes in their order (ketama), all slots
//! (rendezvous), or all places of the weighted list (modula). With the random distribution there
//! is none.

use super::hash::range;
use super::placement::Placement;
use super::rendezvous::{mix, unmix};
use super::ring::Ring;

/// The way, cut into slices of equal length; the index of a shard for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Who answers while all are in.
    pub home: Vec<u16>,
    /// Who answers now; empty when nobody is in.
    pub now: Vec<u16>,
}

/// What the positions on the way are.
enum Way {
    /// Of so many hashes.
    Hashes(u64),
    Slots,
    /// Of so many places.
    List(u64),
}

impl Ring {
    /// Who answers in the middle of each of so many slices of the way.
    pub fn picture(&self, slices: u32) -> Option<Picture> {
        let way = self.way()?;
        let hashes: Vec<u32> = (0..slices).map(|slice| self.hash_in(&way, slice, slices)).collect();
        let owners = |placement: &Placement| {
            let owner = |&hash: &u32| placement.shard(|| hash).map(|shard| shard as u16);
            hashes.iter().filter_map(owner).collect()
        };
        Some(Picture { home: owners(self.home_placement()), now: owners(self.placement()) })
    }

    /// Where on the way a hash is: 0 is its start, 1 would be its end.
    pub fn place_of_hash(&self, hash: u32) -> Option<f64> {
        Some(match self.way()? {
            Way::Hashes(range) => f64::from(hash) / range as f64,
            Way::Slots => f64::from(mix(hash)) / WHOLE,
            Way::List(length) => ((u64::from(hash) % length) as f64 + 0.5) / length as f64,
        })
    }

    fn way(&self) -> Option<Way> {
        match self.home_placement() {
            Placement::Ketama(_) | Placement::One(_) => Some(Way::Hashes(range(self.method().1))),
            Placement::Rendezvous(_) => Some(Way::Slots),
            Placement::Modula(list) => Some(Way::List(list.place(0).1)),
            _ => None,
        }
    }

    /// A hash that falls into the middle of a slice.
    fn hash_in(&self, way: &Way, slice: u32, slices: u32) -> u32 {
        let part = |all: u64| {
            (u128::from(all) * (2 * u128::from(slice) + 1) / (2 * u128::from(slices))) as u64
        };
        match way {
            Way::Hashes(range) => part(*range) as u32,
            Way::Slots => unmix(part(1 << 32) as u32),
            // Any round over the list would do; those who stand in depend on the whole hash.
            Way::List(length) => {
                let rounds = (range(self.method().1) / length).max(1);
                (part(*length) + length * (u64::from(slice.wrapping_mul(GOLDEN)) % rounds)) as u32
            }
        }
    }
}

const WHOLE: f64 = (1_u64 << 32) as f64;
/// Multiples of it (2³² over the golden ratio) spread evenly, however many are taken.
const GOLDEN: u32 = 0x9e37_79b9;

#[cfg(test)]
mod tests {
    use crate::config::{Distribution, Hash};
    use crate::route::{Ring, RingSpec};

    const SERVERS: [(&str, u32); 4] = [("a", 1), ("b", 2), ("c", 1), ("d", 3)];

    fn ring(distribution: Distribution, hash: Hash) -> Ring {
        RingSpec { distribution, hash, ..RingSpec::new(&SERVERS) }.build()
    }

    const DISTRIBUTIONS: [Distribution; 3] =
        [Distribution::Ketama, Distribution::Modula, Distribution::Rendezvous];

    #[test]
    fn the_slice_where_a_hash_is_shows_its_shard() {
        for distribution in DISTRIBUTIONS {
            let ring = ring(distribution, Hash::Fnv1a32).with_live(&[true, false, true, true]);
            let slices = 1 << 18;
            let picture = ring.picture(slices).unwrap();
            let (mut agree, samples) = (0, 2000);
            for sample in 0..samples {
                let hash = super::unmix(sample);
                let slice = (ring.place_of_hash(hash).unwrap() * f64::from(slices)) as usize;
                let home = ring.home_placement().shard(|| hash).unwrap();
                agree += u32::from(usize::from(picture.home[slice]) == home);
            }
            // At the border between two owners the middle of a slice speaks for the wrong side.
            assert!(agree >= samples - 10, "{distribution:?}: {agree} of {samples}");
        }
    }

    #[test]
    fn the_slices_have_the_shards_shares() {
        for distribution in DISTRIBUTIONS {
            let ring = ring(distribution, Hash::Md5).with_live(&[true, true, false, true]);
            let picture = ring.picture(20_000).unwrap();
            for (shard, share) in ring.shares().into_iter().enumerate() {
                let slices = picture.now.iter().filter(|&&owner| usize::from(owner) == shard);
                let drawn = slices.count() as f64 / 20_000.0;
                assert!((drawn - share).abs() < 0.01, "{distribution:?} {shard}: {drawn} {share}");
            }
        }
    }

    #[test]
    fn where_no_key_has_a_home_there_is_nothing_to_draw() {
        let ring = ring(Distribution::Random, Hash::Md5);
        assert_eq!(ring.picture(10), None);
        assert_eq!(ring.place_of_hash(1), None);
    }

    #[test]
    fn when_nobody_is_in_nobody_answers() {
        let ring = ring(Distribution::Ketama, Hash::Md5).with_live(&[false; 4]);
        let picture = ring.picture(10).unwrap();
        assert_eq!((picture.home.len(), picture.now.len()), (10, 0));
    }
}
