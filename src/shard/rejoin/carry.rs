//! The rounds of a return: entries of the record are taken up, acted on, and put where the next
//! stage finds them.
//!
//! ```text
//!                 ┌─ not in this step ─► later ────────────── after the step ──┐
//!   displaced ─► taken                                                         ▼
//!       ▲         └─ clean / move ────► carried ─ switch ─► returned ─► UNLINK ─► gone
//!       └── workers, at any moment
//! ```
//! Between taking up and acting lies a wait for what workers had in flight: a write whose record was
//! taken may still be on its way, and what is carried over must hold it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::Trouble;
use super::record::{Absence, Entry, Stage, proxies_set};
use super::step::Step;
use super::survey::{PAGE, Place, unlink};
use super::wire::{Batch, Wire};
use crate::config::{Pool, Rejoin};
use crate::reply::frame;
use crate::tls::keeper::InForce;

/// What carries one shard's keys home: its connections, and what it has done so far.
pub(super) struct Carrier {
    pub(super) pool: Arc<Pool>,
    /// The shard that returns.
    pub(super) home: usize,
    /// The shards whose keys are elsewhere, itself among them.
    pub(super) homes: Vec<usize>,
    /// To it and to all that are in.
    pub(super) wires: BTreeMap<usize, Wire>,
    pub(super) tally: Tally,
}

/// What was done, in keys.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    /// Acted on at home: cleaned, carried over or removed.
    pub(super) settled: u64,
    /// Of them, carried over.
    pub(super) carried: u64,
}

impl Carrier {
    /// Connects to the returning shard and to all that are in.
    pub(super) async fn open(
        pool: Arc<Pool>,
        home: usize,
        homes: Vec<usize>,
        tls: &Arc<InForce>,
    ) -> Result<Self, Trouble> {
        let mut wires = BTreeMap::new();
        for shard in 0..pool.servers.len() {
            if shard == home || !homes.contains(&shard) {
                wires.insert(shard, Wire::open(&pool, shard, tls).await?);
            }
        }
        Ok(Self { pool, home, homes, wires, tally: Tally::default() })
    }

    /// The shards that are in.
    pub(super) fn stand_ins(&self) -> Vec<usize> {
        self.wires.keys().copied().filter(|shard| *shard != self.home).collect()
    }

    pub(super) fn set(&self, stage: Stage, home: usize) -> Vec<u8> {
        stage.set(&self.pool.name, &self.pool.servers[home].name)
    }

    pub(super) fn wire(&mut self, shard: usize) -> Result<&mut Wire, Trouble> {
        let missing = || Trouble("a shard went out meanwhile".to_owned());
        self.wires.get_mut(&shard).ok_or_else(missing)
    }

    /// The connection to a place's shard, with its database selected.
    pub(super) async fn at(&mut self, place: Place) -> Result<&mut Wire, Trouble> {
        let wire = self.wire(place.shard)?;
        wire.select(place.db).await?;
        Ok(wire)
    }

    /// Takes up what is recorded now; where there was anything.
    pub(super) async fn take_up(&mut self) -> Result<Vec<(Place, usize)>, Trouble> {
        let mut taken = Vec::new();
        for place in self.places().await? {
            let mut batch = Batch::default();
            for home in self.homes.clone() {
                let sets = [Stage::Displaced, Stage::Taken].map(|stage| self.set(stage, home));
                batch.add(&[b"RENAME", &sets[0][..], &sets[1][..]]);
            }
            let wire = self.at(place).await?;
            for (reply, home) in wire.ask(batch).await?.iter().zip(self.homes.clone()) {
                match &reply[..] {
                    b"+OK\r\n" => taken.push((place, home)),
                    b"-ERR no such key\r\n" => {}
                    other => return Err(self.wire(place.shard)?.trouble(other)),
                }
            }
        }
        Ok(taken)
    }

