//! What there is on the stand-ins: databases with records, and what an earlier return left.

use bytes::Bytes;

use super::Trouble;
use super::carry::Carrier;
use super::record::{Absence, Entry, Stage, is_own};
use super::step::Step;
use super::wire::{Batch, Wire};
use crate::config::Rejoin;
use crate::reply::frame;

/// A database of a shard that has keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) shard: usize,
    pub(super) db: u32,
}

impl Carrier {
    /// The databases of the stand-ins that have keys, records among them.
    pub(super) async fn places(&mut self) -> Result<Vec<Place>, Trouble> {
        let mut places = Vec::new();
        for shard in self.stand_ins() {
            let dbs = databases(self.wire(shard)?).await?;
            places.extend(dbs.into_iter().map(|db| Place { shard, db }));
        }
        Ok(places)
    }

    /// Makes one record again of what a return that failed left in several sets. Where the switch
    /// `came`, what was marked for it is at home and only waits to be removed.
    pub(super) async fn gather_leftovers(&mut self, came: bool) -> Result<(), Trouble> {
        for place in self.places().await? {
            for home in self.homes.clone() {
                if came {
                    self.forget_carried(place, home).await?;
                }
                self.merge(place, home, &Stage::UNDER_WAY).await?;
                if home != self.home {
                    // Their own shard is still out and has to hear of them.
                    self.merge(place, home, &[Stage::Returned]).await?;
                }
            }
        }
        Ok(())
    }

    async fn forget_carried(&mut self, place: Place, home: usize) -> Result<(), Trouble> {
        let [carried, returned] =
            [Stage::Carried, Stage::Returned].map(|stage| self.set(stage, home));
        let wire = self.at(place).await?;
        wire.demand_one(&[b"SDIFFSTORE", &carried, &carried, &returned]).await.map(drop)
    }

    /// Puts the members of `stages` into the record.
    pub(super) async fn merge(
        &mut self,
        place: Place,
        home: usize,
        stages: &[Stage],
    ) -> Result<(), Trouble> {
        let record = self.set(Stage::Displaced, home);
        let sets: Vec<Vec<u8>> = stages.iter().map(|stage| self.set(*stage, home)).collect();
        let wire = self.at(place).await?;
        let mut exists: Vec<&[u8]> = vec![b"EXISTS"];
        exists.extend(sets.iter().map(Vec::as_slice));
        if frame::integer(&wire.demand_one(&exists).await?) == Some(0) {
            return Ok(());
        }
        let mut batch = Batch::of(&[b"MULTI"]);
        let union = [b"SUNIONSTORE".to_vec(), record.clone(), record];
        batch.add(&[&union[..], &sets[..]].concat());
        batch.add(&[&[b"DEL".to_vec()][..], &sets[..]].concat());
        batch.add(&[b"EXEC"]);
        wire.demand(batch).await.map(drop)
    }

    /// Removes from the returning shard what it had as a stand-in for shards that are in: nobody
    /// saw it while it was out, and it is old by now.
    pub(super) async fn drop_own_stand_in_keys(&mut self) -> Result<(), Trouble> {
        let dbs = databases(self.wire(self.home)?).await?;
        let is_in = |home: &usize| !self.homes.contains(home);
        let homes: Vec<usize> = (0..self.pool.servers.len()).filter(is_in).collect();
        for db in dbs {
            let place = Place { shard: self.home, db };
            for &home in &homes {
                for stage in Stage::EVERY {
                    self.drop_stage(place, home, stage).await?;
                }
            }
        }
        Ok(())
    }

    async fn drop_stage(&mut self, place: Place, home: usize, stage: Stage) -> Result<(), Trouble> {
        let set = self.set(stage, home);
        let cleans = self.pool.rejoin == Rejoin::Clean;
        let mut cursor = Some(Bytes::from_static(b"0"));
        while let Some(from) = cursor {
            let wire = self.at(place).await?;
            let (next, members) = wire.page(&[b"SSCAN", &set, &from, b"COUNT", PAGE]).await?;
            let entries = || members.iter().filter_map(|member| Entry::read(member));
            unlink(wire, entries()).await?;
            if cleans && self.wires.contains_key(&home) {
                // Its own shard came back without knowing of them.
                unlink(self.at(Place { shard: home, ..place }).await?, entries()).await?;
            }
            cursor = next;
        }
        self.at(place).await?.demand_one(&[b"DEL", &set]).await.map(drop)
    }

    /// Records all keys of the returning shard that stand-ins have: the record is not whole.
    pub(super) async fn record_all(&mut self, step: &Step) -> Result<(), Trouble> {
        let set = self.set(Stage::Displaced, self.home);
        for place in self.places().await? {
            let mut cursor = Some(Bytes::from_static(b"0"));
            while let Some(from) = cursor {
                let wire = self.at(place).await?;
                let (next, keys) = wire.page(&[b"SCAN", &from, b"COUNT", PAGE]).await?;
                let is_its = |key: &&Bytes| {
                    !is_own(key)
                        && step.before.home(key) == step.home
                        && step.before.shard(key) == Some(place.shard)
                };
                let members = keys.iter().filter(is_its);
                let mut add = vec![b"SADD".to_vec(), set.clone()];
                add.extend(members.map(|key| Entry { absence: Absence::Gone, key }.member()));
                if add.len() > 2 {
                    let mut batch = Batch::default();
                    batch.add(&add);
                    wire.demand(batch).await?;
                }
                cursor = next;
            }
        }
        Ok(())
    }
}

/// The databases that have keys.
pub(super) async fn databases(wire: &mut Wire) -> Result<Vec<u32>, Trouble> {
    let info = wire.demand_one(&[b"INFO", b"keyspace"]).await?;
    let text = String::from_utf8_lossy(&info).into_owned();
    let number = |line: &str| line.strip_prefix("db")?.split_once(':')?.0.parse().ok();
    Ok(text.lines().filter_map(number).collect())
}

/// Removes the entries' keys.
pub(super) async fn unlink<'a>(
    wire: &mut Wire,
    entries: impl Iterator<Item = Entry<'a>>,
) -> Result<(), Trouble> {
    let mut args: Vec<&[u8]> = vec![b"UNLINK"];
    args.extend(entries.map(|entry| entry.key));
    match args.len() {
        1 => Ok(()),
        _ => wire.demand_one(&args).await.map(drop),
    }
}

/// Members asked for at once.
pub(super) const PAGE: &[u8] = b"512";
