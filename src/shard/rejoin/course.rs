//! The return of one shard from its first connection to the last key removed elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tracing::{info, warn};

use super::Trouble;
use super::carry::{Carrier, Tally};
use super::crew::{Crew, SAFETY};
use super::record::{lock_name, suspect_set};
use super::returns::News;
use super::step::{self, Step};
use super::suspicion::Why;
use super::wire::Batch;
use crate::config::{Pool, Rejoin};
use crate::route::ring::{ALL, NOTHING, Ring, Share};
use crate::shard::health::span;

/// A return under way.
pub(super) struct Course {
    pub(super) settings: Arc<Pool>,
    pub(super) ring: Arc<Ring>,
    pub(super) pool: usize,
    pub(super) home: usize,
    /// Which attempt of the pool's it is: news of an earlier one count no more.
    pub(super) serial: u64,
    /// Of all shards, as they are published.
    pub(super) shares: Vec<Share>,
    /// Whether entries are marked as returned though the switch has not come.
    pub(super) unswitched: Arc<AtomicBool>,
    pub(super) crew: Option<Crew>,
    pub(super) news: mpsc::UnboundedSender<News>,
}

impl Course {
    /// Runs until the shard has all its keys and nobody else has any of them.
    pub(super) async fn run(mut self) {
        let started = Instant::now();
        let mut tally = Tally::default();
        let mut told = None;
        while let Err(trouble) = self.attempt(&mut tally).await {
            if let Some(crew) = &self.crew {
                crew.go_on();
            }
            if told.as_ref() != Some(&trouble) {
                let (shard, pool) = (&self.settings.servers[self.home].name, &self.settings.name);
                warn!(
                    pool, shard, cause = %trouble,
                    "shard {shard} of pool {pool} is not back yet: {trouble}; trying again"
                );
            }
            told = Some(trouble);
            sleep(TRY_AGAIN).await;
        }
        let (shard, pool) = (&self.settings.servers[self.home].name, &self.settings.name);
        info!(
            pool,
            shard,
            "shard {shard} of pool {pool} has all its keys again, {} after it answered: {} keys \
             written elsewhere were seen to, {} of them carried over",
            span(started.elapsed()),
            tally.settled,
            tally.carried,
        );
        let _ = self.news.send(News::Over { pool: self.pool, serial: self.serial });
    }

    async fn attempt(&mut self, tally: &mut Tally) -> Result<(), Trouble> {
        let shares = step::shares(self.shares[self.home], self.settings.slow_start);
        let rest = self.settings.slow_start / step::STEPS;
        let crew = match (&self.crew, self.settings.rejoin) {
            (Some(crew), Rejoin::Clean | Rejoin::Move | Rejoin::Flush) => crew.clone(),
            _ => return self.give_back(&shares, rest).await,
        };
        let homes = (0..self.shares.len())
            .filter(|shard| *shard == self.home || self.shares[*shard] != ALL)
            .collect();
        let tls = crew.shared.certificates.of_pool(self.pool);
        let settings = Arc::clone(&self.settings);
        let mut carrier = Carrier::open(settings, self.home, homes, &tls).await?;
        self.lock(&mut carrier, &crew).await?;
        crew.go_on();
        let outcome = self.with_lock(&mut carrier, &crew, &shares, rest).await;
        tally.settled += carrier.tally.settled;
        tally.carried += carrier.tally.carried;
        let lock = lock_name(&self.settings.name, &self.settings.servers[self.home].name);
        let unlocked = carrier.wire(self.home)?.demand_one(&[b"DEL", &lock]).await;
        outcome.and(unlocked.map(drop))
    }

    /// Nothing is done about keys; they only come back by and by.
    async fn give_back(&mut self, shares: &[Share], rest: Duration) -> Result<(), Trouble> {
        for &share in shares {
            self.publish(share).await?;
            if share != ALL {
                sleep(rest).await;
            }
        }
        Ok(())
    }

    async fn with_lock(
        &mut self,
        carrier: &mut Carrier,
        crew: &Crew,
        shares: &[Share],
        rest: Duration,
    ) -> Result<(), Trouble> {
        self.gather(carrier).await?;
        if self.shares[self.home] == NOTHING {
            carrier.drop_own_stand_in_keys().await?;
            if self.settings.rejoin == Rejoin::Flush {
                self.flush(carrier, &[b"FLUSHALL", b"ASYNC"]).await?;
            }
        }
        for &share in shares {
            let step = Step::new(&self.ring, &self.shares, self.home, share);
            self.step(carrier, crew, &step, share).await?;
            self.shares[self.home] = share;
            if share != ALL {
                sleep(rest).await;
            }
        }
        Ok(())
    }

    /// Carries a part of the keys home: rounds while traffic goes on, and the last one while what
    /// concerns them is held.
    async fn step(
        &mut self,
        carrier: &mut Carrier,
        crew: &Crew,
        step: &Step,
        share: Share,
    ) -> Result<(), Trouble> {
        let mut limit = HOLD;
        loop {
            for _ in 0..ROUNDS {
                if self.round(carrier, crew, step, DRAIN).await? <= FEW {
                    break;
                }
            }
            let halted = Instant::now();
            crew.halt(&step.after).await;
            match self.last_round(carrier, crew, step, limit).await {
                Ok(()) if halted.elapsed() < SAFETY / 2 => {}
                Ok(()) => return Err(Trouble("the last round took too long".to_owned())),
                Err(trouble) if limit >= LONGEST_HOLD => return Err(trouble),
                Err(trouble) => {
                    crew.go_on();
                    info!("the switch is put off: {trouble}");
                    limit *= 2;
                    self.gather(carrier).await?;
                    continue;
                }
            }
            self.publish(share).await?;
            crew.go_on();
            let (shard, pool) = (&self.settings.servers[self.home].name, &self.settings.name);
            info!(
                pool,
                shard,
                "shard {shard} of pool {pool} has {share}/{ALL} of its keys; requests for them \
                 were held for {:.1} ms",
                halted.elapsed().as_secs_f64() * 1000.0
            );
            // Reads that were sent before the switch are answered: they were drained.
            let others = carrier.others_have_it_out(crew.shared.run_id.as_bytes()).await?;
            return carrier.remove_returned(step, others).await;
        }
    }

