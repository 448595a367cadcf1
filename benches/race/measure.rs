//! What a process costs, as the kernel counts it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::contestants::Contestant;
use crate::load;
use crate::workloads::Workload;

/// CPU time of all threads of a process, in seconds, to the nanosecond where the kernel counts so.
pub fn cpu_seconds(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanoseconds = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.sum::<f64>() / 1e9
}

/// Resident memory of a process, in bytes.
pub fn resident_bytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = kibibytes.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    kibibytes.map_or(0.0, |number: f64| number * 1024.0)
}

/// System calls of the proxy for one request, in a round of its own: counting costs time.
pub fn calls_per_request(workload: &Workload, contestant: &Contestant) -> Option<f64> {
    let pid = contestant.pid?;
    let requests = workload.least_requests();
    let output = tempfile::NamedTempFile::new().ok()?;
    let path = output.path().display().to_string();
    let (mut counter, count): (Child, Count) = match perf(pid, &path) {
        Some(child) => (child, count_of_perf),
        None => (strace(pid, &path)?, count_of_strace),
    };
    // There is no sign by which either says that it is attached.
    std::thread::sleep(Duration::from_millis(500));
    let round = load::round(workload, contestant, requests);
    kill_process(Pid::from_child(&counter), Signal::INT).ok()?;
    counter.wait().ok()?;
    round.ok()?;
    Some(count(&fs::read_to_string(output.path()).ok()?)? / requests as f64)
}

/// As many open files as we are allowed: thousands of connections are opened here and there.
pub fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Without it the contestants with many clients say themselves what is missing.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

type Count = fn(&str) -> Option<f64>;

/// `perf stat` counts in the kernel and hardly disturbs; it needs a kernel that lets us.
fn perf(pid: u32, output: &str) -> Option<Child> {
    let event = ["stat", "-x", ",", "-e", "raw_syscalls:sys_enter"];
    let trial = Command::new("perf").args(event).args(["--", "true"]).output().ok()?;
    if !trial.status.success() {
        return None;
    }
    let mut perf = Command::new("perf");
    perf.args(event).args(["-o", output, "-p", &pid.to_string()]);
    perf.stdin(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}

/// `N,,raw_syscalls:sys_enter,…`
fn count_of_perf(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("sys_enter"))?;
    line.split(',').next()?.parse().ok()
}

/// `strace -c` stops the process at every call: batches grow, and the count with it shrinks.
fn strace(pid: u32, output: &str) -> Option<Child> {
    let mut strace = Command::new("strace");
    strace.args(["-c", "-f", "-o", output, "-p", &pid.to_string()]);
    strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}

/// `100.00  SECONDS  USECS/CALL  CALLS  [ERRORS]  total`
fn count_of_strace(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
