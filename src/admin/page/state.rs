//! One pool at this moment, as JSON: what the page shows, once a second.
//!
//! Counts only grow; who looks twice has rates. Names of clients are any bytes and so come as
//! [`shown`].

use std::time::SystemTime;

use hyper::StatusCode;
use serde::Serialize;

use super::portion::{Counts, PoolPortion, Portion, Totals};
use super::stand_ins::{Found, StandIns};
use super::{json, shown};
use crate::admin::web::{Page, query};
use crate::client::roll::{self, Order};
use crate::config::{Address, Listen};
use crate::route::picture::Picture;
use crate::route::ring::ALL;
use crate::shard::health::{ShardHealth, State};
use crate::worker::Shared;

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    process: u32,
    /// Seconds that circlet has run.
    uptime: f64,
    /// Seconds since 1970.
    time: f64,
    workers: usize,
    /// The names of all pools.
    pools: Vec<String>,
    pool: Described<'a>,
    shards: Vec<Shard<'a>>,
    ring: Option<Drawn>,
    clients: Vec<Client>,
}

#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    listens: Vec<String>,
    distribution: &'static str,
    hash: &'static str,
    hash_tag: Option<String>,
    ejects: bool,
    #[serde(flatten)]
    totals: Totals,
}

#[derive(Serialize)]
struct Shard<'a> {
    name: &'a str,
    address: String,
    weight: u32,
    /// `live`, `down`, `returning` or `ejected`.
    state: &'static str,
    /// Seconds that it is in this state.
    since: f64,
    cause: &'a str,
    /// The part of all keys that is its own.
    share: f64,
    /// The part that it has now.
    share_now: f64,
    /// The part of its own keys that it has now.
    has: f64,
    /// Who has the others: index and part of all keys.
    stand_ins: Vec<(usize, f64)>,
    #[serde(flatten)]
    counts: Counts,
}

/// The ring in slices: index of a shard and for how many slices, in turn.
#[derive(Serialize)]
struct Drawn {
    slices: u32,
    home: Vec<u32>,
    now: Vec<u32>,
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
pub async fn answer(shared: &Shared, found: &Found, query: &str) -> Page {
    let name = query::text_parameter(query, "pool");
    let order = query::text_parameter(query, "by").and_then(|by| Order::from_name(&by));
    let order = order.unwrap_or_default();
    let asked = name.clone();
    let portions =
        shared.ask_all(move |worker| Portion::of(worker, asked.as_deref(), order, MOST_CLIENTS));
    let mut portions = portions.await.into_iter();
    let Some(Portion { pools, pool }) = portions.next() else {
        return json::fault(StatusCode::SERVICE_UNAVAILABLE, "circlet is about to end");
    };
    let Some(mut pool) = pool else {
        let name = name.unwrap_or_default();
        return json::fault(StatusCode::NOT_FOUND, &format!("there is no pool {name:?}"));
    };
    portions.filter_map(|portion| portion.pool).for_each(|portion| pool.add(portion));
    let clients = std::mem::take(&mut pool.clients);
    let document = Document {
        version: env!("CARGO_PKG_VERSION"),
        process: std::process::id(),
        uptime: shared.started.elapsed().as_secs_f64(),
        time: SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64()),
        workers: shared.workers(),
        pools,
        pool: Described::of(&pool),
        shards: shards(&pool, found.of(&pool)),
        ring: pool.ring.picture(SLICES).map(Drawn::from),
        clients: roll::first(clients, order, MOST_CLIENTS).into_iter().map(Client::from).collect(),
    };
    json::page(StatusCode::OK, &document)
}

fn shards(pool: &PoolPortion, stand_ins: StandIns) -> Vec<Shard<'_>> {
    let whole = pool.ring.with_shares(&vec![ALL; pool.health.len()]);
    let (home, now) = (whole.shares(), pool.ring.shares());
    let of = |(index, stand_ins): (usize, Vec<(usize, f64)>)| {
        let (server, health) = (&pool.config.servers[index], &pool.health[index]);
        Shard {
            name: &server.name,
            address: server.address.to_string(),
            weight: server.weight,
            state: state(health),
            since: health.since.elapsed().as_secs_f64(),
            cause: &health.cause,
            share: home[index],
            share_now: now[index],
            has: f64::from(health.share) / f64::from(ALL),
            stand_ins,
            counts: pool.shards[index],
        }
    };
    stand_ins.into_iter().enumerate().map(of).collect()
}

fn state(health: &ShardHealth) -> &'static str {
    match health.state {
        State::Live => "live",
        State::Down => "down",
        State::Returning => "returning",
        State::Ejected => "ejected",
    }
}

impl<'a> Described<'a> {
    fn of(pool: &'a PoolPortion) -> Self {
        let config = &*pool.config;
        let plain = config.listen.iter().map(address);
        let tls = config.tls.listen.iter().map(|listen| format!("{} (TLS)", address(listen)));
        Self {
            name: &config.name,
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

impl From<Picture> for Drawn {
    fn from(picture: Picture) -> Self {
        Self { slices: SLICES, home: runs(&picture.home), now: runs(&picture.now) }
    }
}

fn runs(owners: &[u16]) -> Vec<u32> {
    owners
        .chunk_by(|one, next| one == next)
        .flat_map(|run| [u32::from(run[0]), run.len() as u32])
        .collect()
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

/// Half a degree each: finer than a screen shows.
const SLICES: u32 = 720;
/// More than anybody reads; the others are counted.
const MOST_CLIENTS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_sent_as_runs() {
        assert_eq!(runs(&[2, 2, 2, 0, 1, 1]), [2, 3, 0, 1, 1, 2]);
        assert_eq!(runs(&[]), [0; 0]);
    }
}
