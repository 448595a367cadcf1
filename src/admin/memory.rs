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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::heap;
use crate::worker::Shared;

/// Whether memory is short: set by the control thread, read where something large is to be kept.
#[derive(Debug, Default)]
pub struct Shortage {
    is_on: AtomicBool,
    limit: AtomicU64,
}

impl Shortage {
    /// Whether it is.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
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
    shared.shortage.limit.store(limit, Ordering::Relaxed);
    let (high, low) = (limit / 16 * 15, limit / 8 * 7);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let used = resident();
        if used > high {
            if !shared.shortage.is_on.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    used_bytes = used,
                    max_memory_bytes = limit,
                    "memory is short: clients that do not read their replies are disconnected"
                );
            }
            shed(&shared, used - low).await;
        } else if used < low && shared.shortage.is_on.swap(false, Ordering::Relaxed) {
            tracing::info!(used_bytes = used, "memory is no longer short");
            shared.tell_all(|worker| worker.go_on_with_memory());
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
    // What they let go of shows when all of them have.
    shared.ask_all(|_| ()).await;
    heap::give_back();
}

/// Gives freed memory back after peaks, for as long as the process runs: within seconds of one,
/// and ever more rarely while what is resident is in use.
pub async fn give_back_after_peaks() {
    let mut at_rest = resident();
    let mut pause = GIVE_BACK_FIRST;
    loop {
        tokio::time::sleep(pause).await;
        let before = resident();
        if before <= at_rest + at_rest / 16 {
            (at_rest, pause) = (at_rest.min(before), GIVE_BACK_FIRST);
            continue;
        }
        heap::give_back();
        let after = resident();
        let was_worth_it = after < before - before / 16;
        pause = if was_worth_it { GIVE_BACK_FIRST } else { (pause * 2).min(GIVE_BACK_MOST) };
        at_rest = at_rest.min(after);
    }
}

/// Bytes of the process that are in memory, as the system counts them; 0 where it does not tell.
pub fn resident() -> u64 {
    let pages = |text: String| text.split_whitespace().nth(1)?.parse::<u64>().ok();
    let pages = fs::read_to_string("/proc/self/statm").ok().and_then(pages);
    pages.unwrap_or(0) * rustix::param::page_size() as u64
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
/// How soon freed memory is looked for, where there was some the last time.
const GIVE_BACK_FIRST: Duration = Duration::from_secs(2);
/// How rarely, where there was none: what is in use must not be looked through all the time.
const GIVE_BACK_MOST: Duration = Duration::from_secs(32);
/// How often the memory is looked at: at a gigabyte a second it grows by 20 MB meanwhile.
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
