//! An order of all slots that belongs to one name.

use super::hash::md5_points;

/// Slots are numbered in this many bits.
pub const SLOT_BITS: u32 = 18;
/// How many slots there are. More would balance better and cost more memory and cache: at this
/// size (512 KiB a pool) ten equal shards have 0.4 % around their mean, the worst of a thousand
/// sets of names 1.5 %.
pub const SLOTS: u32 = 1 << SLOT_BITS;

const MASK: u32 = SLOTS - 1;
/// Half the width: `x ^= x >> HALF` is then its own inverse.
const HALF: u32 = SLOT_BITS / 2;

/// The order in which one server visits the slots: a keyed bijection of `0..SLOTS`, so that a
/// slot's rank and a rank's slot both cost a few multiplications and no memory.
#[derive(Debug, Clone)]
pub struct Permutation {
    offset: u32,
    multipliers: [u32; 3],
    inverses: [u32; 3],
}

impl Permutation {
    /// The order that belongs to `name`. Part of where keys live: it must never change.
    pub fn of(name: &str) -> Self {
        let [offset, keys @ ..] = md5_points(name.as_bytes());
        let multipliers = keys.map(|key| key | 1);
        Self { offset, multipliers, inverses: multipliers.map(inverse) }
    }

    /// When the server comes to `slot`: 0 is first.
    #[inline]
    pub fn rank(&self, slot: u32) -> u32 {
        let mixed = self.multipliers.iter().fold(slot.wrapping_add(self.offset), |x, &by| {
            let x = x.wrapping_mul(by) & MASK;
            x ^ (x >> HALF)
        });
        mixed & MASK
    }

    /// Where the server is at `rank`: the inverse of [`Permutation::rank`].
    #[inline]
    pub fn slot(&self, rank: u32) -> u32 {
        let mixed = self.inverses.iter().rev().fold(rank, |x, &by| {
            let x = x ^ (x >> HALF);
            x.wrapping_mul(by) & MASK
        });
        mixed.wrapping_sub(self.offset) & MASK
    }
}

/// The inverse of an odd number modulo 2³²: each of Newton's steps doubles the right bits.
fn inverse(odd: u32) -> u32 {
    (0..5).fold(odd, |guess, _| guess.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(guess))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_one_rank_and_every_rank_one_slot() {
        for name in ["", "a", "10.0.0.1:6379", "/tmp/redis.sock:"] {
            let order = Permutation::of(name);
            let mut seen = vec![false; SLOTS as usize];
            for slot in 0..SLOTS {
                let rank = order.rank(slot);
                assert_eq!(order.slot(rank), slot);
                assert!(!std::mem::replace(&mut seen[rank as usize], true), "rank {rank} twice");
            }
        }
    }

    #[test]
    fn names_that_differ_in_one_character_have_unrelated_orders() {
        let (one, other) = (Permutation::of("10.0.0.1:6379"), Permutation::of("10.0.0.2:6379"));
        let earlier = (0..SLOTS).filter(|&slot| one.rank(slot) < other.rank(slot)).count();
        assert!((f64::from(SLOTS) / 2.0 - earlier as f64).abs() < 2_000.0, "{earlier}");
    }

    /// A change here moves the keys of every pool in use.
    #[test]
    fn the_order_of_a_name_is_for_ever() {
        let order = Permutation::of("10.0.0.1:6379");
        let ranks: Vec<_> = [0, 1, 2, 131_072, SLOTS - 1].map(|slot| order.rank(slot)).into();
        assert_eq!(ranks, [78312, 175439, 128470, 164709, 168096]);
    }
}
