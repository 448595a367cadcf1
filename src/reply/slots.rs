//! The replies one session still waits for, in the order of its commands.
//!
//! ```text
//!   commands:   7        8        9        10
//!   slots:   [awaiting][parked ][merge  ][awaiting]      first = 7
//!                 │
//!   reply to 7 ───┴─► straight to the outbox, then 8, which was parked; 9 when its parts are in
//! ```
//!
//! A reply that is the next one due is copied once, into the outbox. One that comes early is
//! parked in a buffer of the session until those before it have left. A muted place takes its
//! reply as any other, and nothing leaves for it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Merge;
use crate::outbox::{Outbox, SpareBuffers};

/// See the module.
#[derive(Debug, Default)]
pub struct Replies {
    slots: VecDeque<Slot>,
    /// The sequence number of the first slot.
    first: u32,
    /// `first` while its reply may go straight to the outbox, else a number that no slot has.
    due: u32,
    /// Whether nothing may leave for now.
    held: bool,
    parked: Vec<u8>,
    /// Bytes of `parked` that slots still refer to.
    parked_live: usize,
    /// Bytes of large replies that came early, and of merges that are not done.
    parked_large: usize,
}

#[derive(Debug)]
enum Slot {
    Awaiting,
    Parked {
        start: usize,
        end: usize,
    },
    /// Boxed, so that a place takes 24 bytes.
    Large(Box<Bytes>),
    Merge(Box<Merge>),
    /// Awaiting, and to be answered with nothing.
    Muted,
    /// Answered with nothing.
    Silent,
}

/// The bytes of one whole reply.
#[derive(Debug)]
pub enum Frame<'a> {
    /// To be copied.
    Small(&'a [u8]),
    /// To be passed on as they are.
    Large(Bytes),
}

impl Frame<'_> {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large(bytes) => bytes,
        }
    }
}

impl Replies {
    /// Keeps a place for the next command's reply; returns its sequence number.
    #[inline]
    pub fn reserve(&mut self) -> u32 {
        self.push(Slot::Awaiting)
    }

    /// Keeps a place for a reply that several shards answer together.
    pub fn reserve_merge(&mut self, merge: Box<Merge>) -> u32 {
        self.push(Slot::Merge(merge))
    }

    /// The sequence number that the next command gets.
    pub fn next_sequence(&self) -> u32 {
        self.first.wrapping_add(self.slots.len() as u32)
    }

    /// Commands whose replies have not left yet.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no reply is owed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of replies that came early, parts of them included.
    pub fn parked_len(&self) -> usize {
        self.parked_live + self.parked_large
    }

    /// Whether the reply to `sequence` is the next to leave.
    #[inline]
    pub fn is_due(&self, sequence: u32) -> bool {
        sequence == self.due
    }

    /// Lets no reply leave until [`Self::mute_from`] is called.
    pub fn hold(&mut self) {
        self.held = true;
        self.due = self.first.wrapping_sub(1);
    }

    /// Ends a [`Self::hold`]: the places from the `count`-th on are answered with nothing.
    pub fn mute_from(&mut self, count: usize, out: &mut Outbox, spare: &mut SpareBuffers) {
        for slot in self.slots.iter_mut().skip(count) {
            match slot {
                Slot::Awaiting => *slot = Slot::Muted,
                Slot::Parked { start, end } => {
                    self.parked_live -= *end - *start;
                    *slot = Slot::Silent;
                }
                Slot::Large(bytes) => {
                    self.parked_large -= bytes.len();
                    *slot = Slot::Silent;
                }
                Slot::Merge(merge) => merge.silence(),
                Slot::Muted | Slot::Silent => {}
            }
        }
        self.held = false;
        self.release(out, spare);
    }

    /// Puts the reply to `sequence` in its place; what is due leaves for `out`.
    #[inline]
    pub fn fill(
        &mut self,
        sequence: u32,
        frame: Frame<'_>,
        out: &mut Outbox,
        spare: &mut SpareBuffers,
    ) {
        if !self.is_due(sequence) {
            return self.fill_early(sequence, frame, out, spare);
        }
        match frame {
            Frame::Small(bytes) => out.extend(bytes, spare),
            Frame::Large(bytes) => out.push_large(bytes),
        }
        self.pop();
        if !matches!(self.slots.front(), None | Some(Slot::Awaiting)) {
            self.release(out, spare);
        }
    }

    /// Answers `sequence` with nothing.
    pub fn fill_silently(&mut self, sequence: u32, out: &mut Outbox, spare: &mut SpareBuffers) {
        let index = self.index(sequence);
        self.slots[index] = Slot::Silent;
        self.release(out, spare);
    }