    async fn last_round(
        &self,
        carrier: &mut Carrier,
        crew: &Crew,
        step: &Step,
        limit: Duration,
    ) -> Result<(), Trouble> {
        crew.drain(limit).await?;
        self.round(carrier, crew, step, limit).await?;
        self.unswitched.store(true, Ordering::SeqCst);
        carrier.mark_returned().await
    }

    /// Makes one record again of what is left of an attempt that came to nothing.
    async fn gather(&self, carrier: &mut Carrier) -> Result<(), Trouble> {
        carrier.gather_leftovers(!self.unswitched.load(Ordering::SeqCst)).await?;
        self.unswitched.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// How many entries there were to act on.
    async fn round(
        &self,
        carrier: &mut Carrier,
        crew: &Crew,
        step: &Step,
        limit: Duration,
    ) -> Result<usize, Trouble> {
        self.heed_suspicions(carrier, crew, step).await?;
        self.lock(carrier, crew).await?;
        let taken = carrier.take_up().await?;
        if taken.is_empty() {
            return Ok(0);
        }
        crew.drain(limit).await?;
        let mut count = 0;
        for (place, home) in taken {
            count += carrier.act(step, place, home).await?;
        }
        Ok(count)
    }

    /// What is suspected beyond the record, by this proxy or another.
    async fn heed_suspicions(
        &self,
        carrier: &mut Carrier,
        crew: &Crew,
        step: &Step,
    ) -> Result<(), Trouble> {
        let suspicions = &crew.shared.suspicions;
        let set = suspect_set(&self.settings.name, &self.settings.servers[self.home].name);
        let own_db = self.settings.redis_db;
        let new = suspicions.of(self.pool, self.home);
        let Some(last) = new.iter().map(|one| one.number).max() else { return Ok(()) };
        // A shard that has keys already was told to empty them itself.
        if self.shares[self.home] == NOTHING {
            for one in &new {
                match one.why {
                    Why::FlushedAll => self.flush(carrier, &[b"FLUSHALL", b"ASYNC"]).await?,
                    Why::Unrecorded if self.settings.rejoin == Rejoin::Clean => {
                        self.flush(carrier, &[b"FLUSHALL", b"ASYNC"]).await?;
                    }
                    Why::Flushed(db) => {
                        carrier.wire(self.home)?.select(db).await?;
                        self.flush(carrier, &[b"FLUSHDB", b"ASYNC"]).await?;
                    }
                    Why::Unrecorded => {}
                }
            }
        }
        carrier.record_all(step).await?;
        for shard in carrier.stand_ins() {
            let wire = carrier.wire(shard)?;
            wire.select(own_db).await?;
            wire.demand_one(&[b"DEL", &set]).await?;
        }
        suspicions.settle(self.pool, self.home, last);
        Ok(())
    }

    /// Empties the returning shard, or a database of it; the lock is lost with it.
    async fn flush(&self, carrier: &mut Carrier, command: &[&[u8]]) -> Result<(), Trouble> {
        let wire = carrier.wire(self.home)?;
        wire.demand_one(command).await?;
        wire.select(self.settings.redis_db).await
    }

    /// One proxy at a time works on a shard's return.
    async fn lock(&self, carrier: &mut Carrier, crew: &Crew) -> Result<(), Trouble> {
        let lock = lock_name(&self.settings.name, &self.settings.servers[self.home].name);
        let own = crew.shared.run_id.clone().into_bytes();
        let wire = carrier.wire(self.home)?;
        wire.select(self.settings.redis_db).await?;
        loop {
            let mut batch = Batch::of(&[b"SET", &lock, &own, b"NX", b"PX", LOCK_LIVES]);
            batch.add(&[b"GET", &lock[..]]);
            let replies = wire.demand(batch).await?;
            let Some(holder) = replies.last() else { return Ok(()) };
            if crate::reply::frame::bulk(holder) == Some(&own[..]) {
                return wire.demand_one(&[b"PEXPIRE", &lock, LOCK_LIVES]).await.map(drop);
            }
            sleep(LOCK_WAIT).await;
        }
    }

    /// Has the shard's share made known to all workers.
    async fn publish(&mut self, share: Share) -> Result<(), Trouble> {
        let (done, published) = oneshot::channel();
        let (pool, serial) = (self.pool, self.serial);
        let _ = self.news.send(News::Share { pool, serial, share, done });
        published.await.map_err(|_| Trouble("the return was given up".to_owned()))?;
        self.shares[self.home] = share;
        Ok(())
    }
}

/// Between two attempts.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// Rounds before a switch is tried though much is still being written.
const ROUNDS: usize = 12;
/// So few entries are acted on within the hold.
const FEW: usize = 64;
/// How long traffic for the keys may stand still at first; each attempt that fails doubles it.
const HOLD: Duration = Duration::from_millis(250);
/// And at most: a slow command on a stand-in may take seconds.
const LONGEST_HOLD: Duration = Duration::from_secs(4);
/// How long a round waits for what was in flight.
const DRAIN: Duration = Duration::from_secs(30);
/// A proxy that died does not keep others from the return for longer.
const LOCK_LIVES: &[u8] = b"30000";
const LOCK_WAIT: Duration = Duration::from_millis(50);
