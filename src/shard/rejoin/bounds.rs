//! Keeps records within `rejoin_limit` while shards are out, and suspicions where they survive.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::Trouble;
use super::record::{Stage, proxies_set, suspect_set};
use super::survey::databases;
use super::suspicion::Why;
use super::wire::{Batch, Wire};
use crate::config::Pool;
use crate::reply::frame;
use crate::resp::reply::elements;
use crate::route::ring::{ALL, NOTHING, Share};
use crate::worker::Shared;

/// Runs for as long as the pool does.
pub(super) async fn watch(
    settings: Arc<Pool>,
    pool: usize,
    shares: Arc<Mutex<Vec<Share>>>,
    shared: Arc<Shared>,
) {
    let mut wires = BTreeMap::new();
    // The homes at whose records this proxy is entered: nobody else enters it, so that it cannot be
    // entered again behind its back.
    let mut entered = BTreeSet::new();
    loop {
        sleep(LOOK_EVERY).await;
        let shares = shares.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let is_out = |shard: &usize| {
            let server = settings.servers.get(*shard);
            shares[*shard] == NOTHING && server.is_some_and(|server| !server.is_removed)
        };
        let out: Vec<usize> = (0..shares.len()).filter(is_out).collect();
        let watch = Watch { settings: &settings, pool, shared: &shared };
        for home in entered.iter().filter(|home| shares[**home] == ALL) {
            for wire in wires.values_mut() {
                // A set that is not left is gone a few seconds later.
                let _ = watch.leave(wire, *home).await;
            }
        }
        entered.retain(|home: &usize| shares[*home] != ALL);
        if out.is_empty() {
            wires.clear();
            continue;
        }
        entered.extend(out.iter().copied());
        for shard in (0..shares.len()).filter(|shard| shares[*shard] == ALL) {
            if watch.look(&mut wires, shard, &out).await.is_err() {
                // It is asked again; if it is dead, heartbeats tell.
                wires.remove(&shard);
            }
        }
    }
}

struct Watch<'a> {
    settings: &'a Arc<Pool>,
    pool: usize,
    shared: &'a Shared,
}

impl Watch<'_> {
    async fn look(
        &self,
        wires: &mut BTreeMap<usize, Wire>,
        shard: usize,
        out: &[usize],
    ) -> Result<(), Trouble> {
        let tls = self.shared.certificates.of_pool(self.pool);
        let wire = match wires.entry(shard) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Wire::open(self.settings, shard, &tls).await?),
        };
        for &home in out {
            let name = &self.settings.servers[home].name;
            let set = suspect_set(&self.settings.name, name);
            wire.select(self.settings.redis_db).await?;
            let counts_until = (wire.milliseconds().await? + COUNTS_FOR).to_string();
            let proxies = proxies_set(&self.settings.name, name);
            let own = self.shared.run_id.as_bytes();
            let mut batch = Batch::of(&[b"SMEMBERS", &set]);
            batch.add(&[b"ZADD", &proxies[..], counts_until.as_bytes(), own]);
            batch.add(&[b"PEXPIRE", &proxies[..], COUNTS_FOR.to_string().as_bytes()]);
            for one in self.shared.suspicions.of(self.pool, home) {
                batch.add(&[b"SADD", &set[..], one.why.member().as_bytes()]);
            }
            let replies = wire.demand(batch).await?;
            for member in replies.first().and_then(|reply| elements(reply)).into_iter().flatten() {
                let why = Why::read(frame::bulk(member).unwrap_or_default());
                self.shared.suspicions.enter_again(self.pool, home, why);
            }
            let record = Stage::Displaced.set(&self.settings.name, name);
            for db in databases(wire).await? {
                wire.select(db).await?;
                let size = frame::integer(&wire.demand_one(&[b"SCARD", &record]).await?);
                if size.is_some_and(|size| size as u64 > self.settings.rejoin_limit) {
                    self.give_up(wire, home, &set, &record, db).await?;
                }
            }
        }
        Ok(())
    }

    async fn leave(&self, wire: &mut Wire, home: usize) -> Result<(), Trouble> {
        let proxies = proxies_set(&self.settings.name, &self.settings.servers[home].name);
        wire.select(self.settings.redis_db).await?;
        wire.demand_one(&[b"ZREM", &proxies, self.shared.run_id.as_bytes()]).await.map(drop)
    }

    /// The suspicion is there before the record goes: in between, both hold.
    async fn give_up(
        &self,
        wire: &mut Wire,
        home: usize,
        set: &[u8],
        record: &[u8],
        db: u32,
    ) -> Result<(), Trouble> {
        let member = Why::Unrecorded.member();
        self.shared.suspicions.enter(self.pool, home, Why::Unrecorded);
        wire.select(self.settings.redis_db).await?;
        wire.demand_one(&[b"SADD", set, member.as_bytes()]).await?;
        wire.select(db).await?;
        wire.demand_one(&[b"UNLINK", record]).await?;
        warn!(
            pool = self.settings.name,
            shard = self.settings.servers[home].name,
            "pool {}: more than rejoin_limit ({}) keys of shard {} are written elsewhere while it \
             is out; it is suspect as a whole",
            self.settings.name,
            self.settings.rejoin_limit,
            self.settings.servers[home].name
        );
        Ok(())
    }
}

/// A proxy that has said nothing for so many milliseconds does not have the shard out any more.
const COUNTS_FOR: i64 = 5_000;
/// A record grows past its limit by what is written in this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);