    /// Acts on what was taken up at `place`; how many entries that were.
    pub(super) async fn act(
        &mut self,
        step: &Step,
        place: Place,
        home: usize,
    ) -> Result<usize, Trouble> {
        let taken = self.set(Stage::Taken, home);
        let (mut count, mut cursor) = (0, Some(Bytes::from_static(b"0")));
        while let Some(from) = cursor {
            let wire = self.at(place).await?;
            let (next, members) = wire.page(&[b"SSCAN", &taken, &from, b"COUNT", PAGE]).await?;
            count += members.len();
            let entries = members.iter().filter_map(|member| Entry::read(member));
            let (go, stay): (Vec<_>, Vec<_>) =
                entries.partition(|entry| step.gives_up(entry.key).is_some());
            let settled = self.settle(step, place, home, &go).await?;
            self.add(place, Stage::Carried, home, &settled).await?;
            let stay: Vec<Vec<u8>> = stay.iter().map(Entry::member).collect();
            self.add(place, Stage::Later, home, &stay).await?;
            cursor = next;
        }
        self.at(place).await?.demand_one(&[b"DEL", &taken]).await?;
        Ok(count)
    }

    async fn add(
        &mut self,
        place: Place,
        stage: Stage,
        home: usize,
        members: &[Vec<u8>],
    ) -> Result<(), Trouble> {
        if members.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        batch.add(&[&[b"SADD".to_vec(), self.set(stage, home)], members].concat());
        self.at(place).await?.demand(batch).await.map(drop)
    }

