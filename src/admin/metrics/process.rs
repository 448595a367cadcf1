//! What the system tells of the process.

use std::fs;
use std::time::{Duration, SystemTime};

use rustix::process::{Resource, getrlimit};

use crate::admin::memory::resident;
use crate::worker::Shared;

/// The process at one moment; what the system does not tell is 0.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// When it began to serve, in seconds since the epoch.
    pub started_at: f64,
    /// The time that its threads have computed, in seconds.
    pub cpu_seconds: f64,
    /// Bytes of its memory that are in RAM.
    pub resident: u64,
    /// Bytes of its address space.
    pub virtual_size: u64,
    /// How much memory it may use, in bytes: setting `max_memory`.
    pub memory_limit: u64,
    /// Whether it has little left of that.
    pub is_memory_short: bool,
    /// Whether it is about to end.
    pub is_draining: bool,
    /// Open files, connections among them.
    pub open_files: u64,
    /// How many it may have.
    pub max_open_files: u64,
    /// Worker threads.
    pub workers: u64,
    /// How often the configuration was reloaded.
    pub reloads: u64,
    /// How often one that was to be loaded did not do.
    pub reloads_refused: u64,
}

impl Process {
    /// This process, now.
    pub fn now(shared: &Shared) -> Self {
        let started = shared.started_at.duration_since(SystemTime::UNIX_EPOCH);
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self {
            started_at: started.unwrap_or(Duration::ZERO).as_secs_f64(),
            cpu_seconds: cpu_seconds(&stat).unwrap_or(0.0),
            resident: resident(),
            virtual_size: field(&stat, VIRTUAL_SIZE).unwrap_or(0),
            memory_limit: shared.shortage.limit(),
            is_memory_short: shared.shortage.is_on(),
            is_draining: shared.gate.is_draining(),
            // One of them is the directory that is being read.
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |found| found.count() as u64 - 1),
            max_open_files: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            workers: shared.workers() as u64,
            reloads: shared.reloads.done(),
            reloads_refused: shared.reloads.refused(),
        }
    }
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    let ticks = field(stat, USER_TICKS)? + field(stat, SYSTEM_TICKS)?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// A field of `/proc/self/stat`, counted from the one behind the program's name, which is in
/// parentheses and may hold anything.
fn field(stat: &str, index: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index)?.parse().ok()
}

// As in proc(5), less the process id, the name, and one because they count from 1.
const USER_TICKS: usize = 14 - 3;
const SYSTEM_TICKS: usize = 15 - 3;
const VIRTUAL_SIZE: usize = 23 - 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "7 (a) b) S 4 5 6 7 8 9 10 11 12 13 250 50 16 17 18 19 20 21 22 4096 24";
        assert_eq!(field(stat, USER_TICKS), Some(250));
        assert_eq!(field(stat, VIRTUAL_SIZE), Some(4096));
        assert!(cpu_seconds(stat).is_some_and(|seconds| seconds > 0.0));
        assert_eq!(field("", 0), None);
    }

    #[test]
    fn the_process_tells_of_itself() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(field(&stat, VIRTUAL_SIZE).unwrap() > 1 << 20);
    }
}
