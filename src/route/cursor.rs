//! The cursor of SCAN over all shards: one number that says which shard, and where on it.
//!
//! ```text
//!   number = the shard's own cursor × number of shards + the shard's index
//!
//!   0 ─► shard 0 ─► … ─► shard 0 is done: 1 ─► shard 1 ─► … ─► the last is done: 0
//! ```
//!
//! A Redis's own cursor is below the size of its hash table, a power of two that fits its memory,
//! so that the product stays far below 2⁶³, which every client can hold, and below 2⁵³, what a
//! double can, up to 2⁵³ ÷ shards places. No more can be promised: the cursor is the shard's to
//! choose, of all 64 bits, and what it says must come back to it whole. A number too large for the
//! product is an error, not a cut one.

/// A place in an iteration over the keys of all shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The shard that is iterated.
    pub shard: usize,
    /// Where on it: its own cursor; 0 is its start.
    pub inner: u64,
}

impl Cursor {
    /// The start of a shard.
    pub fn start_of(shard: usize) -> Self {
        Self { shard, inner: 0 }
    }

    /// The place that `number` stands for, among `shards` shards. Every number stands for some
    /// place: one that nobody gave out is harmless, as it is in Redis.
    pub fn from_number(number: u64, shards: usize) -> Self {
        let shards = shards as u64;
        Self { shard: (number % shards) as usize, inner: number / shards }
    }

    /// The number that stands for this place, if it has one that clients can hold.
    pub fn number(self, shards: usize) -> Option<u64> {
        if shards == 1 {
            return Some(self.inner);
        }
        let number = self.inner.checked_mul(shards as u64)?.checked_add(self.shard as u64)?;
        (number <= LARGEST).then_some(number)
    }

    /// The place to go on at when only some shards are in: this one, or the start of the next
    /// shard that is. `None` when there is none: the iteration is over.
    pub fn or_next(self, shards: usize, is_in: impl Fn(usize) -> bool) -> Option<Self> {
        if is_in(self.shard) {
            return Some(self);
        }
        (self.shard + 1..shards).find(|&shard| is_in(shard)).map(Self::start_of)
    }

    /// The place that follows a page of this shard that ended with `inner`.
    pub fn after(self, inner: u64, shards: usize, is_in: impl Fn(usize) -> bool) -> Option<Self> {
        match inner {
            0 => (self.shard + 1..shards).find(|&shard| is_in(shard)).map(Self::start_of),
            inner => Some(Self { inner, ..self }),
        }
    }
}

/// The number that a client's cursor is, read as Redis 7.0 reads it (C's `strtoul`): a sign is
/// taken, spaces are not, nothing at all is 0.
pub fn parse(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { number.wrapping_neg() } else { number })
}

/// What a signed 64-bit integer holds: clients in Java and PHP have no other.
const LARGEST: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_number_of_its_own_and_comes_back() {
        for shards in [1, 2, 3, 7, 1000] {
            let mut seen = std::collections::HashSet::new();
            for shard in 0..shards {
                for inner in [0, 1, 2, 3, 7, 1 << 20, (1 << 40) + 5] {
                    let place = Cursor { shard, inner };
                    let number = place.number(shards).unwrap();
                    assert!(seen.insert(number), "{place:?} of {shards} has another's number");
                    assert_eq!(Cursor::from_number(number, shards), place);
                }
            }
        }
        assert_eq!(Cursor::default().number(3), Some(0), "0 starts");
    }

    #[test]
    fn a_place_without_a_number_is_told_and_not_cut() {
        assert_eq!(Cursor { shard: 0, inner: u64::MAX }.number(1), Some(u64::MAX));
        assert_eq!(Cursor { shard: 0, inner: u64::MAX }.number(2), None);
        assert_eq!(Cursor { shard: 1, inner: LARGEST / 2 }.number(2), Some(LARGEST));
        assert_eq!(Cursor { shard: 0, inner: LARGEST / 2 + 1 }.number(2), None);
    }

    #[test]
    fn an_iteration_visits_each_shard_that_is_in_and_ends() {
        let is_in = |shard| shard != 0 && shard != 2;
        let mut visited = Vec::new();
        let mut at = Cursor::default().or_next(5, is_in);
        while let Some(place) = at {
            assert_ne!(place.number(5), Some(0), "{place:?} would end the iteration");
            visited.push(place.shard);
            // Each shard has two pages.
            let inner = if place.inner == 0 { 9 } else { 0 };
            at = place.after(inner, 5, is_in);
        }
        assert_eq!(visited, [1, 1, 3, 3, 4, 4]);
    }

    #[test]
    fn a_shard_that_vanishes_midway_is_left_for_the_next() {
        let midway = Cursor { shard: 1, inner: 77 };
        assert_eq!(midway.or_next(3, |_| true), Some(midway));
        assert_eq!(midway.or_next(3, |shard| shard != 1), Some(Cursor::start_of(2)));
        assert_eq!(midway.or_next(3, |shard| shard == 0), None, "0 was scanned before");
    }

    #[test]
    fn cursors_are_read_as_redis_reads_them() {
        for (text, number) in [
            ("0", 0),
            ("", 0),
            ("007", 7),
            ("+5", 5),
            ("-1", u64::MAX),
            ("18446744073709551615", u64::MAX),
            ("-18446744073709551615", 1),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(number), "{text}");
        }
        for text in ["x", "1x", " 1", "1 ", "-", "+", "0x10", "18446744073709551616", "1.5"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
