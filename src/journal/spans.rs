//! Sampled requests as spans for OpenTelemetry: OTLP over HTTP, in the protocol's JSON encoding.
//!
//! ```text
//!   GET   ├────────────────────────┤          a server's span: the client's request here
//!   GET        ├───────────────┤              a client's span: circlet at the shard
//! ```
//!
//! What OTLP asks of an exporter is a POST of a JSON text that fits the protocol's schema; the crates
//! that do it bring a second stack for HTTP and protobuf, more to build than circlet has in all.
//! Spans travel from a thread of its own, many in one request; where the collector does not keep up,
//! or is gone, they are dropped and counted.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::access::Access;
use super::now_us;

/// Where spans are sent: `http://HOST:PORT` with a path, `/v1/traces` if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    path: String,
}

impl std::str::FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no endpoint: write http://HOST:PORT, as http://127.0.0.1:4318; for a \
                 collector elsewhere run an agent here, which speaks TLS to it"
            )
        };
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            return Err(wrong());
        }
        let path = if path.len() > 1 { path } else { "/v1/traces" };
        Ok(Self { host: host.to_owned(), path: path.to_owned() })
    }
}

/// The way to the thread that exports.
#[derive(Debug)]
pub struct Spans {
    queue: SyncSender<(u64, Access)>,
    dropped: Arc<AtomicU64>,
}

impl Spans {
    /// Starts the thread. The collector need not be there yet.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(endpoint: Endpoint) -> io::Result<Self> {
        let (queue, spans) = sync_channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let lost = Arc::clone(&dropped);
        std::thread::Builder::new()
            .name("spans".into())
            .spawn(move || export_all(&endpoint, &spans, &lost))?;
        Ok(Self { queue, dropped })
    }

    /// Has the spans of a request exported whose reply came just now, if there is room.
    pub fn send(&self, access: Access) {
        if self.queue.try_send((now_us(), access)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread's life: what came within [`PATIENCE`] is one request.
fn export_all(endpoint: &Endpoint, spans: &Receiver<(u64, Access)>, dropped: &AtomicU64) {
    loop {
        let Ok(first) = spans.recv() else { return };
        let (mut batch, until) = (vec![first], Instant::now() + PATIENCE);
        while batch.len() < TOGETHER {
            match spans.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(next) => batch.push(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let body = request(batch.iter().flat_map(|(end_us, access)| of_request(*end_us, access)));
        if let Err(error) = post(endpoint, body.to_string().as_bytes()) {
            dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
            tracing::warn!(endpoint = endpoint.host, %error, "spans cannot be exported");
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(dropped = lost, "spans of sampled requests were dropped");
        }
    }
}

fn request(spans: impl Iterator<Item = Value>) -> Value {
    let instance = std::process::id().to_string();
    let resource = [
        attribute("service.name", "circlet".into()),
        attribute("service.version", env!("CARGO_PKG_VERSION").into()),
        attribute("service.instance.id", instance.as_str().into()),
    ];
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{
            "scope": { "name": "circlet", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans.collect::<Vec<_>>(),
        }],
    }]})
}

/// The span of a request here, and, if shards were asked, the one of the slowest there.
fn of_request(end_us: u64, access: &Access) -> Vec<Value> {
    let trace = format!("{:032x}", fastrand::u128(1..));
    let here = format!("{:016x}", fastrand::u64(1..));
    let name = access.command.replace('|', " ").to_uppercase();
    let start_us = end_us - access.total_us.min(end_us);
    let mut attributes = vec![
        attribute("db.system.name", "redis".into()),
        attribute("db.operation.name", name.as_str().into()),
        attribute("db.namespace", access.db.to_string().as_str().into()),
        attribute("client.address", access.address.as_str().into()),
        attribute("circlet.pool", access.pool.as_str().into()),
    ];
    attributes.extend(access.key.as_ref().map(|key| attribute("circlet.key", key.as_str().into())));
    let mut span = json!({
        "traceId": trace, "spanId": here, "name": name, "kind": SERVER,
        "startTimeUnixNano": nanos(start_us), "endTimeUnixNano": nanos(end_us),
    });
    let mut at_shard = access.shard.as_ref().map(|shard| {
        let sent_us = start_us + access.queued_us;
        let mut attributes = attributes.clone();
        attributes.push(attribute("circlet.shard", shard.as_str().into()));
        let (host, port) = access.server.rsplit_once(':').unwrap_or((&access.server, ""));
        attributes.push(attribute("server.address", host.into()));
        attributes
            .extend(port.parse::<u64>().ok().map(|port| attribute("server.port", port.into())));
        json!({
            "traceId": trace, "spanId": format!("{:016x}", fastrand::u64(1..)),
            "parentSpanId": here, "name": name, "kind": CLIENT,
            "startTimeUnixNano": nanos(sent_us),
            "endTimeUnixNano": nanos(sent_us + access.shard_us), "attributes": attributes,
        })
    });
    span["attributes"] = json!(attributes);
    if let Some(code) = &access.error {
        for span in [Some(&mut span), at_shard.as_mut()].into_iter().flatten() {
            span["status"] = json!({ "code": ERROR, "message": code });
            if let Some(attributes) = span["attributes"].as_array_mut() {
                attributes.push(attribute("db.response.status_code", code.as_str().into()));
                attributes.push(attribute("error.type", code.as_str().into()));
            }
        }
    }
    [Some(span), at_shard].into_iter().flatten().collect()
}

/// The protocol writes 64-bit numbers as texts.
fn nanos(micros: u64) -> String {
    (micros * 1_000).to_string()
}

fn attribute(key: &str, value: Value) -> Value {
    match value {
        Value::Number(number) => {
            json!({ "key": key, "value": { "intValue": number.to_string() } })
        }
        value => json!({ "key": key, "value": { "stringValue": value } }),
    }
}

fn post(endpoint: &Endpoint, body: &[u8]) -> io::Result<()> {
    let Some(address) = endpoint.host.to_socket_addrs()?.next() else {
        return Err(io::Error::other("its name has no address"));
    };
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let header = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        endpoint.path,
        endpoint.host,
        body.len()
    );
    stream.write_all(header.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.take(MOST_ANSWER).read_to_end(&mut answer)?;
    let line = String::from_utf8_lossy(answer.split(|&byte| byte == b'\r').next().unwrap_or(&[]));
    match line.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(()),
        _ => Err(io::Error::other(format!("the collector answered {line:?}"))),
    }
}

/// The protocol's numbers of kinds and of a status.
const SERVER: u32 = 2;
const CLIENT: u32 = 3;
const ERROR: u32 = 2;
/// Requests that wait for the thread.
const QUEUE: usize = 2048;
/// Requests in one export.
const TOGETHER: usize = 512;
/// How long a first request waits for others to be exported with.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a collector may take for anything.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a collector's answer that are read.
const MOST_ANSWER: u64 = 64 * 1024;
