//! Remembers which keys are written elsewhere than at home: at their stand-in, on the same link,
//! right before the write. See [`crate::shard::rejoin`].

use crate::command::{Handling, Spec, keys};
use crate::config::{CrossShard, Rejoin};
use crate::reply::slots::Frame;
use crate::resp::{Request, write};
use crate::shard::link::{Part, Pending};
use crate::shard::rejoin::record::{self, Entry, Stage};
use crate::shard::rejoin::suspicion::Why;
use crate::worker::Worker;

/// A key that is about to be written elsewhere than at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    home: usize,
    stand_in: usize,
    /// As the set has it.
    member: Vec<u8>,
}

impl Record {
    /// The key.
    pub(super) fn key(&self) -> &[u8] {
        &self.member[1..]
    }
}

impl Worker {
    /// Records what a command is about to write elsewhere. What empties databases is told to the
    /// control thread: no record names the keys.
    #[cold]
    pub(super) fn record_displaced(&mut self, number: u32, spec: &Spec, request: &Request<'_>) {
        if self.pool_of(number).config.rejoin == Rejoin::Keep {
            return;
        }
        match spec.name {
            "flushall" => self.suspect_absent(number, Why::FlushedAll),
            "flushdb" => {
                let db = self.sessions[number as usize].db;
                self.suspect_absent(number, Why::Flushed(db));
            }
            _ => {
                let records = self.records(number, spec, request);
                self.send_records(number, &records);
            }
        }
    }

    /// The keys that the command may write elsewhere than at home.
    pub(super) fn records(&self, number: u32, spec: &Spec, request: &Request<'_>) -> Vec<Record> {
        let pool = self.pool_of(number);
        if pool.config.rejoin == Rejoin::Keep || !pool.displaces() || !record::writes(spec) {
            return Vec::new();
        }
        let Ok(keys) = keys::find_with_flags(spec, request) else { return Vec::new() };
        let shard = |position: usize| pool.ring.shard(request.arg(position));
        let is_whole = keys.iter().all(|key| shard(key.0) == shard(keys[0].0));
        if !is_whole
            && spec.handling != Handling::Split
            && pool.config.cross_shard == CrossShard::Refuse
        {
            // The command is about to be refused.
            return Vec::new();
        }
        let record = |&(position, flags): &(usize, _)| {
            let key = request.arg(position);
            let absence = record::absence_after(spec, flags)?;
            let displaced = pool.ring.displaced(key)?;
            let member = Entry { absence, key }.member();
            Some(Record { home: displaced.home, stand_in: displaced.stand_in, member })
        };
        keys.iter().filter_map(record).collect()
    }

    /// Sends records on the links that the session's commands travel on.
    pub(super) fn send_records(&mut self, number: u32, records: &[Record]) {
        for (home, stand_in, wire) in self.wires(number, records) {
            self.send(number, home as u32, Part::Recorded, stand_in, Frame::Small(&wire));
        }
    }

    /// Sends the records of a transaction, right before it is executed. Those of a database that it
    /// selects itself are written there: the way back stands behind them.
    pub(super) fn send_records_of_transaction(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        let own_db = session.db;
        let Some(transaction) = &mut session.transaction else { return };
        let records = transaction.take_records();
        for chunk in records.chunk_by(|one, next| one.0 == next.0) {
            let (db, stand_in) = (chunk[0].0, chunk[0].1.stand_in);
            let chunk: Vec<Record> = chunk.iter().map(|(_, record)| record.clone()).collect();
            if db == own_db {
                self.send_records(number, &chunk);
                continue;
            }
            // A transaction that selects takes place on one shard.
            self.send_select(number, stand_in, db);
            self.send_records(number, &chunk);
            self.send_select(number, stand_in, own_db);
        }
    }

    fn send_select(&mut self, number: u32, shard: usize, db: u32) {
        let mut wire = Vec::new();
        write::command(&mut wire, &["SELECT", &db.to_string()]);
        self.send(number, 0, Part::Unclaimed, shard, Frame::Small(&wire));
    }

    /// Sends records on a link that was lent to the session.
    pub(super) fn send_records_on(&mut self, link: u32, number: u32, records: &[Record]) {
        for (home, _, wire) in self.wires(number, records) {
            self.send_on(link, number, home as u32, Part::Recorded, Frame::Small(&wire));
        }
    }

    /// One SADD for each pair of shards: home, stand-in, and the command.
    fn wires(&self, number: u32, records: &[Record]) -> Vec<(usize, usize, Vec<u8>)> {
        let config = &self.pool_of(number).config;
        let mut wires: Vec<(usize, usize, Vec<u8>)> = Vec::new();
        for record in records {
            let pair = (record.home, record.stand_in);
            if wires.iter().any(|known| (known.0, known.1) == pair) {
                continue;
            }
            let set = Stage::Displaced.set(&config.name, &config.servers[record.home].name);
            let mut words: Vec<&[u8]> = vec![b"SADD", &set];
            let same = records.iter().filter(|other| (other.home, other.stand_in) == pair);
            words.extend(same.map(|record| record.member.as_slice()));
            let mut wire = Vec::new();
            write::command(&mut wire, &words);
            wires.push((record.home, record.stand_in, wire));
        }
        wires
    }

    /// All shards that have not all of their keys are suspect.
    fn suspect_absent(&self, number: u32, why: Why) {
        let pool = usize::from(self.sessions[number as usize].pool);
        for (home, health) in self.pools[pool].health.iter().enumerate() {
            if health.share != crate::route::ring::ALL {
                self.shared.suspicions.enter(pool, home, why);
            }
        }
    }

    /// A stand-in has answered to a record. When it would not keep it, its home is suspect; when the
    /// link failed, the write behind it failed as well.
    #[cold]
    pub(crate) fn recorded(&mut self, pending: Pending, frame: &Frame<'_>) {
        let reply = frame.bytes();
        let is_refused = reply.starts_with(b"-")
            && (!reply.starts_with(b"-ERR ") || reply.starts_with(b"-ERR unknown command"));
        if is_refused {
            let pool = usize::from(self.sessions[pending.session as usize].pool);
            self.shared.suspicions.enter(pool, pending.sequence as usize, Why::Unrecorded);
        }
    }
}
