//! Which shards let in who says no password, as heartbeats without one find out.

use std::sync::atomic::{AtomicU8, Ordering};

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
pub struct Doors(Vec<Vec<AtomicU8>>);

impl Doors {
    /// Nothing is known yet.
    pub fn new(config: &Config) -> Self {
        let shards = |pool: &crate::config::Pool| {
            pool.servers.iter().map(|_| AtomicU8::new(Door::Unknown as u8)).collect()
        };
        Self(config.pools.iter().map(shards).collect())
    }

    /// Takes in a heartbeat's outcome.
    pub fn note(&self, pool: usize, shard: usize, answer: &Answer) {
        let door = match answer {
            Answer::Good => Door::Open,
            Answer::Locked => Door::Locked,
            Answer::Refusal(_) | Answer::Busy(_) | Answer::Failure(_) => Door::Silent,
        };
        self.0[pool][shard].store(door as u8, Ordering::Relaxed);
    }

    /// What a client of the pool that says no password can expect: one open shard serves it,
    /// and the locked ones tell it themselves.
    pub fn of_pool(&self, pool: usize) -> Door {
        let doors = || self.0[pool].iter().map(|door| door.load(Ordering::Relaxed));
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
        for door in &self.0[pool] {
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
        let doors = Doors(vec![(0..3).map(|_| AtomicU8::new(0)).collect()]);
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
