//! One pool at this moment, as JSON: what the page shows, once a second.
//!
//! Counts only grow; who looks twice has rates. Names of clients and keys are any bytes and so come
//! as [`shown`].

use std::sync::Arc;
use std::time::SystemTime;

use hyper::StatusCode;
use serde::Serialize;

use super::fleet::{self, Drawn, Shard};
use super::lately::Lately;
use super::portion::{PoolPortion, Portion, Totals};
use super::stand_ins::Found;
use super::{json, shown};
use crate::admin::web::{Page, query};
use crate::client::roll::{self, Order};
use crate::config::{Address, Listen};
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
    #[serde(flatten)]
    lately: Lately,
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
    let lately = Lately::of(shared, pool.index, &pool.config.name).await;
    // Rings may be built for it, which takes a while: elsewhere, lest heartbeats wait.
    let built = tokio::task::spawn_blocking(move || {
        json::page(StatusCode::OK, &Document::of(process, pools, pool, order, lately, &found))
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
        lately: Lately,
        found: &Found,
    ) -> Self {
        let clients = roll::first(std::mem::take(&mut pool.clients), order, MOST_CLIENTS);
        Self {
            process,
            pools,
            pool: Described::of(&pool),
            shards: fleet::shards(&pool, found.of(&pool)),
            ring: Drawn::of(&pool.ring),
            lately,
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
