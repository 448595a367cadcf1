//! The memory of the whole process, kept below `max_memory`.
//!
//! ```text
//!   used ─ above 15/16 ─► short: large transfers wait, clients are turned away,
//!                                workers let go of what most is held for (shed)
//!        ─ below  7/8  ─► all as usual
//! ```
//!
//! Who gives way, in this order: clients that do not read their replies, those with the most
//! bytes waiting first; then commands that have come in part, the largest first; then replies
//! that have come in part. See [`Worker::shed`](crate::worker::Worker::shed).

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use super::heap;
use crate::worker::Shared;

/// Whether memory is short: set by the control thread, read where something large is to be kept.
///
/// Between two looks at what the system counts, workers count what they read themselves: what is
/// kept of it takes no more room than there was at the last look, however late the next one is.
#[derive(Debug)]
pub struct Shortage {
    is_on: AtomicBool,
    limit: AtomicU64,
    /// Bytes that may be read before the next look; none while memory is short.
    room: AtomicI64,
    no_room: Notify,
}

impl Default for Shortage {
    fn default() -> Self {
        Self {
            is_on: AtomicBool::default(),
            limit: AtomicU64::default(),
            room: AtomicI64::new(i64::MAX),
            no_room: Notify::new(),
        }
    }
}

impl Shortage {
    /// Whether it is.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Whether more of something large may be read; where not,
    /// [`Worker::go_on_with_memory`](crate::worker::Worker::go_on_with_memory) follows.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.room.load(Ordering::Relaxed) > 0
    }

    /// So many bytes were read, and may have been kept.
    pub fn take_room(&self, bytes: usize) {
        let bytes = bytes as i64;
        let room = self.room.fetch_sub(bytes, Ordering::Relaxed);
        if room > 0 && room <= bytes {
            self.no_room.notify_one();
        }
    }

    /// How many bytes of memory the process may use; 0 before that is known, or where it is not.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }
}

/// Watches the memory of the process, which may use `limit` bytes, for as long as it runs; 0 is half
/// of what the machine or the container has.
pub async fn watch(limit: u64, shared: Arc<Shared>) {
    let limit = if limit == 0 { half_of_available() } else { limit };
    if limit == 0 {
        return;
    }
    let shortage = &shared.shortage;
    shortage.limit.store(limit, Ordering::Relaxed);
    let (high, low) = (limit / 16 * 15, limit / 8 * 7);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shortage.no_room.notified() => {}
        }
        let mut used = resident();
        if used > high {
            // What is free already must cost no client its connection.
            heap::give_back(&shared).await;
            used = resident();
        }
        if used > high {
            shortage.room.store(0, Ordering::Relaxed);
            if !shortage.is_on.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    used_bytes = used,
                    max_memory_bytes = limit,
                    "memory is short: clients that do not read their replies are disconnected"
                );
            }
            shed(&shared, used - low).await;
        } else if used < low || !shortage.is_on() {
            if shortage.is_on.swap(false, Ordering::Relaxed) {
                tracing::info!(used_bytes = used, "memory is no longer short");
            }
            let room = i64::try_from(high - used).unwrap_or(i64::MAX).max(1);
            if shortage.room.swap(room, Ordering::Relaxed) <= 0 {
                shared.tell_all(|worker| worker.go_on_with_memory());
            }
        }
    }
}

/// Lets each worker shed as much of the excess as it has part in what is held.
async fn shed(shared: &Shared, excess: u64) {
    let held = shared.ask_all(|worker| worker.held()).await;
    let all = held.iter().sum::<u64>().max(1);
    for (index, held) in held.into_iter().enumerate() {
        let part = (u128::from(excess) * u128::from(held)).div_ceil(u128::from(all)) as u64;
        shared.tell(index, move |worker| worker.shed(part));
    }
    // Which waits until all of them have let go.
    heap::give_back(shared).await;
}

/// Gives freed memory back after peaks, for as long as the process runs: within seconds of one,
/// and more rarely while what is resident is in use.
pub async fn give_back_after_peaks(shared: Arc<Shared>) {
    let mut at_rest = allocated();
    let (mut peak, mut tries, mut looks) = (at_rest, 1, 0);
    loop {
        tokio::time::sleep(GIVE_BACK_PERIOD).await;
        let before = allocated();
        looks += 1;
        if is_more(before, peak) {
            // Another peak, and what was in use before says nothing of it.
            (peak, tries) = (before, 1);
        }
        if !is_more(before, at_rest) {
            (at_rest, peak, tries, looks) = (at_rest.min(before), before, 1, 0);
        } else if looks >= tries {
            heap::give_back(&shared).await;
            let after = allocated();
            looks = 0;
            if is_more(before, after) {
                (peak, tries) = (after, 1);
            } else {
                tries = (tries * 2).min(GIVE_BACK_RAREST);
            }
            at_rest = at_rest.min(after);
        }
    }
}

/// Whether there is notably more memory than there was.
fn is_more(now: u64, before: u64) -> bool {
    now > before + before / 16 + NOTABLE
}

/// Bytes of the process that are in memory, as the system counts them; 0 where it does not tell.
pub fn resident() -> u64 {
    statm(|pages| pages.nth(1))
}

/// Those of them that are not the program's own text and that of its libraries.
fn allocated() -> u64 {
    statm(|pages| Some(pages.nth(1)?.saturating_sub(pages.next()?)))
}

/// See proc_pid_statm(5): size, resident, shared, each in pages.
fn statm(take: impl FnOnce(&mut dyn Iterator<Item = u64>) -> Option<u64>) -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = text.split_whitespace().map_while(|number| number.parse().ok());
    take(&mut pages).unwrap_or(0) * rustix::param::page_size() as u64
}

/// Half of the memory of the machine, or of the container if that is less; 0 if neither tells.
fn half_of_available() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let container = CONTAINER_LIMITS.iter().filter_map(|path| {
        // "max" is no number.
        fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()
    });
    machine.into_iter().chain(container).min().unwrap_or(0) / 2
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Where a container's limit stands, in the two versions of control groups.
const CONTAINER_LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
/// How often it is seen whether memory could be freed.
const GIVE_BACK_PERIOD: Duration = Duration::from_secs(2);
/// Every so many periods freed memory is looked for at least, where there was none before: what is
/// in use must not be looked through all the time.
const GIVE_BACK_RAREST: u32 = 8;
/// Less memory than this is not worth looking for.
const NOTABLE: u64 = 1 << 20;
/// How often the memory is looked at, unless the room of the last look is used up before.
const PERIOD: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read() {
        assert_eq!(total("MemTotal:       24689764 kB\nMemFree: 1 kB\n"), Some(24_689_764 << 10));
        assert_eq!(total("nothing"), None);
        assert!(half_of_available() > 0);
    }

    #[test]
    fn what_is_resident_grows_with_what_is_touched() {
        let before = resident();
        let block = vec![1_u8; 64 << 20];
        assert!(resident() >= before + (48 << 20), "{} bytes", block.len());
    }
}
