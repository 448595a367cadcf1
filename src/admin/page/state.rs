//! One pool at this moment, as JSON: what the page shows, once a second.
//!
//! Counts only grow; who looks twice has rates. Names of clients and keys are any bytes and so come
//! as [`shown`].

use std::sync::Arc;
use std::time::SystemTime;

use hyper::StatusCode;
use serde::Serialize;

use super::fleet::{self, Drawn, Shard};
use super::portion::{PoolPortion, Portion, Totals};
use super::stand_ins::Found;
use super::{json, shown};
use crate::admin::web::{Page, query};
use crate::client::roll::{self, Order};
use crate::config::{Address, Listen};
use crate::hotkeys::report::{self, PoolReport};
use crate::worker::Shared;

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    process: Process,
    /// The names of all pools.
    pools: Vec<String>,
    pool: Described,
    shards: Vec<Shard>,
    ring: Option<Drawn>,
    hot_keys: Vec<HotKey>,
    big_keys: Vec<BigKey>,
    clients: Vec<Client>,
}

#[derive(Serialize)]
struct Process {
    version: &'static str,
    process: u32,
    /// Seconds that circlet has run.
    uptime: f64,
    /// Seconds since 1970.
    time: f64,
    workers: usize,
}

#[derive(Serialize)]
struct Described {
    name: String,
    listens: Vec<String>,
    distribution: &'static str,
    hash: &'static str,
    hash_tag: Option<String>,
    ejects: bool,
    #[serde(flatten)]
    totals: Totals,
}

#[derive(Serialize)]
struct HotKey {
    key: String,
    /// The shard's name.
    shard: Option<String>,
    /// Commands a second.
    rate: f64,
    /// The part of the pool's commands that are for it.
    share: f64,
}

#[derive(Serialize)]
struct BigKey {
    key: String,
    shard: Option<String>,
    /// Bytes of its largest transfer lately.
    largest: usize,
    command: &'static str,
}

#[derive(Serialize)]
struct Client {
    id: u64,
    address: String,
    name: String,
    user: String,
    age: u64,
    idle: u32,
    db: u32,
    commands: u32,
    read: u64,
    written: u64,
    last: &'static str,
}

/// `?pool=NAME&by=ORDER`: the first pool and by commands if it says nothing.
pub async fn answer(shared: &Shared, found: &Arc<Found>, query: &str) -> Page {
    let name = query::text_parameter(query, "pool");
    let order = query::text_parameter(query, "by").and_then(|by| Order::from_name(&by));
    let order = order.unwrap_or_default();
    let asked = name.clone();
    let portions = shared
        .ask_all(move |worker| Portion::of(worker, asked.as_deref(), order, MOST_CLIENTS))
        .await;
    let mut portions = portions.into_iter();
    let Some(Portion { pools, pool }) = portions.next() else {
        return json::fault(StatusCode::SERVICE_UNAVAILABLE, "circlet is about to end");
    };
    let Some(mut pool) = pool else {
        let name = name.unwrap_or_default();
        return json::fault(StatusCode::NOT_FOUND, &format!("there is no pool {name:?}"));
    };
    portions.filter_map(|portion| portion.pool).for_each(|portion| pool.add(portion));
    let (process, found) = (Process::of(shared), Arc::clone(found));
    let keys = report::ask(shared, Some(pool.index)).await.pop();
    // Rings may be built for it, which takes a while: elsewhere, lest heartbeats wait.
    let built = tokio::task::spawn_blocking(move || {
        json::page(StatusCode::OK, &Document::of(process, pools, pool, order, keys, &found))
    });
    let failed = |_| json::fault(StatusCode::SERVICE_UNAVAILABLE, "circlet is about to end");
    built.await.unwrap_or_else(failed)
}

impl Document {
    fn of(
        process: Process,
        pools: Vec<String>,
        mut pool: PoolPortion,
        order: Order,
        keys: Option<PoolReport>,
        found: &Found,
    ) -> Self {
        let clients = roll::first(std::mem::take(&mut pool.clients), order, MOST_CLIENTS);
        let (hot, big) = keys.map(|keys| (keys.hot, keys.big)).unwrap_or_default();
        Self {
            process,
            pools,
            pool: Described::of(&pool),
            shards: fleet::shards(&pool, found.of(&pool)),
            ring: Drawn::of(&pool.ring),
            hot_keys: hot
                .into_iter()
                .filter(|key| key.share >= WORTH_A_LINE)
                .take(MOST_KEYS)
                .map(HotKey::from)
                .collect(),
            big_keys: big.into_iter().take(MOST_KEYS).map(BigKey::from).collect(),
            clients: clients.into_iter().map(Client::from).collect(),
        }
    }
}

impl Process {
    fn of(shared: &Shared) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            process: std::process::id(),
            uptime: shared.started.elapsed().as_secs_f64(),
            time: now.map_or(0.0, |since| since.as_secs_f64()),
            workers: shared.workers(),
        }
    }
}

impl Described {
    fn of(pool: &PoolPortion) -> Self {
        let config = &*pool.config;
        let plain = config.listen.iter().map(address);
        let tls = config.tls.listen.iter().map(|listen| format!("{} (TLS)", address(listen)));
        Self {
            name: config.name.clone(),
            listens: plain.chain(tls).collect(),
            distribution: config.distribution.name(),
            hash: config.hash.name(),
            hash_tag: config.hash_tag.map(|tag| shown(&tag)),
            ejects: config.auto_eject_hosts,
            totals: pool.totals,
        }
    }
}

fn address(listen: &Listen) -> String {
    match listen {
        Listen::Tcp { host, port } => Address::Tcp { host: host.clone(), port: *port }.to_string(),
        Listen::Unix { path, .. } => path.display().to_string(),
    }
}

impl From<report::HotKey> for HotKey {
    fn from(key: report::HotKey) -> Self {
        let shard = key.shard.as_deref().map(str::to_owned);
        Self { key: shown(&key.key.shown()), shard, rate: key.rate, share: key.share }
    }
}

impl From<report::BigKey> for BigKey {
    fn from(key: report::BigKey) -> Self {
        let shard = key.shard.as_deref().map(str::to_owned);
        let (largest, command) = (key.largest, key.command);
        Self { key: shown(&key.key.shown()), shard, largest, command }
    }
}

impl From<roll::Client> for Client {
    fn from(client: roll::Client) -> Self {
        Self {
            id: client.id,
            address: client.address,
            name: shown(&client.name),
            user: shown(&client.user),
            age: client.age,
            idle: client.idle,
            db: client.db,
            commands: client.commands,
            read: client.read,
            written: client.written,
            last: client.last,
        }
    }
}

/// More than anybody reads; the others are counted.
const MOST_CLIENTS: usize = 200;
const MOST_KEYS: usize = 10;
/// A key with a smaller share of the commands than a five hundredth does not stand out.
const WORTH_A_LINE: f64 = 0.002;
