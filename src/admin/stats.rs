//! twemproxy's stats port: connect, read one line of JSON, done.
//!
//! Names, order, nesting and spacing are those of nutcracker 0.5.0, so that what scrapes
//! twemproxy scrapes circlet. Three things differ: values are those of this moment (twemproxy's are up
//! to `--stats-interval` old), names are escaped as JSON asks, and there are a few names more. A client that sends
//! a request first, as HTTP clients do, gets the same line.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::counters::{HealthCounters, PoolCounters, ShardCounters, WorkerCounters};
use crate::config::{Config, Pool};
use crate::upgrade::inherited::Inherited;
use crate::worker::{Shared, Worker};

/// Scrapers served at a time; more wait in the listen queue. twemproxy serves one.
pub const MAX_SCRAPERS: usize = 16;

/// How long a scraper may take to read its line before it is disconnected.
pub const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a scraper that has its line may take to hang up before we do.
pub const LINGER: Duration = Duration::from_secs(1);

/// Where the numbers come from; all clones of one follow a reload of the configuration.
#[derive(Debug, Clone)]
pub struct StatsSource {
    view: Arc<ArcSwap<View>>,
    host: String,
    started: Instant,
    /// Whom to ask for what is counted by looking.
    shared: Option<Arc<Shared>>,
}

/// The counters, and what they are of.
#[derive(Debug)]
struct View {
    /// In twemproxy's order.
    pools: Vec<PoolNames>,
    workers: Vec<Arc<WorkerCounters>>,
    health: Arc<HealthCounters>,
}

#[derive(Debug, Clone)]
struct PoolNames {
    /// The pool's index.
    index: usize,
    name: String,
    /// Each with its index.
    servers: Vec<(usize, String)>,
}

/// Listens on the address of `-a` and the port of `-s`.
///
/// # Errors
/// A sentence for the operator when the address cannot be had.
pub async fn listen(
    (host, port): (String, u16),
    inherited: &mut Inherited,
) -> Result<TcpListener, String> {
    let opened = match inherited.take_tcp(&host, port, None) {
        Ok(Some(handed)) => TcpListener::from_std(handed.socket.into()),
        _ => TcpListener::bind((host.as_str(), port)).await,
    };
    opened.map_err(|error| {
        format!(
            "the statistics cannot listen on {host}:{port}: {error}; choose another port with -s \
             or another address with -a"
        )
    })
}

/// Serves whoever connects, until dropped.
pub async fn serve(listener: TcpListener, source: StatsSource) {
    let source = Arc::new(source);
    let seats = Arc::new(Semaphore::new(MAX_SCRAPERS));
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let source = Arc::clone(&source);
                tokio::spawn(async move {
                    // A scraper that left or never read: nothing to be done about it.
                    let _ = answer(stream, &source).await;
                    drop(seat);
                });
            }
            Err(error) => {
                warn!("stats port cannot accept: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, source: &StatsSource) -> io::Result<()> {
    source.refresh().await;
    timeout(SCRAPE_TIMEOUT, stream.write_all(source.line().as_bytes())).await??;
    stream.shutdown().await?;
    // Closing with a request unread would reset the connection and could take the answer along.
    let mut request = [0; 1024];
    let hang_up = async { while stream.read(&mut request).await.is_ok_and(|n| n > 0) {} };
    timeout(LINGER, hang_up).await?;
    Ok(())
}

impl StatsSource {
    /// The counters of these workers, and of the monitor, for the pools of `config`.
    pub fn new(
        config: &Config,
        workers: Vec<Arc<WorkerCounters>>,
        health: Arc<HealthCounters>,
    ) -> Self {
        let pools = names(config.pools.iter().enumerate());
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let view = Arc::new(ArcSwap::from_pointee(View { pools, workers, health }));
        Self { view, host, started: Instant::now(), shared: None }
    }

    /// From now on these are the pools, each with its index, and these the counters.
    pub fn follow<'a>(
        &self,
        pools: impl Iterator<Item = (usize, &'a Pool)>,
        workers: Vec<Arc<WorkerCounters>>,
        health: Arc<HealthCounters>,
    ) {
        self.view.store(Arc::new(View { pools: names(pools), workers, health }));
    }

    /// Has the workers bring their queues up to date before a line is made. One that does not
    /// answer soon is not waited for.
    pub async fn refresh(&self) {
        if let Some(shared) = &self.shared {
            let _ = timeout(REFRESH_PATIENCE, shared.ask_all(Worker::count_queues)).await;
        }
    }

    /// The workers, which are asked what waits and what is in flight.
    pub fn ask(&mut self, shared: Arc<Shared>) {
        self.shared = Some(shared);
    }

    /// The line a scraper reads, with its newline.
    pub fn line(&self) -> String {
        let view = self.view.load();
        let mut line = String::with_capacity(512 + 512 * view.shard_count());
        line.push('{');
        self.write_head(&view, &mut line);
        for (position, pool) in view.pools.iter().enumerate() {
            line.push_str(if position == 0 { "" } else { "," });
            view.write_pool(&mut line, pool);
        }
        line.push_str("}\n");
        line
    }

    fn write_head(&self, view: &View, line: &mut String) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        text_field(line, "service", SERVICE);
        text_field(line, "source", &self.host);
        text_field(line, "version", env!("CARGO_PKG_VERSION"));
        field(line, "uptime", self.started.elapsed().as_secs());
        field(line, "timestamp", now.as_secs());
        field(line, "total_connections", view.total_connections());
        field(line, "curr_connections", view.current_connections());
    }
}

