//! What a circlet says of itself, from its admin address or its statistics.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// Where a circlet tells of itself.
#[derive(Debug)]
pub(super) struct Source {
    address: String,
}

/// All pools at one moment.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// When it was asked.
    pub(super) at: Instant,
    /// Where.
    pub(super) address: String,
    pub(super) version: String,
    /// Seconds that it has run.
    pub(super) uptime: u64,
    pub(super) pools: Vec<Pool>,
}

/// A pool at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) clients: u64,
    /// Requests that could not be forwarded, since the start.
    pub(super) not_forwarded: u64,
    pub(super) shards: Vec<Shard>,
}

/// A shard at one moment; counts are those since the start.
#[derive(Debug, Clone, Default)]
pub(super) struct Shard {
    pub(super) name: String,
    /// Empty where it is not told.
    pub(super) state: String,
    pub(super) cause: String,
    /// The part of all keys that it has.
    pub(super) share: Option<f64>,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) in_flight: u64,
    pub(super) links: u64,
    /// Replies that were timed, and the seconds they took together.
    pub(super) timed: Option<(f64, f64)>,
}

impl Source {
    /// The one at `address`, or of the usual addresses the first where somebody answers.
    pub(super) fn find(address: Option<&str>) -> Result<Self, String> {
        if let Some(address) = address {
            return Ok(Self { address: address.to_owned() });
        }
        let usual = USUAL.into_iter().map(|address| Self { address: address.to_owned() });
        let found = usual.into_iter().find(|source| source.connect().is_ok());
        found.ok_or_else(|| {
            format!(
                "no circlet answers on {}: give its admin address (--admin-addr) or that of its \
                 statistics (-a, -s), as in circlet top 10.0.0.1:22222",
                USUAL.join(" or ")
            )
        })
    }

    /// What is told now.
    pub(super) fn read(&self) -> Result<Reading, String> {
        let first = self.get("/api/state")?;
        if first.get("service").is_some() {
            return self.of_statistics(&first);
        }
        let names: Vec<String> =
            first["pools"].as_array().into_iter().flatten().map(text).collect();
        if names.is_empty() {
            return Err(format!("{} is no circlet's: it tells of no pool", self.address));
        }
        let timed = self.get("/metrics.json").map(|metrics| timed(&metrics)).unwrap_or_default();
        let mut pools = vec![pool(&first, &timed)];
        for name in names.iter().filter(|name| **name != pools_name(&first)) {
            let path = format!("/api/state?pool={}", encoded(name));
            pools.push(pool(&self.get(&path)?, &timed));
        }
        pools.sort_by_key(|pool| names.iter().position(|name| *name == pool.name));
        Ok(self.reading(text(&first["version"]), first["uptime"].as_f64().unwrap_or(0.0), pools))
    }

    fn reading(&self, version: String, uptime: f64, pools: Vec<Pool>) -> Reading {
        let address = self.address.clone();
        Reading { at: Instant::now(), address, version, uptime: uptime as u64, pools }
    }

    /// twemproxy's names: the pools are the objects of the line, the shards those of a pool.
    fn of_statistics(&self, line: &Json) -> Result<Reading, String> {
        let objects = |json: &Json| -> Vec<(String, Json)> {
            let all = json.as_object().into_iter().flatten();
            all.filter(|(_, value)| value.is_object())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let shard = |(name, told): (String, Json)| Shard {
            name,
            requests: number(&told["requests"]),
            errors: ["server_eof", "server_err", "server_timedout"]
                .iter()
                .map(|name| number(&told[*name]))
                .sum(),
            in_flight: number(&told["in_queue"]) + number(&told["out_queue"]),
            links: number(&told["server_connections"]),
            ..Shard::default()
        };
        let pools = objects(line).into_iter().map(|(name, told)| Pool {
            name,
            clients: number(&told["client_connections"]),
            not_forwarded: number(&told["forward_error"]),
            shards: objects(&told).into_iter().map(shard).collect(),
        });
        let uptime = number(&line["uptime"]) as f64;
        Ok(self.reading(text(&line["version"]), uptime, pools.collect()))
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let wrong = |error: io::Error| {
            format!(
                "{}: {error}; is this circlet's admin address or that of its statistics?",
                self.address
            )
        };
        let mut addresses = self.address.to_socket_addrs().map_err(wrong)?;
        let first = addresses.next().ok_or_else(|| format!("{} is no address", self.address))?;
        let stream = TcpStream::connect_timeout(&first, PATIENCE).map_err(wrong)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(wrong)?;
        Ok(stream)
    }

    /// The JSON at a path. The statistics' one line is the answer to whatever is asked there.
    fn get(&self, path: &str) -> Result<Json, String> {
        let mut stream = self.connect()?;
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("{}: no answer within {} s", self.address, PATIENCE.as_secs())
            }
            _ => format!("{}: {error}", self.address),
        };
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut bytes = Vec::new();
        stream.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
        let answer = String::from_utf8_lossy(&bytes);
        let body = match answer.strip_prefix("HTTP/1.1 ") {
            None => &answer,
            Some(rest) => {
                let (head, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
                if !head.starts_with("200") {
                    let status = head.lines().next().unwrap_or_default();
                    return Err(format!("{}{path}: {status}", self.address));
                }
                body
            }
        };
        serde_json::from_str(body)
            .map_err(|_| format!("{} is neither an admin address nor statistics", self.address))
    }
}

fn pool(state: &Json, timed: &Timed) -> Pool {
    let name = pools_name(state);
    let shard = |told: &Json| Shard {
        name: text(&told["name"]),
        state: text(&told["state"]),
        cause: text(&told["cause"]),
        share: told["share_now"].as_f64(),
        requests: number(&told["requests"]),
        errors: ["closed", "failed", "timed_out"].iter().map(|name| number(&told[*name])).sum(),
        in_flight: number(&told["in_flight"]),
        links: number(&told["links"]),
        timed: timed.get(&(name.clone(), text(&told["name"]))).copied(),
    };
    Pool {
        clients: number(&state["pool"]["clients"]),
        not_forwarded: number(&state["pool"]["not_forwarded"]),
        shards: state["shards"].as_array().into_iter().flatten().map(shard).collect(),
        name,
    }
}

type Timed = HashMap<(String, String), (f64, f64)>;

/// By pool and shard, how many replies were timed and how many seconds they took.
fn timed(metrics: &Json) -> Timed {
    let samples = metrics["metrics"]["circlet_shard_reply_seconds"]["samples"].as_array();
    let mut timed = Timed::new();
    for sample in samples.into_iter().flatten() {
        let labels = &sample["labels"];
        let sum = timed.entry((text(&labels["pool"]), text(&labels["shard"]))).or_default();
        sum.0 += sample["count"].as_f64().unwrap_or(0.0);
        sum.1 += sample["sum"].as_f64().unwrap_or(0.0);
    }
    timed
}

fn pools_name(state: &Json) -> String {
    text(&state["pool"]["name"])
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn number(json: &Json) -> u64 {
    json.as_u64().unwrap_or(0)
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// As docs and defaults have them: the admin address, then the statistics.
const USUAL: [&str; 2] = ["127.0.0.1:22223", "127.0.0.1:22222"];
const PATIENCE: Duration = Duration::from_secs(5);
/// A thousand shards take half a megabyte.
const MOST: u64 = 64 << 20;
