//! INFO: the shards' as one, with what circlet says of itself; or one shard's own.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use rustix::process::{Resource, getrlimit};

use super::cluster;
use super::gather::Question;
use super::greeting::REDIS_VERSION;
use super::procedure::Steps;
use crate::admin::metrics;
use crate::config::Listen;
use crate::reply::frame;
use crate::reply::info::{Own, Wanted, merge};
use crate::resp::write;
use crate::shard::health::State;
use crate::worker::{PoolState, Worker};

/// Answers INFO. Shards that do not answer are left out: what circlet says of them is what is
/// looked for when something is wrong.
pub(super) async fn answer(steps: &Steps, question: Question) -> Vec<u8> {
    if let Some(index) = question.arguments.iter().position(|name| shard_name(name).is_some()) {
        return of_shard(steps, question.arguments, index).await;
    }
    let wanted = Wanted::new(question.arguments.iter().map(Vec::as_slice));
    let is_asked = !wanted.is_within(&[OWN_SECTION, METRICS_SECTION]);
    let replies = if is_asked { steps.ask_all(&question.wire).await } else { Vec::new() };
    if let Some(refusal) = refusal(&replies) {
        return refusal.to_vec();
    }
    let texts: Vec<String> = replies
        .iter()
        .filter(|(_, reply)| !frame::is_error(reply))
        .filter_map(|(_, reply)| frame::text(reply))
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (connections, blocked) = counted(steps).await;
    let mut own = steps.with(|worker, number| own(worker, number));
    own.push(("stats", "total_connections_received".into(), connections.to_string()));
    own.push(("clients", "blocked_clients".into(), blocked.to_string()));
    if wanted.names(METRICS_SECTION) {
        own.extend(measured(steps).await);
    }
    if is_asked {
        own.push((OWN_SECTION, "answered".into(), texts.len().to_string()));
    }
    if texts.is_empty() {
        own.push(("server", "redis_version".into(), REDIS_VERSION.into()));
        own.push(("persistence", "loading".into(), "0".into()));
    }
    let text = merge(&texts, &own, &wanted);
    steps.reply(|writer| writer.verbatim(&text))
}

/// The metrics of the process and of the client's pool.
async fn measured(steps: &Steps) -> Own {
    let (shared, pool) = steps.with(|worker, number| {
        (Arc::clone(&worker.shared), worker.pool_of(number).config.name.clone())
    });
    let reading = metrics::read(&shared).await;
    let fields = reading.map(|reading| metrics::fields(&reading, &pool)).unwrap_or_default();
    let section = METRICS_SECTION;
    fields.into_iter().map(|(name, value)| (section, Cow::Owned(name), value)).collect()
}

/// The error that a user gets who may not ask: it is not the shards' state but the answer.
fn refusal(replies: &[(usize, Bytes)]) -> Option<&Bytes> {
    let is_refusal = |reply: &Bytes| reply.starts_with(b"-NOPERM") || reply.starts_with(b"-NOAUTH");
    replies.iter().map(|(_, reply)| reply).find(|reply| is_refusal(reply))
}

/// `INFO shard:<name> [section …]`: that shard's own, as it says it.
async fn of_shard(steps: &Steps, mut arguments: Vec<Vec<u8>>, index: usize) -> Vec<u8> {
    let asked = arguments.remove(index);
    let name = shard_name(&asked).unwrap_or_default();
    let config = steps.with(|worker, number| Arc::clone(&worker.pool_of(number).config));
    let Some(shard) = config.servers.iter().position(|server| server.name.as_bytes() == name)
    else {
        let names: Vec<&str> = config.servers.iter().map(|server| &server.name[..]).collect();
        let text = format!(
            "ERR pool '{}' has no shard '{}'; its shards are {}",
            config.name,
            String::from_utf8_lossy(&name[..name.len().min(SHOWN_NAME)]),
            names.join(", ")
        );
        return steps.reply(|writer| writer.error(&text));
    };
    arguments.insert(0, b"INFO".to_vec());
    let mut wire = Vec::new();
    write::command(&mut wire, &arguments);
    steps.ask(shard, &wire).await.to_vec()
}

/// The name in an argument `shard:<name>`.
fn shard_name(argument: &[u8]) -> Option<&[u8]> {
    let (prefix, name) = argument.split_at_checked(SHARD_PREFIX.len())?;
    prefix.eq_ignore_ascii_case(SHARD_PREFIX).then_some(name)
}