impl View {
    fn write_pool(&self, line: &mut String, pool: &PoolNames) {
        let _ = write!(line, "{}: {{", quoted(&pool.name));
        for (name, counter) in POOL_FIELDS {
            let value = match counter {
                Some(counter) => self.sum_of_pool(pool.index, counter),
                None => self.health.server_ejects(pool.index),
            };
            field(line, name, value);
        }
        for (position, (shard, server)) in pool.servers.iter().enumerate() {
            line.push_str(if position == 0 { "" } else { "," });
            self.write_server(line, (pool.index, *shard), server);
        }
        line.push('}');
    }

    fn write_server(&self, line: &mut String, (pool, shard): (usize, usize), name: &str) {
        let _ = write!(line, "{}: {{", quoted(name));
        for (name, counter) in SERVER_FIELDS {
            let value = match counter {
                Some(counter) => self.sum_of_pool(pool, |pool| counter(&pool.shards[shard])),
                None => self.health.server_ejected_at(pool, shard),
            };
            field(line, name, value);
        }
        line.truncate(line.len() - SEPARATOR.len());
        line.push('}');
    }

    /// twemproxy's `conn_ncurr_conn` counts its listening sockets too.
    fn current_connections(&self) -> u64 {
        let links = |pool: &PoolCounters| sum(pool.shards.iter().map(server_connections));
        let open = |pool: &PoolCounters| pool.client_connections.value().wrapping_add(links(pool));
        self.pools.len() as u64 + sum(self.pools.iter().map(|p| self.sum_of_pool(p.index, open)))
    }

    fn total_connections(&self) -> u64 {
        let links = |pool: &PoolCounters| sum(pool.shards.iter().map(|s| s.links_opened.value()));
        let ever = |pool: &PoolCounters| pool.total_connections.value().wrapping_add(links(pool));
        self.pools.len() as u64 + sum(self.pools.iter().map(|p| self.sum_of_pool(p.index, ever)))
    }

    fn sum_of_pool(&self, pool: usize, value: impl Fn(&PoolCounters) -> u64) -> u64 {
        sum(self.workers.iter().map(|worker| value(&worker.pools[pool])))
    }

    fn shard_count(&self) -> usize {
        self.pools.iter().map(|pool| pool.servers.len()).sum()
    }
}

/// The pools in twemproxy's order, and their servers.
fn names<'a>(pools: impl Iterator<Item = (usize, &'a Pool)>) -> Vec<PoolNames> {
    let of_pool = |(index, pool): (usize, &Pool)| PoolNames {
        index,
        name: pool.name.clone(),
        servers: pool
            .configured()
            .into_iter()
            .map(|shard| (shard, pool.servers[shard].name.clone()))
            .collect(),
    };
    let mut pools: Vec<PoolNames> = pools.map(of_pool).collect();
    pools.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    pools
}

/// Each worker's gauge may be caught between two stores; a sum must not panic for it.
fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

fn server_connections(shard: &ShardCounters) -> u64 {
    shard.server_connections.value()
}

fn field(line: &mut String, name: &str, value: u64) {
    let _ = write!(line, "\"{name}\":{value}{SEPARATOR}");
}

fn text_field(line: &mut String, name: &str, value: &str) {
    let _ = write!(line, "\"{name}\":{}{SEPARATOR}", quoted(value));
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A field's name and its counter; `None` is the monitor's.
type Fields<T, const N: usize> = [(&'static str, Option<fn(&T) -> u64>); N];

const POOL_FIELDS: Fields<PoolCounters, 9> = [
    ("client_eof", Some(|pool| pool.client_eof.value())),
    ("client_err", Some(|pool| pool.client_err.value())),
    ("client_connections", Some(|pool| pool.client_connections.value())),
    ("server_ejects", None),
    ("forward_error", Some(|pool| pool.forward_error.value())),
    ("fragments", Some(|pool| pool.fragments.value())),
    ("shed_clients", Some(|pool| pool.shed_clients.value())),
    ("displaced_requests", Some(|pool| pool.displaced_requests.value())),
    ("displaced_refused", Some(|pool| pool.displaced_refused.value())),
];

const SERVER_FIELDS: Fields<ShardCounters, 13> = [
    ("server_eof", Some(|shard| shard.server_eof.value())),
    ("server_err", Some(|shard| shard.server_err.value())),
    ("server_timedout", Some(|shard| shard.server_timedout.value())),
    ("server_connections", Some(server_connections)),
    ("server_ejected_at", None),
    ("requests", Some(|shard| shard.requests.value())),
    ("request_bytes", Some(|shard| shard.request_bytes.value())),
    ("responses", Some(|shard| shard.responses.value())),
    ("response_bytes", Some(|shard| shard.response_bytes.value())),
    ("in_queue", Some(|shard| shard.in_queue.value())),
    ("in_queue_bytes", Some(|shard| shard.in_queue_bytes.value())),
    ("out_queue", Some(|shard| shard.out_queue.value())),
    ("out_queue_bytes", Some(|shard| shard.out_queue_bytes.value())),
];

/// A worker is at most so long with one batch, if all is well.
const REFRESH_PATIENCE: Duration = Duration::from_millis(500);

/// What scrapers know twemproxy by.
const SERVICE: &str = "nutcracker";

const SEPARATOR: &str = ", ";

/// When there are no file descriptors left, asking again at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
