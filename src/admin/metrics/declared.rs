//! The declarations.

use std::borrow::Cow;

use super::process::Process;
use super::reading::{PoolReading, ShardReading};
use crate::admin::counters::{Counter, FamilyCounters};
use crate::admin::histogram::Distribution;
use crate::reply::code::Code;
use crate::shard::fault_kind::FaultKind;
use crate::shard::health::State;

/// What is measured, and how it is found.
#[derive(Debug)]
pub struct Metric {
    /// By Prometheus's conventions, with unit and `_total`.
    pub name: &'static str,
    /// What may become of it.
    pub kind: Kind,
    /// One sentence for a person, without the full stop.
    pub help: &'static str,
    /// Where it comes from, which says what it has labels for.
    pub from: From,
}

/// What may become of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It grows, until the process ends.
    Counter,
    /// It comes and goes.
    Gauge,
    /// Lengths of time, by size.
    Histogram,
}

/// Where a metric comes from.
#[derive(Debug, Clone, Copy)]
pub enum From {
    /// The program.
    Build,
    /// The process.
    Process(fn(&Process) -> f64),
    /// The way back from shards to clients.
    Returns,
    /// Each pool.
    Pool(fn(&PoolReading) -> f64),
    /// Each pool, and there by a further label.
    PoolBy(&'static str, fn(&PoolReading) -> Parts),
    /// Each family of commands of each pool.
    Family(fn(&FamilyCounters) -> u64),
    /// The same: 0 the time in the queue, 1 the shards' time.
    FamilyTimes(u8),
    /// Each shard of each pool.
    Shard(fn(&ShardReading) -> f64),
    /// Each shard of each pool, and there by a further label.
    ShardBy(&'static str, fn(&ShardReading) -> Parts),
    /// Each shard of each pool.
    ShardTimes(fn(&ShardReading) -> Distribution),
}

/// Numbers by the values of a label.
pub type Parts = Vec<(Cow<'static, str>, f64)>;

impl Metric {
    const fn new(name: &'static str, kind: Kind, help: &'static str, from: From) -> Self {
        Self { name, kind, help, from }
    }

    /// The base unit that the name ends with, if it has one.
    pub fn unit(&self) -> Option<&'static str> {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        UNITS.into_iter().find(|unit| name.ends_with(&format!("_{unit}")))
    }

    /// The names of its labels, but for the `le` of histograms.
    pub fn labels(&self) -> Vec<&'static str> {
        match self.from {
            From::Build => vec!["version"],
            From::Process(_) | From::Returns => Vec::new(),
            From::Pool(_) => vec!["pool"],
            From::PoolBy(by, _) => vec!["pool", by],
            From::Family(_) | From::FamilyTimes(_) => vec!["pool", "family"],
            From::Shard(_) | From::ShardTimes(_) => vec!["pool", "shard"],
            From::ShardBy(by, _) => vec!["pool", "shard", by],
        }
    }
}

fn codes(of: impl Fn(usize) -> f64) -> Parts {
    let all = Code::ALL.iter().map(|&code| (Cow::Borrowed(code.label()), of(code as usize)));
    all.filter(|(_, count)| *count > 0.0).collect()
}

fn faults(of: impl Fn(usize) -> f64) -> Parts {
    FaultKind::ALL.iter().map(|&kind| (Cow::Borrowed(kind.label()), of(kind as usize))).collect()
}

fn states(shard: &ShardReading) -> Parts {
    let is = |state| f64::from(u8::from(shard.health.state == state));
    STATES.map(|(label, state)| (Cow::Borrowed(label), is(state))).into()
}

fn disconnects(pool: &PoolReading) -> Parts {
    let of = |label, read: fn(&crate::admin::counters::PoolCounters) -> &Counter| {
        (Cow::Borrowed(label), pool.sum(|pool| read(pool).value()))
    };
    vec![
        of("eof", |pool| &pool.client_eof),
        of("error", |pool| &pool.client_err),
        of("memory", |pool| &pool.shed_clients),
    ]
}

use Kind::{Counter as Grows, Gauge, Histogram};

/// All metrics, in the order in which they are shown.
pub const METRICS: &[Metric] = &[
    Metric::new("circlet_build_info", Gauge, "The version that runs; always 1", From::Build),
    Metric::new(
        "process_start_time_seconds",
        Gauge,
        "When the process began to serve, in seconds since the epoch",
        From::Process(|process| process.started_at),
    ),
    Metric::new(
        "process_cpu_seconds_total",
        Grows,
        "Time that all threads have computed",
        From::Process(|process| process.cpu_seconds),
    ),
    Metric::new(
        "process_resident_memory_bytes",
        Gauge,
        "Memory of the process that is in RAM",
        From::Process(|process| process.resident as f64),
    ),
    Metric::new(
        "process_virtual_memory_bytes",
        Gauge,
        "Address space of the process",
        From::Process(|process| process.virtual_size as f64),
    ),
    Metric::new(
        "process_open_fds",
        Gauge,
        "Open files of the process, connections among them",
        From::Process(|process| process.open_files as f64),
    ),
    Metric::new(
        "process_max_fds",
        Gauge,
        "How many files the process may have open",
        From::Process(|process| process.max_open_files as f64),
    ),
    Metric::new(
        "circlet_memory_limit_bytes",
        Gauge,
        "How much memory the process may use (setting max_memory)",
        From::Process(|process| process.memory_limit as f64),
    ),
    Metric::new(
        "circlet_memory_short",
        Gauge,
        "1 while memory is so short that clients are turned away, else 0",
        From::Process(|process| f64::from(u8::from(process.is_memory_short))),
    ),
    Metric::new(
        "circlet_draining",
        Gauge,
        "1 once the process is about to end and lets nobody in, else 0",
        From::Process(|process| f64::from(u8::from(process.is_draining))),
    ),
    Metric::new(
        "circlet_workers",
        Gauge,
        "Worker threads",
        From::Process(|process| process.workers as f64),
    ),
    Metric::new(
        "circlet_config_reloads_total",
        Grows,
        "Reloads of the configuration, those that changed nothing included",
        From::Process(|process| process.reloads as f64),
    ),
    Metric::new(
        "circlet_config_reloads_refused_total",
        Grows,
        "Reloads of a configuration that did not do, so that the old one stayed",
        From::Process(|process| process.reloads_refused as f64),
    ),
    Metric::new(
        "circlet_return_seconds",
        Histogram,
        "From when replies were read to when all clients were written to that got one, in one turn \
         of a worker's loop out of 16; no reply spends more on its way back unless it waits for \
         one before it",
        From::Returns,
    ),
    Metric::new(
        "circlet_pool_shards",
        Gauge,
        "Shards of the pool",
        From::Pool(|pool| pool.shards.len() as f64),
    ),
    Metric::new(
        "circlet_pool_live_shards",
        Gauge,
        "Shards of the pool that requests are sent to",
        From::Pool(|pool| pool.live() as f64),
    ),
    Metric::new(
        "circlet_ring_changes_total",
        Grows,
        "How often keys moved because a shard went out or came back",
        From::Pool(|pool| f64::from(pool.moves)),
    ),
    Metric::new(
        "circlet_pool_hottest_key_ratio",
        Gauge,
        "The share of the hottest key in the commands of the pool that have keys, from 0 to 1, of \
         late and by looking at some; PROXY HOTKEYS tells which key",
        From::Pool(|pool| pool.hottest),
    ),
    Metric::new(
        "circlet_client_connections",
        Gauge,
        "Clients that are connected",
        From::Pool(|pool| pool.sum(|pool| pool.client_connections.value())),
    ),
    Metric::new(
        "circlet_client_connections_accepted_total",
        Grows,
        "Clients that ever were connected",
        From::Pool(|pool| pool.sum(|pool| pool.total_connections.value())),
    ),
    Metric::new(
        "circlet_client_disconnects_total",
        Grows,
        "Clients that left (eof), were cut off by an error of the connection or the protocol \
         (error), or were sent away because memory was short (memory)",
        From::PoolBy("reason", disconnects),
    ),
    Metric::new(
        "circlet_client_received_bytes_total",
        Grows,
        "Bytes read from clients",
        From::Pool(|pool| pool.sum(|pool| pool.bytes_in.value())),
    ),
    Metric::new(
        "circlet_client_sent_bytes_total",
        Grows,
        "Bytes written to clients",
        From::Pool(|pool| pool.sum(|pool| pool.bytes_out.value())),
    ),
    Metric::new(
        "circlet_protocol_errors_total",
        Grows,
        "Clients that were disconnected because what they said is no command",
        From::Pool(|pool| pool.sum(|pool| pool.protocol_errors.value())),
    ),
    Metric::new(
        "circlet_error_replies_total",
        Grows,
        "Errors that circlet itself said to clients, by their first word: CROSSSLOT, NOPERM …; \
         those in place of a reply that did not come are circlet_shard_failed_requests_total",
        From::PoolBy("code", |pool| {
            codes(|code| pool.sum(|pool| pool.error_replies[code].value()))
        }),
    ),
    Metric::new(
        "circlet_forward_errors_total",
        Grows,
        "Requests that could not be sent to a shard; circlet_shard_failed_requests_total has those \
         as well that were sent and failed",
        From::Pool(|pool| pool.sum(|pool| pool.forward_error.value())),
    ),
    Metric::new(
        "circlet_displaced_requests_total",
        Grows,
        "Requests for keys of a shard that is out, which others stand in for",
        From::Pool(|pool| pool.sum(|pool| pool.displaced_requests.value())),
    ),
    Metric::new(
        "circlet_displaced_refused_total",
        Grows,
        "Such requests that were refused to spare the shards that stand in",
        From::Pool(|pool| pool.sum(|pool| pool.displaced_refused.value())),
    ),
    Metric::new(
        "circlet_commands_total",
        Grows,
        "Commands that clients said, known ones, by family",
        From::Family(|family| family.commands.value()),
    ),
    Metric::new(
        "circlet_command_errors_total",
        Grows,
        "Requests that shards answered with an error, by the family of the command",
        From::Family(|family| family.errors.value()),
    ),
    Metric::new(
        "circlet_command_queue_seconds",
        Histogram,
        "Time in circlet: from when a command was read to when its request was written to the \
         shard",
        From::FamilyTimes(0),
    ),
    Metric::new(
        "circlet_command_shard_seconds",
        Histogram,
        "Time of the shard and the network: from then to when the whole reply was read",
        From::FamilyTimes(1),
    ),
    Metric::new(
        "circlet_shard_up",
        Gauge,
        "1 while requests are sent to the shard, else 0",
        From::Shard(|shard| f64::from(u8::from(shard.is_up()))),
    ),
    Metric::new(
        "circlet_shard_state",
        Gauge,
        "1 for the state that the shard is in, 0 for the others",
        From::ShardBy("state", states),
    ),
    Metric::new(
        "circlet_shard_state_age_seconds",
        Gauge,
        "How long the shard has been in its state",
        From::Shard(|shard| shard.health.since.elapsed().as_secs_f64()),
    ),
    Metric::new(
        "circlet_shard_ring_share_ratio",
        Gauge,
        "The part of all keys that the shard has now, from 0 to 1",
        From::Shard(|shard| shard.ring_share),
    ),
    Metric::new(
        "circlet_shard_hottest_key_ratio",
        Gauge,
        "The share of the shard's hottest key in all keys that it is asked for, from 0 to 1, of \
         late and by looking at some commands",
        From::Shard(|shard| shard.hottest),
    ),
    Metric::new(
        "circlet_shard_ejections_total",
        Grows,
        "How often the shard was ejected",
        From::Shard(|shard| shard.ejections as f64),
    ),
    Metric::new(
        "circlet_shard_readmissions_total",
        Grows,
        "How often the shard came in again after it was ejected or down",
        From::Shard(|shard| shard.readmissions as f64),
    ),
    Metric::new(
        "circlet_shard_ejected_timestamp_seconds",
        Gauge,
        "When the shard was last ejected, in seconds since the epoch; 0 if never",
        From::Shard(|shard| shard.ejected_at as f64 / 1e6),
    ),
    Metric::new(
        "circlet_shard_links",
        Gauge,
        "Connections to the shard",
        From::Shard(|shard| shard.sum(|shard| shard.server_connections.value())),
    ),
    Metric::new(
        "circlet_shard_links_opened_total",
        Grows,
        "Connections to the shard that were ever tried",
        From::Shard(|shard| shard.sum(|shard| shard.links_opened.value())),
    ),
    Metric::new(
        "circlet_shard_link_failures_total",
        Grows,
        "Failures of connections to the shard that its health heard of, by kind",
        From::ShardBy("kind", |shard| {
            faults(|kind| shard.sum(|shard| shard.link_failures[kind].value()))
        }),
    ),
    Metric::new(
        "circlet_shard_requests_total",
        Grows,
        "Requests written to the shard",
        From::Shard(|shard| shard.sum(|shard| shard.requests.value())),
    ),
    Metric::new(
        "circlet_shard_replies_total",
        Grows,
        "Replies read from the shard",
        From::Shard(|shard| shard.sum(|shard| shard.responses.value())),
    ),
    Metric::new(
        "circlet_shard_error_replies_total",
        Grows,
        "Replies of the shard that were errors, by their first word",
        From::ShardBy("code", |shard| {
            codes(|code| shard.sum(|shard| shard.error_replies[code].value()))
        }),
    ),
    Metric::new(
        "circlet_shard_failed_requests_total",
        Grows,
        "Requests that were answered with an error because the shard's reply did not come, by kind",
        From::ShardBy("kind", |shard| {
            faults(|kind| shard.sum(|shard| shard.failed_requests[kind].value()))
        }),
    ),
    Metric::new(
        "circlet_shard_slow_requests_total",
        Grows,
        "Requests that took longer than slow_threshold, from arrival to reply",
        From::Shard(|shard| shard.sum(|shard| shard.slow_requests.value())),
    ),
    Metric::new(
        "circlet_shard_sent_bytes_total",
        Grows,
        "Bytes written to the shard",
        From::Shard(|shard| shard.sum(|shard| shard.request_bytes.value())),
    ),
    Metric::new(
        "circlet_shard_received_bytes_total",
        Grows,
        "Bytes read from the shard",
        From::Shard(|shard| shard.sum(|shard| shard.response_bytes.value())),
    ),
    Metric::new(
        "circlet_shard_queued_requests",
        Gauge,
        "Requests that wait to be written to the shard",
        From::Shard(|shard| shard.sum(|shard| shard.in_queue.value())),
    ),
    Metric::new(
        "circlet_shard_queued_bytes",
        Gauge,
        "Bytes that wait to be written to the shard",
        From::Shard(|shard| shard.sum(|shard| shard.in_queue_bytes.value())),
    ),
    Metric::new(
        "circlet_shard_in_flight_requests",
        Gauge,
        "Requests that the shard has and has not answered",
        From::Shard(|shard| shard.sum(|shard| shard.out_queue.value())),
    ),
    Metric::new(
        "circlet_shard_in_flight_bytes",
        Gauge,
        "Bytes of the requests that the shard has and has not answered",
        From::Shard(|shard| shard.sum(|shard| shard.out_queue_bytes.value())),
    ),
    Metric::new(
        "circlet_shard_queue_seconds",
        Histogram,
        "Time in circlet: from when a command was read to when its request was written to the \
         shard",
        From::ShardTimes(ShardReading::queue_times),
    ),
    Metric::new(
        "circlet_shard_reply_seconds",
        Histogram,
        "Time of the shard and the network: from then to when the whole reply was read",
        From::ShardTimes(ShardReading::shard_times),
    ),
];

const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

const STATES: [(&str, State); 4] = [
    ("live", State::Live),
    ("down", State::Down),
    ("returning", State::Returning),
    ("ejected", State::Ejected),
];