    /// Does at the returning shard what the policy wants; the entries as they are from now on.
    async fn settle(
        &mut self,
        step: &Step,
        place: Place,
        home: usize,
        entries: &[Entry<'_>],
    ) -> Result<Vec<Vec<u8>>, Trouble> {
        self.tally.settled += entries.len() as u64;
        match self.pool.rejoin {
            Rejoin::Clean => {
                let at_home = Place { shard: self.home, ..place };
                unlink(self.at(at_home).await?, entries.iter().cloned()).await?;
            }
            Rejoin::Move => {
                let mut settled = Vec::with_capacity(entries.len());
                for entries in entries.chunks(VALUES_AT_ONCE) {
                    settled.extend(self.carry_over(step, place, home, entries).await?);
                }
                return Ok(settled);
            }
            Rejoin::Keep | Rejoin::Flush => {}
        }
        Ok(entries.iter().map(Entry::member).collect())
    }

    async fn carry_over(
        &mut self,
        step: &Step,
        place: Place,
        home: usize,
        entries: &[Entry<'_>],
    ) -> Result<Vec<Vec<u8>>, Trouble> {
        let values = self.values(step, place, entries).await?;
        let were_there = self.were_there(place, home, entries).await?;
        let (mut batch, mut settled) = (Batch::default(), Vec::new());
        for ((entry, value), was_there) in entries.iter().zip(&values).zip(were_there) {
            let known = match value {
                Some(Value { dump, lives }) => {
                    batch.add(&[b"RESTORE", entry.key, lives.as_bytes(), dump, b"REPLACE"]);
                    self.tally.carried += 1;
                    true
                }
                None => entry.absence == Absence::Gone || was_there,
            };
            if known && value.is_none() {
                batch.add(&[b"UNLINK", entry.key]);
            }
            let absence = if known { Absence::Gone } else { Absence::Unknown };
            settled.push(Entry { absence, key: entry.key }.member());
        }
        let at_home = Place { shard: self.home, ..place };
        if !batch.is_empty() {
            self.at(at_home).await?.demand(batch).await?;
        }
        Ok(settled)
    }

    /// The keys' values where they are served now.
    async fn values(
        &mut self,
        step: &Step,
        place: Place,
        entries: &[Entry<'_>],
    ) -> Result<Vec<Option<Value>>, Trouble> {
        let mut values = vec![None; entries.len()];
        for shard in self.stand_ins() {
            let served = |place: &usize| step.gives_up(entries[*place].key) == Some(shard);
            let indices: Vec<usize> = (0..entries.len()).filter(served).collect();
            let mut batch = Batch::default();
            for &index in &indices {
                batch.add(&[b"PTTL", entries[index].key]);
                batch.add(&[b"DUMP", entries[index].key]);
            }
            if batch.is_empty() {
                continue;
            }
            let replies = self.at(Place { shard, ..place }).await?.demand(batch).await?;
            for (index, pair) in indices.into_iter().zip(replies.chunks_exact(2)) {
                values[index] = Value::read(&pair[0], &pair[1]);
            }
        }
        Ok(values)
    }

    /// Which of the keys were found at their stand-in by an earlier round.
    async fn were_there(
        &mut self,
        place: Place,
        home: usize,
        entries: &[Entry<'_>],
    ) -> Result<Vec<bool>, Trouble> {
        let carried = self.set(Stage::Carried, home);
        let mut batch = Batch::default();
        for entry in entries {
            let member = Entry { absence: Absence::Gone, key: entry.key }.member();
            batch.add(&[b"SISMEMBER", &carried[..], &member]);
        }
        let replies = self.at(place).await?.demand(batch).await?;
        Ok(replies.iter().map(|reply| frame::integer(reply) == Some(1)).collect())
    }

    /// The switch is about to come: marks what is carried as what remains to be removed then.
    pub(super) async fn mark_returned(&mut self) -> Result<(), Trouble> {
        let [carried, returned] = [Stage::Carried, Stage::Returned];
        for place in self.places().await? {
            let mut batch = Batch::default();
            for home in self.homes.clone() {
                let (from, to) = (self.set(carried, home), self.set(returned, home));
                batch.add(&[b"SUNIONSTORE", &to[..], &to, &from]);
            }
            self.at(place).await?.demand(batch).await?;
        }
        Ok(())
    }

    /// After the switch: removes from the stand-ins what is at home now, unless `others` still ask
    /// them for it. The last of those sees to it.
    pub(super) async fn remove_returned(
        &mut self,
        step: &Step,
        others: bool,
    ) -> Result<(), Trouble> {
        for place in self.places().await? {
            for home in self.homes.clone() {
                let [carried, returned] =
                    [Stage::Carried, Stage::Returned].map(|stage| self.set(stage, home));
                self.at(place).await?.demand_one(&[b"DEL", &carried]).await?;
                self.merge(place, home, &[Stage::Later]).await?;
                if others {
                    continue;
                }
                self.remove_returned_of(step, place, home).await?;
                if home == self.home {
                    self.at(place).await?.demand_one(&[b"DEL", &returned]).await?;
                } else {
                    // Their own shard is still out and has to hear of them.
                    self.merge(place, home, &[Stage::Returned]).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether other proxies still have the shard out; this one counts no more.
    pub(super) async fn others_have_it_out(&mut self, own: &[u8]) -> Result<bool, Trouble> {
        let set = proxies_set(&self.pool.name, &self.pool.servers[self.home].name);
        let db = self.pool.redis_db;
        let mut others = false;
        for shard in self.stand_ins() {
            let wire = self.at(Place { shard, db }).await?;
            let now = wire.milliseconds().await?.to_string();
            let mut batch = Batch::of(&[b"ZREM", &set, own]);
            batch.add(&[b"ZREMRANGEBYSCORE", &set[..], b"-inf", now.as_bytes()]);
            batch.add(&[b"ZCARD", &set[..]]);
            let replies = wire.demand(batch).await?;
            others |= replies.last().is_some_and(|left| frame::integer(left) != Some(0));
        }
        Ok(others)
    }

    async fn remove_returned_of(
        &mut self,
        step: &Step,
        place: Place,
        home: usize,
    ) -> Result<(), Trouble> {
        let returned = self.set(Stage::Returned, home);
        let mut cursor = Some(Bytes::from_static(b"0"));
        while let Some(from) = cursor {
            let wire = self.at(place).await?;
            let (next, members) = wire.page(&[b"SSCAN", &returned, &from, b"COUNT", PAGE]).await?;
            let entries: Vec<Entry<'_>> =
                members.iter().filter_map(|member| Entry::read(member)).collect();
            unlink(wire, entries.iter().cloned()).await?;
            for shard in self.stand_ins() {
                let elsewhere = |entry: &&Entry<'_>| {
                    shard != place.shard && step.gives_up(entry.key) == Some(shard)
                };
                let strays = entries.iter().filter(elsewhere).cloned();
                unlink(self.at(Place { shard, ..place }).await?, strays).await?;
            }
            cursor = next;
        }
        Ok(())
    }
}

/// A key's value on its way.
#[derive(Debug, Clone)]
struct Value {
    dump: Bytes,
    /// Milliseconds that it has left, 0 for ever, as RESTORE takes them.
    lives: String,
}

impl Value {
    /// From the replies to PTTL and DUMP; `None` for a key that is missing.
    fn read(lives: &Bytes, dump: &Bytes) -> Option<Self> {
        let bytes = frame::bulk(dump)?;
        let left = frame::integer(lives).filter(|left| *left >= 0).map_or(0, |left| left.max(1));
        Some(Self { dump: dump.slice_ref(bytes), lives: left.to_string() })
    }
}

/// Values on their way at once: as many as hide the round trips, few enough to be held.
const VALUES_AT_ONCE: usize = 32;
