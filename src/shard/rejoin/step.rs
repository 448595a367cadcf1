//! One step of a return: which keys go home in it. Pure.

use std::time::Duration;

use crate::route::ring::{ALL, Ring, Share};

/// Where keys live before and after.
#[derive(Debug, Clone)]
pub struct Step {
    /// The shard that returns.
    pub home: usize,
    /// Key in, shard out, until the switch.
    pub before: Ring,
    /// The same from the switch on.
    pub after: Ring,
}

impl Step {
    /// From the present shares to those in which `home` has `share`.
    pub fn new(ring: &Ring, shares: &[Share], home: usize, share: Share) -> Self {
        let mut then = shares.to_vec();
        then[home] = share;
        Self { home, before: ring.with_shares(shares), after: ring.with_shares(&then) }
    }

    /// The shard that gives `key` up in this step to the one that returns; `None` when the key
    /// stays where it is.
    pub fn gives_up(&self, key: &[u8]) -> Option<usize> {
        let source = self.before.shard(key)?;
        (source != self.home && self.after.shard(key) == Some(self.home)).then_some(source)
    }
}

/// The shares that a shard has one after the other until it has all; with a slow start they grow
/// by eighths.
pub fn shares(from: Share, slow_start: Duration) -> Vec<Share> {
    match (from, slow_start) {
        (ALL, _) => Vec::new(),
        (_, Duration::ZERO) => vec![ALL],
        _ => (1..=STEPS)
            .map(|step| (u32::from(ALL) * step / STEPS) as Share)
            .filter(|share| *share > from)
            .collect(),
    }
}

/// Steps of a slow start: with 100 GB of keys the first step is 12, which shows whether the shard
/// bears it; more steps would mean more of the short holds.
pub const STEPS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::ring::{NOTHING, RingSpec};

    #[test]
    fn shares_grow_to_all() {
        assert_eq!(shares(NOTHING, Duration::ZERO), [ALL]);
        assert_eq!(shares(NOTHING, Duration::from_secs(1)), [31, 63, 95, 127, 159, 191, 223, ALL]);
        assert_eq!(shares(191, Duration::from_secs(1)), [223, ALL]);
        assert!(shares(ALL, Duration::from_secs(1)).is_empty());
    }

    #[test]
    fn each_key_goes_home_in_one_step() {
        let ring = RingSpec::new(&[("a", 1), ("b", 1), ("c", 1)]).build();
        let mut now = vec![NOTHING, ALL, ALL];
        let mut went = vec![0; 500];
        for share in shares(NOTHING, Duration::from_secs(1)) {
            let step = Step::new(&ring, &now, 0, share);
            for (number, times) in went.iter_mut().enumerate() {
                let key = format!("key{number}");
                if let Some(source) = step.gives_up(key.as_bytes()) {
                    assert_ne!(source, 0);
                    *times += 1;
                }
            }
            now[0] = share;
        }
        for (number, times) in went.into_iter().enumerate() {
            let is_home = ring.home(format!("key{number}").as_bytes()) == 0;
            assert_eq!(times, u32::from(is_home), "key{number}");
        }
    }
}