    /// Puts one part of a reply in the merge that waits at `sequence`; whether it was the last.
    pub fn fill_part(&mut self, sequence: u32, part: usize, reply: &[u8]) -> bool {
        let index = self.index(sequence);
        let Some(Slot::Merge(merge)) = self.slots.get_mut(index) else { return false };
        merge.fill(part, reply);
        self.parked_large += reply.len();
        merge.is_complete()
    }

    /// Lets the replies leave that are due.
    pub fn release(&mut self, out: &mut Outbox, spare: &mut SpareBuffers) {
        if self.held {
            return;
        }
        while let Some(slot) = self.slots.front_mut() {
            match slot {
                Slot::Awaiting => break,
                Slot::Parked { start, end } => {
                    out.extend(&self.parked[*start..*end], spare);
                    self.parked_live -= *end - *start;
                }
                Slot::Large(bytes) => {
                    self.parked_large -= bytes.len();
                    out.push_large(std::mem::take(&mut **bytes));
                }
                Slot::Merge(merge) if merge.is_complete() => {
                    self.parked_large -= merge.received_len();
                    out.write_with(spare, |buffer| merge.write(buffer));
                }
                Slot::Merge(_) | Slot::Muted => break,
                Slot::Silent => {}
            }
            self.pop();
        }
        let is_muted = matches!(self.slots.front(), Some(Slot::Muted));
        self.due = self.first.wrapping_sub(u32::from(is_muted));
        if self.parked_live == 0 && !self.parked.is_empty() {
            spare.give(std::mem::take(&mut self.parked));
        }
    }

    /// Forgets all; the session is gone.
    pub fn clear(&mut self) {
        let first = self.first.wrapping_add(self.slots.len() as u32);
        *self = Self { first, due: first, ..Self::default() };
    }

    /// Gives back memory that a burst of commands took.
    pub fn shrink(&mut self) {
        if self.slots.is_empty() && self.slots.capacity() > KEEP_SLOTS {
            self.slots = VecDeque::new();
        }
    }

    #[inline]
    fn push(&mut self, slot: Slot) -> u32 {
        let sequence = self.first.wrapping_add(self.slots.len() as u32);
        self.slots.push_back(slot);
        sequence
    }

    #[inline]
    fn pop(&mut self) {
        self.slots.pop_front();
        self.first = self.first.wrapping_add(1);
        self.due = self.first;
    }

    #[inline]
    fn index(&self, sequence: u32) -> usize {
        sequence.wrapping_sub(self.first) as usize
    }

    /// A reply that is not due, or that nobody wants.
    fn fill_early(
        &mut self,
        sequence: u32,
        frame: Frame<'_>,
        out: &mut Outbox,
        spare: &mut SpareBuffers,
    ) {
        let index = self.index(sequence);
        match self.slots[index] {
            Slot::Muted => self.fill_silently(sequence, out, spare),
            _ => self.park(index, frame, spare),
        }
    }

    fn park(&mut self, index: usize, frame: Frame<'_>, spare: &mut SpareBuffers) {
        let slot = match frame {
            Frame::Small(bytes) => {
                self.compact_parked();
                if self.parked.capacity() == 0 {
                    self.parked = spare.take();
                }
                let start = self.parked.len();
                self.parked.extend_from_slice(bytes);
                self.parked_live += bytes.len();
                Slot::Parked { start, end: start + bytes.len() }
            }
            Frame::Large(bytes) => {
                self.parked_large += bytes.len();
                Slot::Large(Box::new(bytes))
            }
        };
        self.slots[index] = slot;
    }

    /// Drops what has left from `parked` once it is most of it: a client that always has
    /// something parked would otherwise make it grow for ever.
    fn compact_parked(&mut self) {
        if self.parked.len() < COMPACT_PARKED || self.parked_live * 2 > self.parked.len() {
            return;
        }
        let mut kept = Vec::with_capacity(self.parked_live);
        for slot in &mut self.slots {
            if let Slot::Parked { start, end } = slot {
                let moved = kept.len();
                kept.extend_from_slice(&self.parked[*start..*end]);
                (*start, *end) = (moved, kept.len());
            }
        }
        self.parked = kept;
    }
}

/// Places that an idle session keeps allocated.
const KEEP_SLOTS: usize = 32;
/// From this size on `parked` is compacted when half of it is dead.
const COMPACT_PARKED: usize = 64 * 1024;

#[cfg(test)]
mod tests;
