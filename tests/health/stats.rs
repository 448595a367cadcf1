//! The stats port, side by side with nutcracker's.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use circlet::admin::counters::{HealthCounters, WorkerCounters};
use circlet::admin::stats::{LINGER, MAX_SCRAPERS, StatsSource, serve};
use circlet::config::{Address, Config, Server};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::fleet::{free_port, pool};

/// Pools in an order that is not the one twemproxy shows.
fn two_pools() -> Config {
    let server =
        |name: &str, address| Server { name: name.into(), address, weight: 1, is_removed: false };
    let tcp = |port| Address::Tcp { host: "127.0.0.1".into(), port };
    let unix = Address::Unix("/tmp/none.sock".into());
    Config {
        pools: vec![
            pool("alpha2", vec![server("zz", tcp(7001)), server("/tmp/none.sock:", unix)]),
            pool("beta", vec![server("x", tcp(7002)), server("127.0.0.1:7003", tcp(7003))]),
        ],
    }
}

fn workers(count: usize) -> Vec<Arc<WorkerCounters>> {
    (0..count).map(|_| Arc::new(WorkerCounters::new(&[2, 2]))).collect()
}

fn source(workers: Vec<Arc<WorkerCounters>>) -> StatsSource {
    StatsSource::new(&two_pools(), workers, Arc::new(HealthCounters::new(&[2, 2])))
}

struct Nutcracker {
    child: Child,
    stats: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Nutcracker {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (alpha, beta) = (free_port(), free_port());
        let file = dir.path().join("nutcracker.yml");
        let text = format!(
            "alpha2:\n  listen: 127.0.0.1:{alpha}\n  redis: true\n  servers:\n   \
             - /tmp/none.sock:1\n   - 127.0.0.1:7001:1 zz\n\
             beta:\n  listen: 127.0.0.1:{beta}\n  redis: true\n  servers:\n   \
             - 127.0.0.1:7003:1\n   - 127.0.0.1:7002:1 x\n"
        );
        std::fs::write(&file, text).unwrap();
        let stats = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new("nutcracker")
            .args(["-a", "127.0.0.1", "-s", &stats.port().to_string(), "-c"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .expect("nutcracker is installed");
        Self { child, stats, _dir: dir }
    }

    /// Its line once it listens: the stats port opens first.
    fn line(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let line = TcpStream::connect(self.stats).map(read_all).unwrap_or_default();
            if line.contains("\"curr_connections\":2,") {
                return line;
            }
            assert!(Instant::now() < deadline, "nutcracker says: {line:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Nutcracker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut line = String::new();
    stream.read_to_string(&mut line).unwrap();
    line
}

/// The line with every value but the source's blanked.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    let mut rest = line;
    while let Some(colon) = rest.find("\":") {
        let (before, after) = rest.split_at(colon + 2);
        shape.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        shape.push_str(if rest.len() < after.len() { "N" } else { "" });
    }
    let version = |line: &str| {
        let start = line.find("\"version\":\"").unwrap() + "\"version\":\"".len();
        line[start..].split('"').next().unwrap().to_owned()
    };
    (shape + rest).replacen(&version(line), "V", 1)
}

/// The shape without the statistics that only circlet has.
fn without_our_own(shape: &str) -> String {
    OUR_OWN
        .iter()
        .fold(shape.to_owned(), |shape, name| shape.replace(&format!("\"{name}\":N, "), ""))
}

const OUR_OWN: [&str; 3] = ["shed_clients", "displaced_requests", "displaced_refused"];

#[test]
fn the_line_has_nutcrackers_names_order_nesting_and_spacing() {
    let theirs = Nutcracker::start().line();
    let ours = source(workers(2)).line();
    assert_eq!(without_our_own(&shape(&ours)), shape(&theirs));
    assert!(serde_json::from_str::<Value>(&ours).is_ok(), "{ours}");
    // Idle, both count their two listening sockets and nothing else.
    for line in [&theirs, &ours] {
        assert!(line.contains("\"total_connections\":2, \"curr_connections\":2, "), "{line}");
    }
}

#[test]
fn values_are_summed_over_the_workers_and_ejections_come_from_the_monitor() {
    let workers = workers(3);
    for (n, worker) in (1..).zip(&workers) {
        let (alpha, beta) = (&worker.pools[0], &worker.pools[1]);
        alpha.client_connections.add(n);
        alpha.total_connections.add(10 * n);
        alpha.shards[1].requests.add(100 * n);
        alpha.shards[1].links_opened.add(1000 * n);
        beta.shards[0].server_connections.add(n);
        beta.shards[0].out_queue_bytes.add(7 * n);
        beta.forward_error.add(5 * n);
    }
    let health = Arc::new(HealthCounters::new(&[2, 2]));
    let moment = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_385_624_430_729);
    health.ejected(1, 0, SystemTime::now());
    health.ejected(1, 0, moment);
    let source = StatsSource::new(&two_pools(), workers, health);
    let stats: Value = serde_json::from_str(&source.line()).unwrap();
    assert_eq!(stats["alpha2"]["client_connections"], 6);
    assert_eq!(stats["alpha2"]["/tmp/none.sock:"]["requests"], 600);
    assert_eq!(stats["alpha2"]["zz"]["requests"], 0);
    assert_eq!(stats["beta"]["forward_error"], 30);
    assert_eq!(stats["beta"]["x"]["out_queue_bytes"], 42);
    assert_eq!(stats["beta"]["server_ejects"], 2);
    assert_eq!(stats["beta"]["x"]["server_ejected_at"], 1_795_385_624_430_729_u64);
    assert_eq!(stats["alpha2"]["server_ejects"], 0);
    assert_eq!(stats["curr_connections"], 2 + 6 + 6);
    assert_eq!(stats["total_connections"], 2 + 60 + 6000);
}

#[test]
fn a_name_with_a_quote_is_still_json() {
    let mut config = two_pools();
    config.pools[0].name = "a\"\\\n".into();
    let health = Arc::new(HealthCounters::new(&[2, 2]));
    let line = StatsSource::new(&config, workers(1), health).line();
    assert!(serde_json::from_str::<Value>(&line).unwrap()["a\"\\\n"].is_object());
    assert_eq!(line.matches('\n').count(), 1);
}

/// Serves on a thread of its own for the rest of the test.
fn served(source: StatsSource) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            serve(tokio::net::TcpListener::from_std(listener).unwrap(), source).await;
        });
    });
    address
}

