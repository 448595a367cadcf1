//! Requests that are sampled, for the access log and for spans.
//!
//! ```text
//!   counted with all commands ─► due: the session is marked ─► its next command is shown in full,
//!   and its requests to shards get a part of their own ─► the last reply: one line
//! ```
//!
//! The gaps are drawn at random, so that no rhythm of a client is in step with them. While nothing is
//! sampled no session is marked.

use slab::Slab;

use super::Worker;
use super::journal::{Took, error_code, who};
use crate::client::session::Special;
use crate::command::Spec;
use crate::journal::access::{self, Access};
use crate::reply::slots::Frame;
use crate::resp::Request;
use crate::shard::link::{Link, Part, Pending};

/// The sampled requests of a worker that are under way.
#[derive(Debug, Default)]
pub struct Samples {
    /// One in so many; 0 for none.
    one_in: u32,
    open: Slab<Sample>,
    parts: Slab<SampledPart>,
}

/// One that is under way.
#[derive(Debug)]
pub(crate) struct Sample {
    access: Access,
    session: u32,
    sequence: u32,
    arrived_at: u32,
    /// Replies still to come.
    left: u32,
}

/// One of its requests to shards.
#[derive(Debug)]
struct SampledPart {
    /// What it is besides.
    part: Part,
    sample: usize,
    pool: usize,
    shard: usize,
}

impl Samples {
    /// Commands until the next that is sampled; 0 if none is.
    pub(super) fn gap(&self) -> u32 {
        match self.one_in {
            0 => 0,
            1 => 1,
            // As many below the mean as above.
            mean => fastrand::u32(1..mean.saturating_mul(2)),
        }
    }
}

impl Worker {
    /// Samples as the process's journal says from now on.
    pub(super) fn follow_sampling(&mut self) {
        let journal = &self.shared.journal;
        self.samples.one_in = if journal.wants_samples() { journal.sample() } else { 0 };
        self.said.sample_next(self.samples.gap());
    }

    /// The session's command that is handled now is due to be sampled.
    #[cold]
    pub(super) fn mark_sampled(&mut self, number: u32) {
        self.sessions[number as usize].special.set(Special::SAMPLED);
        self.said.sample_next(self.samples.gap());
    }

    /// What is told of a command that is to be sampled, if it is.
    pub(crate) fn begin_sample(
        &mut self,
        number: u32,
        spec: &Spec,
        request: &Request<'_>,
    ) -> Option<Sample> {
        let session = &mut self.sessions[number as usize];
        if !session.special.has(Special::SAMPLED) {
            return None;
        }
        session.special.clear(Special::SAMPLED);
        let shown = self.shared.journal.redactor().show(request.wire());
        let session = &self.sessions[number as usize];
        let pool = &self.pools[usize::from(session.pool)].config;
        Some(Sample {
            access: Access {
                why: "sampled",
                command: spec.name.to_owned(),
                key: shown.key,
                user: String::from_utf8_lossy(self.user_name(number)).into_owned(),
                request_bytes: request.wire().len() as u64,
                ..who(session, pool)
            },
            session: number,
            sequence: session.replies.next_sequence(),
            arrived_at: self.clock.arrival(),
            left: 0,
        })
    }

    /// The command has been handled: its requests to shards are on their links, the last there.
    pub(crate) fn follow_sample(&mut self, mut sample: Sample) {
        let session = &mut *self.sessions[sample.session as usize];
        if session.pause.comes_again() {
            session.special.set(Special::SAMPLED);
            return;
        }
        if self.samples.open.len() >= MOST_SAMPLES || self.samples.parts.len() >= MOST_PARTS {
            return;
        }
        let session = &*session;
        let pool = &self.pools[usize::from(session.pool)];
        let shared = (0..pool.config.servers.len()).filter_map(|shard| pool.link(session, shard));
        let private = session.private.as_ref().map(|private| private.number);
        let links: Vec<u32> = shared.chain(private).collect();
        let place = self.samples.open.vacant_key();
        for number in links {
            let Some(link) = self.links.get_mut(number as usize) else { continue };
            sample.left += mark(link, &sample, place, &mut self.samples.parts);
        }
        sample.access.parts = sample.left;
        match sample.left {
            0 => self.end_sample(sample),
            _ => {
                self.samples.open.insert(sample);
            }
        }
    }

    /// A request that is sampled has its reply, which may be the last one of its command. Returns
    /// the request as it was before.
    #[cold]
    pub(super) fn sampled_replied(&mut self, pending: Pending, frame: &Frame<'_>) -> Pending {
        let Part::Sampled(place) = pending.part else { return pending };
        let SampledPart { part, sample, pool, shard } =
            self.samples.parts.remove(usize::from(place));
        let took = Took::of(&pending, self.clock.micros(), self.clock.read());
        let open = &mut self.samples.open[sample];
        let access = &mut open.access;
        access.reply_bytes += frame.bytes().len() as u64;
        if access.shard.is_none() || took.shard > access.shard_us {
            let server = &self.pools[pool].config.servers[shard];
            access.shard = Some(server.name.clone());
            access.server = server.address.to_string();
            (access.shard_us, access.queued_us) = (took.shard, took.queued);
        }
        access.error = access.error.take().or_else(|| error_code(frame.bytes()));
        open.left -= 1;
        if open.left == 0 {
            let sample = self.samples.open.remove(sample);
            self.end_sample(sample);
        }
        Pending { part, ..pending }
    }

    fn end_sample(&mut self, sample: Sample) {
        let total = self.clock.read().wrapping_sub(sample.arrived_at);
        let why = if total > self.slow_after { "slow" } else { "sampled" };
        let (time, total_us) = (access::now(), total.into());
        self.shared.journal.write_sample(Access { time, why, total_us, ..sample.access });
    }
}

/// Marks the requests of a sampled command on a link; returns how many there are.
fn mark(link: &mut Link, sample: &Sample, place: usize, parts: &mut Slab<SampledPart>) -> u32 {
    let (pool, shard) = (link.pool, link.shard);
    let its = |pending: &&mut Pending| {
        (pending.session, pending.sequence) == (sample.session, sample.sequence)
    };
    let mut marked = 0;
    for pending in link.in_flight.iter_mut().rev().take_while(its) {
        // What CLIENT ID answers on a link is looked for there, and so is what other parts say.
        let is_common = matches!(pending.part, Part::Whole | Part::Of(_) | Part::Measured(_));
        if is_common || matches!(pending.part, Part::Ticket(_)) {
            let part = SampledPart { part: pending.part, sample: place, pool, shard };
            pending.part = Part::Sampled(parts.insert(part) as u16);
            marked += 1;
        }
    }
    marked
}

/// Sampled commands under way at a time.
const MOST_SAMPLES: usize = 1024;
/// Their requests; they are numbered in 16 bits, and one command may have one for each shard.
const MOST_PARTS: usize = 32 * 1024;
