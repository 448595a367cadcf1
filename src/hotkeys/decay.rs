//! Time that fades: what happened a while ago counts for less.
//!
//! Instead of making all counts smaller as time passes, what happens later is made to count for more:
//! each event, and each second itself, is added with the weight of its moment, which doubles every
//! [`HALF_LIFE`]. A count divided by the seconds that were added up in the same way is the rate of
//! now, and nothing needs to be touched until the weight gets out of hand.

use std::time::{Duration, Instant};

/// What happened so long ago counts half: nine tenths of a rate come from the last 33 seconds.
pub const HALF_LIFE: Duration = Duration::from_secs(10);

/// The weight of the present moment, and the seconds that counts are to be divided by.
#[derive(Debug)]
pub struct Decay {
    weight: f32,
    seconds: f64,
    told: Instant,
}

impl Decay {
    /// Time begins at `now`.
    pub fn new(now: Instant) -> Self {
        Self { weight: 1.0, seconds: 0.0, told: now }
    }

    /// What something that happens now is to be multiplied with.
    pub fn weight(&self) -> f32 {
        self.weight
    }

    /// It is `now`. Returns the seconds since the last call, and what all that was counted has to be
    /// multiplied with, if anything.
    pub fn advance(&mut self, now: Instant) -> (f64, Option<f32>) {
        let passed = now.saturating_duration_since(self.told).as_secs_f64();
        self.told = now;
        self.seconds += passed * f64::from(self.weight);
        self.weight *= (passed / HALF_LIFE.as_secs_f64()).exp2().min(f64::from(MOST)) as f32;
        if self.weight < MOST {
            return (passed, None);
        }
        let factor = 1.0 / self.weight;
        self.weight = 1.0;
        self.seconds *= f64::from(factor);
        (passed, Some(factor))
    }

    /// The seconds, weighted, by which what was counted with [`Self::weight`] is a rate. A
    /// thousandth at least.
    pub fn seconds(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.told).as_secs_f64();
        (self.seconds + since * f64::from(self.weight)).max(0.001)
    }
}

/// The weight is brought back to 1 after so much: every three minutes and a half. Squares of counts
/// with this weight are still far within the range of `f32`.
const MOST: f32 = 1048576.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// The rate that is told of something that happens `rate(second)` times in each second.
    fn told(seconds: u32, rate: impl Fn(u32) -> f32) -> f64 {
        let start = Instant::now();
        let (mut decay, mut count) = (Decay::new(start), 0.0f32);
        for second in 0..seconds {
            count += rate(second) * decay.weight();
            let now = start + Duration::from_secs(u64::from(second) + 1);
            count *= decay.advance(now).1.unwrap_or(1.0);
        }
        f64::from(count) / decay.seconds(start + Duration::from_secs(u64::from(seconds)))
    }

    #[test]
    fn a_steady_rate_is_told_as_it_is_from_the_first_second_to_the_last() {
        for seconds in [1, 2, 10, 100, 1000, 10_000] {
            let rate = told(seconds, |_| 500.0);
            assert!((499.0..501.0).contains(&rate), "{rate} after {seconds} s");
        }
    }

    #[test]
    fn what_changes_is_half_forgotten_after_the_half_life() {
        let risen = told(1010, |second| if second < 1000 { 0.0 } else { 1000.0 });
        assert!((480.0..520.0).contains(&risen), "{risen}");
        let fallen = told(1060, |second| if second < 1000 { 1000.0 } else { 0.0 });
        assert!(fallen < 20.0, "{fallen}");
    }

    #[test]
    fn a_long_sleep_is_survived() {
        let start = Instant::now();
        let mut decay = Decay::new(start);
        decay.advance(start + Duration::from_secs(1_000_000));
        assert!(decay.weight() == 1.0);
        assert!(decay.seconds(start + Duration::from_secs(1_000_001)) > 0.9);
    }
}
