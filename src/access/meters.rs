//! The meters of a pool: one for each user and each address that is or lately was connected.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dashmap::DashMap;

use super::meter::{Limit, Meter};

/// A pool's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of each user.
    pub user: Limit,
    /// Of each address.
    pub address: Limit,
}

impl Limits {
    /// Whether there are none.
    pub fn is_off(&self) -> bool {
        self.user.is_off() && self.address.is_off()
    }
}

/// Whose use is measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Whose {
    /// A user's, by name.
    User(Box<[u8]>),
    /// An address's; of IPv6 a network of 64 bits, for whoever has one address there has them all.
    Address(IpAddr),
}

impl Whose {
    /// The address as it is measured.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            v4 => v4,
        })
    }
}

/// See the module; shared by all workers.
#[derive(Debug, Default)]
pub struct Meters {
    known: DashMap<Whose, Arc<Meter>>,
    /// Of those who come when there are too many.
    others: Arc<Meter>,
    /// The second of the last look for meters that nobody needs.
    swept: AtomicU64,
}

/// A connection that a meter counts for as long as this lives.
#[derive(Debug)]
pub struct Attendance(Arc<Meter>);

impl Attendance {
    /// What it counts for.
    pub fn meter(&self) -> &Meter {
        &self.0
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

impl Meters {
    /// Counts one more connection, unless there are `most` already; 0 sets no limit. `now` is the
    /// time since the process began.
    pub fn attend(&self, whose: Whose, most: u64, now: Duration) -> Option<Attendance> {
        let meter = self.meter(whose, now);
        let counted = meter.connections.fetch_update(Relaxed, Relaxed, |count| {
            (most == 0 || u64::from(count) < most).then_some(count + 1)
        });
        counted.ok().map(|_| Attendance(meter))
    }

    fn meter(&self, whose: Whose, now: Duration) -> Arc<Meter> {
        if let Some(known) = self.known.get(&whose) {
            return Arc::clone(&known);
        }
        if self.known.len() >= MOST_METERS {
            self.sweep(now);
        }
        if self.known.len() >= MOST_METERS {
            return Arc::clone(&self.others);
        }
        Arc::clone(&self.known.entry(whose).or_default())
    }

    /// Forgets who is not connected and has paid for all, once a second at most. Sooner would let
    /// who connects anew start anew.
    fn sweep(&self, now: Duration) {
        if self.swept.swap(now.as_secs() + 1, Relaxed) != now.as_secs() + 1 {
            self.known.retain(|_, meter| Arc::strong_count(meter) > 1 || !meter.is_rested(now));
        }
    }
}

/// Users and addresses of a pool that are measured by themselves: some 10 MB of memory at most.
const MOST_METERS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> Whose {
        Whose::address(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let meters = Meters::default();
        let attend = || meters.attend(Whose::User((*b"ann").into()), 2, Duration::ZERO);
        let (first, second) = (attend(), attend());
        assert!(first.is_some() && second.is_some() && attend().is_none());
        drop(first);
        assert!(attend().is_some());
    }

    #[test]
    fn who_connects_anew_does_not_start_anew() {
        let (meters, limit) = (Meters::default(), Limit { requests: 1, ..Limit::default() });
        for is_first in [true, false] {
            let here = meters.attend(address(1), 0, Duration::ZERO).expect("no limit");
            assert_eq!(here.meter().take(&limit, 1, Duration::ZERO).is_ok(), is_first);
        }
    }

    #[test]
    fn memory_is_bounded_and_who_rests_makes_room() {
        let (meters, limit) = (Meters::default(), Limit { requests: 1, ..Limit::default() });
        for number in 0..MOST_METERS as u32 + 100 {
            let here = meters.attend(address(number), 0, Duration::ZERO).expect("no limit");
            let _ = here.meter().take(&limit, 1, Duration::ZERO);
        }
        assert_eq!(meters.known.len(), MOST_METERS);
        // Those beyond share one meter, which is used up.
        let late = meters.attend(address(u32::MAX), 0, Duration::ZERO).expect("no limit");
        assert!(late.meter().take(&limit, 1, Duration::ZERO).is_err());
        meters.attend(address(u32::MAX - 1), 0, Duration::from_secs(5));
        assert_eq!(meters.known.len(), 1);
    }

    #[test]
    fn networks_of_ipv6_are_measured_as_one() {
        let whose = |text: &str| Whose::address(text.parse().expect(text));
        assert_eq!(whose("2001:db8::1"), whose("2001:db8::ffff:1"));
        assert_ne!(whose("2001:db8::1"), whose("2001:db8:0:1::1"));
        assert_eq!(whose("::ffff:10.0.0.1"), whose("10.0.0.1"));
        assert_ne!(whose("10.0.0.1"), whose("10.0.0.2"));
    }
}
