//! What TLS costs the proxy: CPU time a request, with TLS on neither side, on the clients' and on
//! both, in rounds that take turns; and what an idle connection holds.
//!
//! `cargo bench --bench tls`; TLS_ROUNDS (5) and TLS_SECONDS (1) set how long. redis-benchmark is
//! the client, one redis-server the shard.

#[path = "../../tests/suite/tls/certificates.rs"]
#[allow(dead_code)]
mod certificates;
#[path = "../../tests/suite/harness/mod.rs"]
mod harness;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use certificates::{Authority, Papers};
use harness::{Address, Circlet, Client, Proxy, Shard, free_port};

fn main() {
    // `cargo test --all-targets` runs benches too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("TLS is measured by `cargo bench --bench tls`");
        return;
    }
    let authority = Authority::new();
    let papers = authority.sign("anybody", &["127.0.0.1", "localhost"]);
    let (shard, tls_server) = shard(&authority, &papers);
    let ways = [
        Way::new("no TLS", &authority, &papers, &shard.server(1, None), Side::Plain),
        Way::new("TLS to clients", &authority, &papers, &shard.server(1, None), Side::Clients),
        Way::new("TLS on both sides", &authority, &papers, &tls_server, Side::Both),
    ];
    ways[0].client(&authority).command(&["SET", "key", &"x".repeat(100)]);
    println!(
        "| GET of 100 bytes, 50 clients | pipeline | µs of CPU a request | least to most | requests/s |\n|---|---|---|---|---|"
    );
    for pipeline in [1, 16] {
        compare(&ways, &authority, pipeline);
    }
    for way in &ways {
        idle(way, &authority);
    }
    handshakes(&ways[1], &authority);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Plain,
    Clients,
    Both,
}

/// One circlet, of one worker.
struct Way {
    name: &'static str,
    proxy: Proxy,
    side: Side,
}

impl Way {
    fn new(
        name: &'static str,
        authority: &Authority,
        papers: &Papers,
        server: &str,
        side: Side,
    ) -> Way {
        let (cert, key) = (papers.cert.display(), papers.key.display());
        let ca = authority.file();
        let to_shards = match side {
            Side::Both => format!(
                "  server_tls: true\n  server_tls_ca_cert_file: {}\n  server_tls_cert_file: {cert}\n  \
                 server_tls_key_file: {key}\n",
                ca.display()
            ),
            _ => String::new(),
        };
        let text = format!(
            "pool:\n  listen: 127.0.0.1:{{port:pool}}\n  tls_listen: 127.0.0.1:{{port:tls}}\n  \
             redis: true\n  tls_cert_file: {cert}\n  tls_key_file: {key}\n  tls_auth_clients: no\n\
             {to_shards}  servers:\n    - {server}\n"
        );
        Way { name, proxy: Circlet::with_arguments(&text, &["--threads", "1"]), side }
    }

    fn address(&self) -> Address {
        self.proxy.address_of(if self.side == Side::Plain { "pool" } else { "tls" })
    }

    fn client(&self, authority: &Authority) -> Client {
        match self.side {
            Side::Plain => Client::connect(&self.address()),
            _ => Client::try_connect_tls(&self.address(), &authority.client(None), "localhost")
                .expect("a handshake"),
        }
    }

    /// Microseconds of CPU a request, and requests a second.
    fn round(&self, authority: &Authority, pipeline: usize, requests: usize) -> (f64, f64) {
        let Address::Tcp(port) = self.address() else { panic!("TCP") };
        let mut command = Command::new("redis-benchmark");
        command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-c", "50"]);
        command.args(["-n", &requests.to_string(), "-P", &pipeline.to_string()]);
        if self.side != Side::Plain {
            command.arg("--tls").arg("--cacert").arg(authority.file());
        }
        command.args(["GET", "key"]).stdin(Stdio::null());
        let (before, begun) = (cpu_seconds(self.proxy.pid()), Instant::now());
        let output = command.output().expect("redis-benchmark is part of redis-tools");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rate = requests as f64 / begun.elapsed().as_secs_f64();
        ((cpu_seconds(self.proxy.pid()) - before) * 1e6 / requests as f64, rate)
    }
}

fn compare(ways: &[Way], authority: &Authority, pipeline: usize) {
    let seconds = number("TLS_SECONDS", 1.0);
    let sizes: Vec<usize> = ways
        .iter()
        .map(|way| {
            let (_, rate) = way.round(authority, pipeline, 20_000);
            ((rate * seconds) as usize).max(20_000)
        })
        .collect();
    let mut seen: Vec<Vec<(f64, f64)>> = vec![Vec::new(); ways.len()];
    for _ in 0..number("TLS_ROUNDS", 5.0) as usize {
        for (index, way) in ways.iter().enumerate() {
            seen[index].push(way.round(authority, pipeline, sizes[index]));
        }
    }
    for (way, mut rounds) in ways.iter().zip(seen) {
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (cost, rate) = rounds[rounds.len() / 2];
        let (least, most) = (rounds[0].0, rounds[rounds.len() - 1].0);
        println!("| {} | {pipeline} | {cost:.2} | {least:.2} to {most:.2} | {rate:.0} |", way.name);
    }
}

fn idle(way: &Way, authority: &Authority) {
    const CLIENTS: usize = 500;
    let before = resident_bytes(way.proxy.pid());
    let clients: Vec<Client> = (0..CLIENTS)
        .map(|_| {
            let mut client = way.client(authority);
            client.command(&["GET", "key"]);
            client
        })
        .collect();
    let each = (resident_bytes(way.proxy.pid()) - before) / CLIENTS as f64 / 1024.0;
    println!("{}: {each:.1} KiB each of {} idle clients", way.name, clients.len());
}

/// Full handshakes, one after another.
fn handshakes(way: &Way, authority: &Authority) {
    const COUNT: usize = 500;
    let before = cpu_seconds(way.proxy.pid());
    for _ in 0..COUNT {
        drop(way.client(authority));
    }
    let each = (cpu_seconds(way.proxy.pid()) - before) * 1e6 / COUNT as f64;
    println!("a handshake, ECDSA P-256: {each:.0} µs of CPU");
}

/// A shard with a plain port and one for TLS, and the line that names the latter.
fn shard(authority: &Authority, papers: &Papers) -> (Shard, String) {
    let port = free_port().to_string();
    let (cert, key) = (papers.cert.display().to_string(), papers.key.display().to_string());
    let authority = authority.file().display().to_string();
    let shard = Shard::with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
    ]);
    (shard, format!("127.0.0.1:{port}:1"))
}

fn number(variable: &str, default: f64) -> f64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// CPU time that a process has used, in seconds, to the microsecond where the kernel tells it so.
fn cpu_seconds(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let nanoseconds = tasks.flatten().map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0)
    });
    nanoseconds.sum::<f64>() / 1e9
}

fn resident_bytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    let kib = line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number of it");
    kib * 1024.0
}
