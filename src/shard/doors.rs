//! Which shards let in who says no password, as heartbeats without one find out.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::answer::Answer;
use crate::config::Config;

/// What is known of a shard, or of a pool's shards together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Door {
    /// Nothing yet: the first heartbeat is not over.
    Unknown,
    /// It does not answer, or nothing that would tell.
    Silent,
    /// A password is wanted.
    Locked,
    /// No password is wanted.
    Open,
}

/// The doors of all shards by pool; shared by the monitor and the workers.
#[derive(Debug)]
pub struct Doors(RwLock<Vec<Vec<AtomicU8>>>);

impl Doors {
    /// Nothing is known yet.
    pub fn new(config: &Config) -> Self {
        let shards = |pool: &crate::config::Pool| {
            pool.servers.iter().map(|_| AtomicU8::new(Door::Unknown as u8)).collect()
        };
        Self(RwLock::new(config.pools.iter().map(shards).collect()))
    }

    /// The pool has so many shards now; nothing is known of those in `anew`, and those in `removed`
    /// count no longer.
    pub fn follow(&self, pool: usize, shards: usize, anew: &[usize], removed: &[usize]) {
        let mut pools = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let missing = (pool + 1).saturating_sub(pools.len());
        pools.extend((0..missing).map(|_| Vec::new()));
        let doors = &mut pools[pool];
        doors.resize_with(doors.len().max(shards), || AtomicU8::new(Door::Unknown as u8));
        anew.iter().for_each(|&shard| doors[shard] = AtomicU8::new(Door::Unknown as u8));
        removed.iter().for_each(|&shard| doors[shard] = AtomicU8::new(Door::Silent as u8));
    }

    fn pools(&self) -> RwLockReadGuard<'_, Vec<Vec<AtomicU8>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a heartbeat's outcome.
    pub fn note(&self, pool: usize, shard: usize, answer: &Answer) {
        let door = match answer {
            Answer::Good => Door::Open,
            Answer::Locked => Door::Locked,
            Answer::Refusal(_) | Answer::Busy(_) | Answer::Failure(_) => Door::Silent,
        };
        self.pools()[pool][shard].store(door as u8, Ordering::Relaxed);
    }

    /// What a client of the pool that says no password can expect: one open shard serves it,
    /// and the locked ones tell it themselves.
    pub fn of_pool(&self, pool: usize) -> Door {
        let pools = self.pools();
        let doors = || pools[pool].iter().map(|door| door.load(Ordering::Relaxed));
        let any = |door: Door| doors().any(|known| known == door as u8);
        match () {
            () if any(Door::Open) => Door::Open,
            () if any(Door::Locked) => Door::Locked,
            () if any(Door::Unknown) => Door::Unknown,
            () => Door::Silent,
        }
    }

    /// Nobody waits any longer for a shard that does not answer its first heartbeat.
    pub fn give_up(&self, pool: usize) {
        let (unknown, silent) = (Door::Unknown as u8, Door::Silent as u8);
        for door in &self.pools()[pool] {
            // One that is known by now stays what it is.
            let _ = door.compare_exchange(unknown, silent, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_answers_decides_and_nobody_waits_for_the_silent() {
        let doors = Doors(RwLock::default());
        doors.follow(0, 3, &[], &[]);
        assert_eq!(doors.of_pool(0), Door::Unknown);
        doors.note(0, 0, &Answer::Failure("refused".into()));
        assert_eq!(doors.of_pool(0), Door::Unknown);
        doors.note(0, 1, &Answer::Locked);
        assert_eq!(doors.of_pool(0), Door::Locked);
        doors.give_up(0);
        doors.note(0, 1, &Answer::Failure("gone".into()));
        assert_eq!(doors.of_pool(0), Door::Silent);
        doors.note(0, 2, &Answer::Good);
        assert_eq!(doors.of_pool(0), Door::Open);
    }
}
