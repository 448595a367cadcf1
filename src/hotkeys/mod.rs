//! Hot and big keys: which keys clients ask for most, and which carry the most bytes.
//!
//! ```text
//!   commands ─► sampler ── one in n ──► tracker of the pool ─► list of the hottest ◄─► sketch
//!                                             │
//!   their replies ◄─ watched ◄────────────────┘ ─────────────► list of the biggest
//! ```
//!
//! Each worker looks at a thousand of its commands a second or so, chosen by chance ([`sampler`]); the
//! others cost a count and a branch. Large commands and replies are all noted: beside their bytes
//! that is nothing. What it finds is kept in constant memory ([`hitters`], [`big`])
//! and fades within seconds ([`decay`]), so that all figures are of now. Who asks gets the workers'
//! lists, merged ([`report`]). `docs/hotkeys.md` has the figures: what it costs and how far it errs.

pub mod big;
pub mod decay;
pub mod hitters;
pub mod json;
pub mod key;
mod look;
pub mod report;
pub mod sampler;
pub mod sketch;
pub mod tracker;

use std::time::Instant;

use decay::Decay;
use sampler::Sampler;
use tracker::Tracker;

/// How many commands a second a worker looks at unless told otherwise.
pub const SAMPLES: u32 = 1000;

/// What one worker knows of its hot and big keys.
#[derive(Debug)]
pub struct HotKeys {
    /// Which commands are looked at.
    pub sampler: Sampler,
    decay: Decay,
    /// By pool; a pool that nobody uses has none.
    trackers: Vec<Option<Box<Tracker>>>,
    /// Requests whose replies are to be measured. The oldest makes room for the newest: a reply that
    /// never comes leaves nothing behind.
    watched: Vec<Watched>,
    next_watched: usize,
    /// The link whose replies are being handled.
    pub(crate) replying: u32,
    /// For how many commands the one stands that is being handled, if it is looked at.
    looking: Option<f32>,
}

/// A request whose reply is to be measured.
#[derive(Debug)]
struct Watched {
    session: u32,
    sequence: u32,
    pool: usize,
    hash: u64,
    stands_for: f32,
}

impl Default for HotKeys {
    /// Looks at nothing.
    fn default() -> Self {
        Self {
            sampler: Sampler::default(),
            decay: Decay::new(Instant::now()),
            trackers: Vec::new(),
            watched: Vec::new(),
            next_watched: 0,
            replying: 0,
            looking: None,
        }
    }
}

impl HotKeys {
    /// Looks at `samples` commands a second from now on; 0 is none. What was known is forgotten.
    pub fn begin(&mut self, samples: u32) {
        self.sampler.set_target(samples);
        self.decay = Decay::new(Instant::now());
        self.trackers.clear();
        self.watched.clear();
        self.next_watched = 0;
    }

    /// Forgets all that was known of a pool: a new measurement begins.
    pub fn forget(&mut self, pool: usize) {
        if let Some(tracker) = self.trackers.get_mut(pool) {
            let since = self.decay.seconds(Instant::now());
            *tracker = Some(Box::new(Tracker { since, ..Tracker::default() }));
        }
    }

    /// A second has passed; it is `now`.
    pub fn tick(&mut self, now: Instant) {
        let (seconds, factor) = self.decay.advance(now);
        self.sampler.begin_second(seconds);
        if let Some(factor) = factor {
            self.trackers.iter_mut().flatten().for_each(|tracker| tracker.multiply(factor));
        }
    }

    /// Whether the command that is being handled is looked at.
    pub(crate) fn is_looking(&self) -> bool {
        self.looking.is_some()
    }

    /// What is known of a pool's keys.
    fn tracker(&self, pool: usize) -> Option<&Tracker> {
        self.trackers.get(pool)?.as_deref()
    }

    /// The seconds by which what a tracker has counted is a rate.
    fn seconds(&self, tracker: &Tracker, now: Instant) -> f64 {
        (self.decay.seconds(now) - tracker.since).max(0.001)
    }

    /// Takes note of a request whose reply is to be measured; its place in the list.
    fn watch(&mut self, watched: Watched) -> u16 {
        let place = self.next_watched;
        self.next_watched = (place + 1) % WATCHED;
        match self.watched.get_mut(place) {
            Some(oldest) => *oldest = watched,
            None => self.watched.push(watched),
        }
        place as u16
    }
}

/// The tracker of a pool, which begins now if it has none.
fn tracker_of(trackers: &mut Vec<Option<Box<Tracker>>>, pool: usize) -> &mut Tracker {
    if trackers.len() <= pool {
        trackers.resize_with(pool + 1, || None);
    }
    trackers[pool].get_or_insert_default()
}

/// Replies that are waited for at a time. A thousand a second are under way for a millisecond or so.
const WATCHED: usize = 64;

#[cfg(test)]
mod tests;