/// On all workers: clients of the pool since the start, and those that wait now.
async fn counted(steps: &Steps) -> (u64, usize) {
    let (shared, pool) = steps.with(|worker, number| {
        (Arc::clone(&worker.shared), usize::from(worker.sessions[number as usize].pool))
    });
    let counted = shared.ask_all(move |worker| {
        let counters = worker.counters.pools.get(pool);
        let connections = counters.map_or(0, |pool| pool.total_connections.value());
        (connections, worker.blocked_clients(pool))
    });
    let counted = counted.await;
    let add = |(one, two): (u64, usize), (more, others)| (one + more, two + others);
    counted.into_iter().fold((0, 0), add)
}

/// What circlet says of itself.
fn own(worker: &Worker, number: u32) -> Own {
    let mut own = Own::new();
    server(worker, number, &mut own);
    clients(worker, number, &mut own);
    replication(worker, &mut own);
    let emulates = u8::from(worker.pool_of(number).config.cluster_emulation);
    own.push(("cluster", "cluster_enabled".into(), emulates.to_string()));
    circlet(worker.pool_of(number), &mut own);
    own
}

fn server(worker: &Worker, number: u32, own: &mut Own) {
    let shared = &worker.shared;
    // A clock before 1970 is no clock; Redis would say 0 as well.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let uptime = shared.started.elapsed().as_secs();
    let executable = std::env::current_exe().unwrap_or_default();
    let port = match worker.pool_of(number).config.address() {
        Some(Listen::Tcp { port, .. }) => *port,
        Some(Listen::Unix { .. }) | None => 0,
    };
    let fields = [
        ("redis_mode", cluster::mode(&worker.pool_of(number).config).to_owned()),
        ("process_id", std::process::id().to_string()),
        ("process_supervised", "no".to_owned()),
        ("run_id", shared.run_id.clone()),
        ("tcp_port", port.to_string()),
        ("server_time_usec", now.as_micros().to_string()),
        ("uptime_in_seconds", uptime.to_string()),
        ("uptime_in_days", (uptime / SECONDS_PER_DAY).to_string()),
        ("lru_clock", (now.as_secs() & LRU_CLOCK).to_string()),
        ("executable", executable.display().to_string()),
        ("config_file", String::new()),
    ];
    own.extend(fields.map(|(field, value)| ("server", Cow::Borrowed(field), value)));
}

fn clients(worker: &Worker, number: u32, own: &mut Own) {
    let pool = usize::from(worker.sessions[number as usize].pool);
    let connected = worker.shared.clients.iter().filter(|client| client.pool == pool).count();
    let limit = match worker.pool_of(number).config.client_connections {
        0 => getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        limit => u64::from(limit),
    };
    let fields = [
        ("connected_clients", connected.to_string()),
        ("cluster_connections", "0".to_owned()),
        ("maxclients", limit.to_string()),
    ];
    own.extend(fields.map(|(field, value)| ("clients", Cow::Borrowed(field), value)));
}

/// One master without replicas: those of the shards each have a part of the keys.
fn replication(worker: &Worker, own: &mut Own) {
    let fields = [
        ("role", "master".to_owned()),
        ("connected_slaves", "0".to_owned()),
        ("master_failover_state", "no-failover".to_owned()),
        ("master_replid", worker.shared.run_id.clone()),
        ("master_replid2", "0".repeat(40)),
        ("second_repl_offset", "-1".to_owned()),
        ("repl_backlog_first_byte_offset", "0".to_owned()),
    ];
    own.extend(fields.map(|(field, value)| ("replication", Cow::Borrowed(field), value)));
}

/// The section that no Redis has: who the shards are and how they are.
fn circlet(pool: &PoolState, own: &mut Own) {
    let count = |state| pool.health.iter().filter(|health| health.state == state).count();
    let fields = [
        ("circlet_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("pool", pool.config.name.clone()),
        ("shards", pool.config.shard_count().to_string()),
        ("live", count(State::Live).to_string()),
        ("down", count(State::Down).to_string()),
        ("ejected", count(State::Ejected).to_string()),
        ("returning", count(State::Returning).to_string()),
    ];
    own.extend(fields.map(|(field, value)| (OWN_SECTION, Cow::Borrowed(field), value)));
    for (index, (server, health)) in pool.config.servers.iter().zip(&pool.health).enumerate() {
        if health.state == State::Removed {
            continue;
        }
        let state = health.state.name();
        let line = format!(
            "name={},address={},weight={},state={state},seconds={}",
            server.name,
            server.address,
            server.weight,
            health.since.elapsed().as_secs()
        );
        own.push((OWN_SECTION, format!("shard{index}").into(), line));
    }
}

const OWN_SECTION: &str = "circlet";
/// Only for who asks for it, as Redis's commandstats: it is long.
const METRICS_SECTION: &str = "proxy";
const SHARD_PREFIX: &[u8] = b"shard:";
/// Bytes of a shard's name that an error shows.
const SHOWN_NAME: usize = 64;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// Redis's LRU clock has 24 bits.
const LRU_CLOCK: u64 = (1 << 24) - 1;
