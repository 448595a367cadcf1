//! How often and how much: token buckets that several workers share.
//!
//! A bucket is one number, the moment at which what was taken is paid for (GCRA): taking moves it
//! on, time catches up with it. It may lie one second ahead, so that a second's worth can come at
//! once.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What one user or address may do in a second; 0 sets no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// Commands a second.
    pub requests: u64,
    /// Bytes a second, of commands and replies together.
    pub bytes: u64,
    /// Connections at a time.
    pub connections: u64,
}

impl Limit {
    /// Whether requests or bytes are limited.
    pub fn is_rated(&self) -> bool {
        self.requests > 0 || self.bytes > 0
    }

    /// Whether there is none.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

/// What one user or address has used up.
#[derive(Debug, Default)]
pub struct Meter {
    requests: Bucket,
    bytes: Bucket,
    pub(super) connections: AtomicU32,
}

impl Meter {
    /// Takes one request of `bytes` bytes at `now` (since the process began); when one of the two is
    /// used up, says how long to wait, and takes nothing. A request that is larger than what is
    /// left of the bytes goes through, and those that follow wait for it to be paid.
    pub fn take(&self, limit: &Limit, bytes: u64, now: Duration) -> Result<(), Exceeded> {
        let now = now.as_nanos() as u64;
        let bytes_ahead = self.bytes.ahead(now);
        if limit.bytes > 0 && bytes_ahead > BURST {
            return Err(Exceeded::Bytes(Duration::from_nanos(bytes_ahead - BURST)));
        }
        if limit.requests > 0 {
            let taken = self.requests.take_whole(now, price(1, limit.requests));
            taken.map_err(|wait| Exceeded::Requests(Duration::from_nanos(wait)))?;
        }
        if limit.bytes > 0 {
            self.bytes.take(now, price(bytes, limit.bytes));
        }
        Ok(())
    }

    /// Takes bytes of replies, which cannot be refused any more.
    pub fn charge(&self, limit: &Limit, bytes: u64, now: Duration) {
        if limit.bytes > 0 {
            self.bytes.take(now.as_nanos() as u64, price(bytes, limit.bytes));
        }
    }

    /// Whether all that was taken is paid for, so that a new meter would be the same.
    pub(super) fn is_rested(&self, now: Duration) -> bool {
        let now = now.as_nanos() as u64;
        self.requests.ahead(now) == 0 && self.bytes.ahead(now) == 0
    }
}

/// What there was too much of, and how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// Commands.
    Requests(Duration),
    /// Bytes.
    Bytes(Duration),
}

/// The moment at which what was taken is paid for, in nanoseconds.
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

impl Bucket {
    /// Nanoseconds that what was taken takes to be paid for.
    fn ahead(&self, now: u64) -> u64 {
        self.0.load(Relaxed).saturating_sub(now)
    }

    fn take(&self, now: u64, price: u64) {
        let _ =
            self.0.fetch_update(Relaxed, Relaxed, |paid| Some(paid.max(now).saturating_add(price)));
    }

    /// Takes it only if there is enough; else for how many nanoseconds there is not.
    fn take_whole(&self, now: u64, price: u64) -> Result<(), u64> {
        let taken = self.0.fetch_update(Relaxed, Relaxed, |paid| {
            let after = paid.max(now).saturating_add(price);
            (after <= now.saturating_add(BURST.max(price))).then_some(after)
        });
        let limit = now.saturating_add(BURST.max(price));
        taken.map(drop).map_err(|paid| paid.max(now).saturating_add(price) - limit)
    }
}

/// Nanoseconds that `amount` takes at so much a second.
fn price(amount: u64, per_second: u64) -> u64 {
    (u128::from(amount) * 1_000_000_000 / u128::from(per_second)).min(u128::from(u64::MAX)) as u64
}

/// A second's worth may come at once.
const BURST: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_second_s_worth_comes_at_once_and_the_rest_in_its_time() {
        let (meter, limit) = (Meter::default(), Limit { requests: 10, ..Limit::default() });
        let taken = |now| (0..100).filter(|_| meter.take(&limit, 1, at(now)).is_ok()).count();
        assert_eq!(taken(5_000), 10);
        assert_eq!(meter.take(&limit, 1, at(5_000)), Err(Exceeded::Requests(at(100))));
        // What is refused costs nothing.
        assert_eq!((taken(5_100), taken(5_350)), (1, 2));
        assert_eq!(taken(60_000), 10);
    }

    #[test]
    fn what_is_larger_than_what_is_left_goes_through_and_is_paid_for_later() {
        let (meter, limit) = (Meter::default(), Limit { bytes: 1000, ..Limit::default() });
        assert_eq!(meter.take(&limit, 5_000, at(0)), Ok(()));
        assert_eq!(meter.take(&limit, 1, at(1_000)), Err(Exceeded::Bytes(at(3_000))));
        assert_eq!(meter.take(&limit, 1, at(4_000)), Ok(()));
        meter.charge(&limit, 2_000, at(4_000));
        assert!(meter.take(&limit, 1, at(4_100)).is_err());
        assert!(!meter.is_rested(at(7_000)) && meter.is_rested(at(7_001)));
    }

    #[test]
    fn workers_that_take_at_the_same_time_take_no_more_together() {
        let (meter, limit) = (Meter::default(), Limit { requests: 1000, ..Limit::default() });
        let take = || (0..2000).filter(|_| meter.take(&limit, 1, at(1)).is_ok()).count();
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).sum()
        });
        assert_eq!(taken, 1000);
    }
}
