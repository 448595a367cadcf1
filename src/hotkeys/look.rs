//! A worker looks at a command: its keys, its bytes, and those of its reply.

use std::time::Instant;

use bytes::Bytes;
use smallvec::SmallVec;

use super::big::{BIG, Transfer};
use super::hitters::Noted;
use super::key::hash;
use super::{Watched, tracker_of};
use crate::client::split::positions;
use crate::command::bits::Flags;
use crate::command::{KeyPositions, Spec};
use crate::journal::redact::single_key;
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
        self.hotkeys.looking = Some(stands_for);
        self.command_apart_or_not(number, spec, request, whole);
        self.hotkeys.looking = None;
        let session = &self.sessions[number as usize];
        // One that comes again is not counted twice; whoever has said no password yet, not at all.
        if session.is_authenticated() && !session.pause.comes_again() {
            self.note_keys(number, spec, request, stands_for);
        }
    }

    /// Counts the keys of a command that stands for so many.
    fn note_keys(&mut self, number: u32, spec: &Spec, request: &Request<'_>, stands_for: f32) {
        let Ok(keys) = positions(spec, request) else { return };
        if keys.is_empty() {
            return;
        }
        let pool = usize::from(self.sessions[number as usize].pool);
        let ring = &self.pools[pool].ring;
        let weight = self.hotkeys.decay.weight();
        let tracker = tracker_of(&mut self.hotkeys.trackers, pool);
        tracker.command(stands_for, weight);
        let (chosen, share) = some_of(&keys);
        let now = Instant::now();
        for &place in &chosen {
            let key = request.arg(keys[place] as usize);
            let Some(shard) = ring.shard(key) else { return };
            let noted = Noted {
                key,
                hash: hash(key),
                shard,
                command: spec.name,
                writes: spec.flags.contains(Flags::WRITE),
                bytes: bytes_of(request, &keys, place),
                stands_for: stands_for * share,
            };
            tracker.key(&noted, weight);
            // With one key it is noted in any case, looked at or not.
            if keys.len() > 1 {
                tracker.big.note(&noted.transfer(), weight, now);
            }
        }
        self.hotkeys.sampler.noted(chosen.len() as u32);
    }

    /// Takes note of a large command.
    #[cold]
    pub(crate) fn note_big_request(&mut self, number: u32, request: &[u8]) {
        let pool = usize::from(self.sessions[number as usize].pool);
        self.note_big(pool, request, request.len());
    }

    /// Takes note of a large reply, of which the request is the one that its link carried first.
    #[cold]
    pub(crate) fn note_big_reply(&mut self, bytes: usize) {
        let Some(link) = self.links.get_mut(self.hotkeys.replying as usize) else { return };
        let (pool, last) = (link.pool, link.replied().saturating_sub(1));
        // The key is at the beginning.
        let request = link.kept.text(last).map(|text| text[..text.len().min(1024)].to_vec());
        if let Some(request) = request {
            self.note_big(pool, &request, bytes);
        }
    }

    /// Takes note of so many bytes that went over the wire because of a request with one key, of
    /// which the beginning may be all that is known.
    fn note_big(&mut self, pool: usize, request: &[u8], bytes: usize) {
        if !self.hotkeys.sampler.is_on() {
            return;
        }
        let Some((spec, key)) = single_key(request) else { return };
        let Some(shard) = self.pools[pool].ring.shard(key) else { return };
        let (hash, command) = (hash(key), spec.name);
        let transfer = Transfer { key: key.into(), hash, shard, command, bytes, stands_for: 1.0 };
        let weight = self.hotkeys.decay.weight();
        tracker_of(&mut self.hotkeys.trackers, pool).big.note(&transfer, weight, Instant::now());
    }

    /// Has the reply of the command that was just handled measured, if it is forwarded as it is.
    #[cold]
    pub(crate) fn measure(
        &mut self,
        number: u32,
        sequence: u32,
        spec: &Spec,
        request: &Request<'_>,
    ) {
        let Some(stands_for) = self.hotkeys.looking else { return };
        let Ok(keys) = positions(spec, request) else { return };
        let [position] = keys[..] else { return };
        let session = &self.sessions[number as usize];
        let (pool, key) = (usize::from(session.pool), request.arg(position as usize));
        let Some(shard) = self.pools[pool].ring.shard(key) else { return };
        let link = self.pools[pool].link(session, shard);
        let Some(link) = link.and_then(|link| self.links.get_mut(link as usize)) else { return };
        let Some(youngest) = link.in_flight.back_mut() else { return };
        let is_it = youngest.session == number && youngest.sequence == sequence;
        if is_it && youngest.part == Part::Whole {
            let hash = hash(key);
            let watched = Watched { session: number, sequence, pool, hash, stands_for };
            youngest.part = Part::Measured(self.hotkeys.watch(watched));
        }
    }

    /// A reply came that is to be measured.
    #[cold]
    pub(crate) fn measured(&mut self, place: u16, pending: Pending, bytes: usize) {
        if bytes >= BIG {
            self.note_big_reply(bytes);
        }
        let weight = self.hotkeys.decay.weight();
        let Some(watched) = self.hotkeys.watched.get(usize::from(place)) else { return };
        if watched.session == pending.session && watched.sequence == pending.sequence {
            let tracker = tracker_of(&mut self.hotkeys.trackers, watched.pool);
            tracker.hitters.add_bytes(watched.hash, bytes as f32 * watched.stands_for * weight);
        }
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
