//! One round: redis-benchmark against one contestant, and what it cost.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::contestants::Contestant;
use crate::harness::{Address, Client};
use crate::measure::{cpu_seconds, resident_bytes};
use crate::workloads::{Workload, bytes_in, key};

/// What one round showed, or the medians of several.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// Requests answered in a second.
    pub rate: f64,
    /// Milliseconds within which half of the requests were answered.
    pub p50: f64,
    /// Milliseconds within which 99 of 100 requests were answered.
    pub p99: f64,
    /// CPU time of the proxy for one request, in microseconds; 0 where there is no proxy.
    pub cpu: f64,
    /// Resident memory of the proxy after the round, in bytes.
    pub memory: f64,
    /// System calls of the proxy for one request, when they were counted.
    pub calls: Option<f64>,
}

impl Outcome {
    /// The medians of each figure; `None` of no outcome.
    pub fn median(outcomes: &[Outcome]) -> Option<Outcome> {
        let of = |figure: fn(&Outcome) -> f64| {
            let mut values: Vec<f64> = outcomes.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        Some(Outcome {
            rate: of(|one| one.rate)?,
            p50: of(|one| one.p50)?,
            p99: of(|one| one.p99)?,
            cpu: of(|one| one.cpu)?,
            memory: of(|one| one.memory)?,
            calls: None,
        })
    }

    /// One line for the person who waits.
    pub fn line(&self, name: &str) -> String {
        let calls = self.calls.map_or(String::new(), |calls| format!("  {calls:6.2} calls"));
        format!(
            "{name:>12}: {:9.0} requests/s  p50 {:7.3} ms  p99 {:7.3} ms  {:7.2} µs CPU  \
             {:6.1} MiB{calls}",
            self.rate,
            self.p50,
            self.p99,
            self.cpu,
            self.memory / f64::from(1 << 20),
        )
    }
}

/// How many requests fill a round of `seconds`: seen in a shorter round, which warms up too.
pub fn requests_for(
    workload: &Workload,
    contestant: &Contestant,
    seconds: Duration,
) -> Result<usize, String> {
    check(workload, contestant)?;
    let short = round(workload, contestant, workload.least_requests() / 5)?;
    let requests = short.rate * seconds.as_secs_f64();
    Ok((requests as usize).max(workload.least_requests()))
}

/// Runs `requests` requests.
pub fn round(
    workload: &Workload,
    contestant: &Contestant,
    requests: usize,
) -> Result<Outcome, String> {
    let before = contestant.pid.map_or(0.0, cpu_seconds);
    let csv = benchmark(workload, &contestant.address, requests)?;
    let after = contestant.pid.map_or(0.0, cpu_seconds);
    let mut outcome = parse(&csv).ok_or_else(|| format!("redis-benchmark says {csv:?}"))?;
    outcome.cpu = (after - before) * 1e6 / requests as f64;
    outcome.memory = contestant.pid.map_or(0.0, resident_bytes);
    Ok(outcome)
}

/// An answer that is wrong is cheap: whoever does not answer rightly does not take part.
fn check(workload: &Workload, contestant: &Contestant) -> Result<(), String> {
    let mut client = Client::try_connect(&contestant.address).map_err(|error| error.to_string())?;
    for number in (0..workload.keys()).step_by(workload.keys() / 20) {
        let key = key(number);
        let words = workload.arguments();
        let words: Vec<String> =
            words.iter().map(|word| word.replace("key:__rand_int__", &key)).collect();
        let reply = client.try_command(&words).map_err(|error| error.to_string())?;
        let value = client.try_command(&["GET", &key]).map_err(|error| error.to_string())?;
        if reply.error().is_some() || bytes_in(&reply) < workload.expected_bytes() {
            return Err(format!("wrong answer to {} {key}: {reply}", words[0]));
        }
        if bytes_in(&value) != workload.value {
            return Err(format!("wrong value of {key}: {value}"));
        }
    }
    Ok(())
}

fn benchmark(workload: &Workload, address: &Address, requests: usize) -> Result<String, String> {
    let Address::Tcp(port) = address else { return Err("a TCP port is needed".to_owned()) };
    let mut command = Command::new("redis-benchmark");
    command.args(["--csv", "-p", &port.to_string(), "-n", &requests.to_string()]);
    command.args(["-c", &workload.clients.to_string(), "-P", &workload.pipeline.to_string()]);
    command.args(["-r", &workload.keys().to_string()]).args(workload.arguments());
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `"test","rps","avg_latency_ms","min…","p50…","p95…","p99…","max…"`; the test's name may hold
/// anything, so the fields are counted from the end.
fn parse(csv: &str) -> Option<Outcome> {
    let line = csv.lines().rfind(|line| line.starts_with('"'))?;
    let mut fields = line.rsplit(',').map(|field| field.trim_matches('"').parse::<f64>().ok());
    let p99 = fields.nth(1)??;
    let p50 = fields.nth(1)??;
    let rate = fields.nth(2)??;
    Some(Outcome { rate, p50, p99, ..Outcome::default() })
}
