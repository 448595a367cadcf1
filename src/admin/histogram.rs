//! Lengths of time, counted by size: each bucket is twice as wide as the one before.

use super::counters::Counter;

/// A histogram with one writer. The buckets' bounds are 50 µs, 100 µs, 200 µs … 13.1072 s, and
/// whatever is longer.
#[derive(Debug, Default, Clone)]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    micros: Counter,
}

impl Histogram {
    /// Counts `count` times that were `micros` long each. Only the owning worker may call it.
    #[inline]
    pub fn record(&self, micros: u32, count: u32) {
        self.buckets[bucket(micros)].add(u64::from(count));
        self.micros.add(u64::from(micros) * u64::from(count));
    }

    /// What was counted so far.
    pub fn read(&self) -> Distribution {
        let buckets = std::array::from_fn(|bucket| self.buckets[bucket].value());
        Distribution { buckets, micros: self.micros.value() }
    }
}

/// What a histogram had counted when it was read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Distribution {
    /// How many times were as long as their bucket says, and longer than those of the one before.
    pub buckets: [u64; BUCKETS],
    /// The sum of all of them, in microseconds.
    pub micros: u64,
}

impl Distribution {
    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The sum of all times, in seconds.
    pub fn seconds(&self) -> f64 {
        self.micros as f64 / 1e6
    }

    /// Counts what `other` counted as well.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *ours += theirs;
        }
        self.micros += other.micros;
    }

    /// An upper bound of the time that the part `quantile` of all stayed below, in seconds; `None`
    /// without any, and infinite where it is beyond the last bound.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = (self.count() as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.buckets.iter().enumerate().find_map(|(index, count)| {
            seen += count;
            (seen >= rank).then(|| bound(index))
        })
    }
}

/// The longest time that bucket `index` counts, in seconds.
pub fn bound(index: usize) -> f64 {
    if index + 1 == BUCKETS { f64::INFINITY } else { f64::from(FIRST << index) / 1e6 }
}

#[inline]
fn bucket(micros: u32) -> usize {
    let firsts = micros.saturating_sub(1) / FIRST;
    ((u32::BITS - firsts.leading_zeros()) as usize).min(BUCKETS - 1)
}

/// Buckets of a histogram, the one without a bound included.
pub const BUCKETS: usize = 20;

/// The first bucket's bound in microseconds: a shard on the same machine answers in about as long.
const FIRST: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_first_bucket_that_is_not_shorter() {
        for micros in (0..2000).chain([13_107_200, 13_107_201, 4_000_000_000, u32::MAX]) {
            let seconds = f64::from(micros) / 1e6;
            let expected = (0..BUCKETS).position(|index| seconds <= bound(index));
            assert_eq!(Some(bucket(micros)), expected, "{micros} µs");
        }
        assert_eq!((bound(0), bound(18), bound(19)), (0.00005, 13.1072, f64::INFINITY));
    }

    #[test]
    fn what_was_recorded_is_read() {
        let histogram = Histogram::default();
        histogram.record(40, 3);
        histogram.record(150, 1);
        let read = histogram.read();
        assert_eq!((read.count(), read.micros), (4, 270));
        assert_eq!(read.quantile(0.5), Some(0.00005));
        assert_eq!(read.quantile(1.0), Some(0.0002));
        assert_eq!(Distribution::default().quantile(0.5), None);
        let mut sum = read;
        sum.add(&read);
        assert_eq!((sum.count(), sum.micros, sum.buckets[2]), (8, 540, 2));
    }
}
