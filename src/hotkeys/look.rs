//! A worker looks at a command: its keys, its bytes, and those of its reply.

use std::time::Instant;

use bytes::Bytes;
use smallvec::SmallVec;

use super::big::Transfer;
use super::hitters::Noted;
use super::key::hash;
use super::{Watched, tracker_of};
use crate::client::session::Special;
use crate::client::split::positions;
use crate::command::bits::Flags;
use crate::command::{KeyPositions, Spec};
use crate::reply::slots::Frame;
use crate::resp::Request;
use crate::shard::link::{Part, Pending};
use crate::worker::Worker;

impl Worker {
    /// Handles a command that is looked at.
    #[cold]
    #[inline(never)]
    pub(crate) fn command_looked_at(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        let Some(stands_for) = self.hotkeys.sampler.take() else {
            return self.command_apart_or_not(number, spec, request, whole);
        };
        let stands_for = stands_for as f32;
        let is_stranger = !self.sessions[number as usize].is_authenticated();
        self.hotkeys.looking = Some(stands_for);
        self.command_apart_or_not(number, spec, request, whole);
        self.hotkeys.looking = None;
        // One that comes again is not counted twice.
        if !is_stranger && !self.sessions[number as usize].pause.comes_again() {
            self.note_keys(number, spec, request, stands_for);
        }
    }

    /// Counts the keys of a command that stands for so many.
    fn note_keys(&mut self, number: u32, spec: &Spec, request: &Request<'_>, stands_for: f32) {
        let Ok(keys) = positions(spec, request) else { return };
        if keys.is_empty() {
            return;
        }
        let session = &self.sessions[number as usize];
        let (pool, measured) = (usize::from(session.pool), session.special.has(Special::HEAVY));
        let ring = std::sync::Arc::clone(&self.pools[pool].ring);
        let (weight, now) = (self.hotkeys.decay.weight(), Instant::now());
        let tracker = tracker_of(&mut self.hotkeys.trackers, pool);
        tracker.command(stands_for, weight);
        let (chosen, share) = some_of(&keys);
        for &place in &chosen {
            let key = request.arg(keys[place] as usize);
            let Some(shard) = ring.shard(key) else { return };
            // What a heavy session sends is measured beside its replies, all of it.
            let bytes = if measured { 0 } else { bytes_of(request, &keys, place) };
            let noted = Noted {
                key,
                hash: hash(key),
                shard,
                command: spec.name,
                writes: spec.flags.contains(Flags::WRITE),
                bytes,
                stands_for: stands_for * share,
            };
            tracker.key(&noted, weight, now);
        }
        self.hotkeys.sampler.noted(chosen.len() as u32);
    }

    /// Whether the command that was just handled is to have its reply measured, if it can be.
    pub(crate) fn is_measured(&self, number: u32) -> bool {
        let is_heavy = self.sessions[number as usize].special.has(Special::HEAVY);
        self.hotkeys.looking.is_some() || (is_heavy && self.hotkeys.sampler.is_on())
    }

    /// A command was handled: has its reply measured, if it is looked at, or if the session's
    /// replies have been so large of late that each is worth it.
    #[cold]
    pub(crate) fn measure(
        &mut self,
        number: u32,
        sequence: u32,
        spec: &'static Spec,
        request: &Request<'_>,
    ) {
        let session = &self.sessions[number as usize];
        let is_heavy = session.special.has(Special::HEAVY);
        let stands_for = if is_heavy { Some(1.0) } else { self.hotkeys.looking };
        let Some(stands_for) = stands_for.filter(|_| self.hotkeys.sampler.is_on()) else { return };
        let Ok(keys) = positions(spec, request) else { return };
        let [position] = keys[..] else { return };
        let (pool, argument) = (usize::from(session.pool), request.arg(position as usize));
        let Some(shard) = self.pools[pool].ring.shard(argument) else { return };
        let link = self.pools[pool].link(session, shard);
        let Some(link) = link.and_then(|link| self.links.get_mut(link as usize)) else { return };
        let Some(youngest) = link.in_flight.back_mut() else { return };
        let is_it = youngest.session == number && youngest.sequence == sequence;
        if !is_it || youngest.part != Part::Whole {
            return;
        }
        let hash = hash(argument);
        let place = self.hotkeys.watch(|mut key| {
            key.set(argument.into());
            let command = spec.name;
            Watched { session: number, sequence, pool, shard, command, key, hash, stands_for }
        });
        youngest.part = Part::Measured(place);
        if is_heavy {
            self.count_bytes(place, request.wire().len());
        }
    }

    /// A reply came that is to be measured.
    #[cold]
    pub(crate) fn measured(&mut self, place: u16, pending: Pending, frame: &Frame<'_>) {
        let watched = self.hotkeys.watched.get(usize::from(place));
        let is_it = watched.is_some_and(|watched| {
            watched.session == pending.session && watched.sequence == pending.sequence
        });
        if is_it {
            self.count_bytes(place, frame.bytes().len());
        }
    }

    fn count_bytes(&mut self, place: u16, bytes: usize) {
        let hotkeys = &mut self.hotkeys;
        let watched = &hotkeys.watched[usize::from(place)];
        let tracker = tracker_of(&mut hotkeys.trackers, watched.pool);
        let transfer = Transfer {
            key: watched.key.borrow(),
            hash: watched.hash,
            shard: watched.shard,
            command: watched.command,
            bytes,
            stands_for: watched.stands_for,
        };
        tracker.transfer(&transfer, hotkeys.decay.weight(), Instant::now());
    }
}

/// Some of so many keys, and for how many each of them stands: a command with thousands of keys is
/// not to cost as many times more.
fn some_of(keys: &KeyPositions) -> (SmallVec<[usize; 16]>, f32) {
    let count = keys.len();
    if count <= MOST_KEYS {
        return ((0..count).collect(), 1.0);
    }
    let one = |part| (part * count + fastrand::usize(..count)) / MOST_KEYS;
    ((0..MOST_KEYS).map(one).collect(), count as f32 / MOST_KEYS as f32)
}

/// The bytes of a command that are one key's: all, or with several keys those from it to the next.
fn bytes_of(request: &Request<'_>, keys: &KeyPositions, place: usize) -> usize {
    if keys.len() == 1 {
        return request.wire().len();
    }
    let end = keys.get(place + 1).map_or(request.len(), |&next| next as usize);
    (keys[place] as usize..end).map(|index| request.arg(index).len()).sum()
}

/// Of a command with more keys so many are taken, by chance.
const MOST_KEYS: usize = 64;
