//! Lanes: which of an identity's links to a shard a session's commands travel on.
//!
//! ```text
//!                       ┌─ lane 0 ─ link ─┐
//!   session 4, light ───┘  …              ├─► shard      `server_connections` native lanes
//!   session 7, heavy ───── heavy ─ link ──┘              and one for what is heavy
//! ```
//!
//! What is large takes its time on a link, and all that is behind it waits. A session whose replies or
//! requests were that large moves to the heavy lane as a whole, and comes back when it was light for a
//! while. It moves only when nothing of it is on any link, so that its commands never overtake each
//! other. A command that keeps Redis busy gets no lane: it holds up all links of its shard alike.

use super::{PoolState, Worker};
use crate::client::session::{Session, Special};

impl PoolState {
    /// Links per shard and identity that ordinary sessions share.
    #[inline]
    pub fn native_lanes(&self) -> usize {
        self.config.server_connections as usize
    }

    /// The lane of sessions with large requests or replies.
    pub fn heavy_lane(&self) -> u16 {
        0
    }

    /// The lane of the session with this number while it is light: always the same one, but where a
    /// reload changes how many there are.
    pub fn native_lane(&self, id: u64) -> u16 {
        1 + (id % self.native_lanes() as u64) as u16
    }

    /// The place, among an identity's links, of the one that `session` uses to reach `shard`.
    #[inline]
    pub fn place(&self, session: &Session, shard: usize) -> usize {
        shard * self.lanes() + usize::from(session.lane)
    }

    /// Whether a place among an identity's links is in the heavy lane.
    pub(super) fn is_heavy_place(&self, place: usize) -> bool {
        place % self.lanes() == usize::from(self.heavy_lane())
    }
}

impl Worker {
    /// The session has said, or been told, something heavy: it is to move as soon as it may.
    #[cold]
    pub(crate) fn note_heavy(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        session.special.set(Special::HEAVY);
        session.light_commands = 0;
    }

    /// What comes next is heavy: the session moves at once if it may.
    #[cold]
    pub(crate) fn expect_heavy(&mut self, number: u32) {
        self.note_heavy(number);
        if self.may_move(number) {
            self.sessions[number as usize].lane = self.pool_of(number).heavy_lane();
        }
    }

    /// A large reply comes over the link: it is that of the oldest request.
    #[cold]
    pub(super) fn note_heavy_reply(&mut self, link: u32) {
        if let Some(pending) = self.links[link as usize].in_flight.front() {
            self.note_heavy(pending.session);
        }
    }

    /// Leads a session that was heavy lately to the lane where its next command belongs. False when
    /// the command has to come again: what the session is still owed comes over the other lane.
    #[cold]
    pub(crate) fn settle_lane(&mut self, number: u32, may_come_again: bool) -> bool {
        let heavy = self.pool_of(number).heavy_lane();
        let session = &mut *self.sessions[number as usize];
        session.light_commands = session.light_commands.saturating_add(1);
        let light = session.light_commands;
        let is_light = light > LIGHT_AGAIN;
        if is_light && session.lane != heavy {
            session.special.clear(Special::HEAVY);
            return true;
        }
        let is_there = (session.lane == heavy) != is_light;
        if is_there || session.special.has(Special::TRANSACTION) {
            return true;
        }
        if self.may_move(number) {
            self.change_lane(number, heavy);
            return true;
        }
        // Nothing presses a session that is light again: as a rule a moment comes by itself.
        let is_urgent = !is_light || light > LIGHT_AGAIN * 16;
        !(is_urgent && may_come_again) || self.is_drained(number)
    }

    fn change_lane(&mut self, number: u32, heavy: u16) {
        let session = &self.sessions[number as usize];
        let native = self.pool_of(number).native_lane(session.id);
        let session = &mut self.sessions[number as usize];
        if session.lane == heavy {
            session.lane = native;
            session.special.clear(Special::HEAVY);
        } else {
            session.lane = heavy;
        }
    }

    /// Whether no link carries anything of the session, not even a reply that is too late.
    fn may_move(&self, number: u32) -> bool {
        let session = &self.sessions[number as usize];
        session.outstanding == 0 && !session.special.has(Special::TRANSACTION)
    }
}

/// A request or reply of so many bytes is heavy: it holds a link up for a tenth of a millisecond or
/// more. More than a read takes at once, so that smaller ones are never measured.
pub(crate) const HEAVY: usize = 256 * 1024;
/// So many commands without anything heavy, and a session is light again.
const LIGHT_AGAIN: u16 = 32;