#[test]
fn whoever_connects_reads_one_line_even_after_an_http_request() {
    let address = served(source(workers(1)));
    let line = read_all(TcpStream::connect(address).unwrap());
    assert!(line.starts_with("{\"service\":\"nutcracker\", ") && line.ends_with("}}}\n"), "{line}");
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).unwrap();
        let sent = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(sent.is_ok() || sent.is_err_and(|e| e.kind() == ErrorKind::BrokenPipe));
        assert!(read_all(stream).ends_with("}}}\n"));
    }
}

#[test]
fn a_long_line_arrives_whole_after_a_request_that_nobody_reads() {
    let mut config = two_pools();
    let servers = &mut config.pools[0].servers;
    *servers = (0..300).map(|n| Server { name: format!("s{n}"), ..servers[0].clone() }).collect();
    let sizes = [300, 2];
    let workers = vec![Arc::new(WorkerCounters::new(&sizes))];
    let source = StatsSource::new(&config, workers, Arc::new(HealthCounters::new(&sizes)));
    // With a small window much of the line is still on our side when all of it is written.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&served(source).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    std::thread::sleep(LINGER / 4);
    let line = read_all(stream);
    let stats: Value = serde_json::from_str(&line).expect("the whole line");
    assert!(stats["alpha2"]["s299"].is_object() && line.ends_with("}}}\n"));
}

#[test]
fn scrapers_that_do_not_leave_are_few_and_not_for_long() {
    let address = served(source(workers(1)));
    let silent: Vec<_> = (0..MAX_SCRAPERS).map(|_| TcpStream::connect(address).unwrap()).collect();
    std::thread::sleep(LINGER / 4);
    let start = Instant::now();
    assert!(read_all(TcpStream::connect(address).unwrap()).ends_with("}}}\n"));
    assert!(start.elapsed() > LINGER / 4, "served at once: {:?}", start.elapsed());
    assert!(start.elapsed() < LINGER * 4, "{:?}", start.elapsed());
    drop(silent);
}
