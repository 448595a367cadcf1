//! What sessions and links hold of the process's memory, and who gives way when it is short.

use std::task::{Context, Waker};

use bytes::BytesMut;

use super::Worker;
use super::sessions::{READ_AT_MOST, READ_IN_PLACE};
use crate::admin::memory::Shortage;
use crate::client::session::Session;
use crate::shard::fault::LinkFault;
use crate::shard::link::Link;

impl Worker {
    /// So many bytes were read into the scratch buffer, and may be kept for somebody.
    #[inline]
    pub(super) fn note_read(&mut self, count: usize) {
        self.read += count;
        if self.read >= READ_AT_MOST {
            self.shared.shortage.take_room(std::mem::take(&mut self.read));
        }
    }

    /// Has the task woken when memory is not short any more.
    #[cold]
    pub(super) fn wait_for_memory(&mut self, cx: &mut Context<'_>) {
        self.waiting_for_memory.push(cx.waker().clone());
    }

    /// Memory is not short any more.
    pub(crate) fn go_on_with_memory(&mut self) {
        std::mem::take(&mut self.waiting_for_memory).into_iter().for_each(Waker::wake);
    }

    /// Gives back what a burst has left, once a second: half of the spare buffers, the queues of
    /// links that are at rest, and of an eighth of the sessions, so that many of them hold nobody up.
    pub(super) fn give_back_memory(&mut self) {
        self.spare.thin_out();
        self.links.iter_mut().for_each(|(_, link)| link.shrink());
        let places = self.sessions.capacity();
        let from = if self.give_back_from >= places { 0 } else { self.give_back_from };
        self.give_back_from = from + places.div_ceil(GIVE_BACK_TURNS);
        for number in from..self.give_back_from.min(places) {
            if let Some(session) = self.sessions.get_mut(number) {
                session.replies.shrink();
            }
        }
    }

    /// Bytes that sessions and links hold because somebody has not read or written all of it.
    pub(crate) fn held(&self) -> u64 {
        let sessions = self.sessions.iter().map(|(_, session)| unread(session) + unsaid(session));
        let links = self.links.iter().map(|(_, link)| link.output.len() + in_part(link));
        (sessions.sum::<usize>() + links.sum::<usize>()) as u64
    }

    /// Lets go of so many bytes, as far as there is something to let go of: what clients do not
    /// read, then commands in part, then replies in part; the largest first.
    pub(crate) fn shed(&mut self, excess: u64) {
        let mut left = excess as usize;
        let unread = self.largest_sessions(unread);
        left = self.shed_from(unread, left, Self::shed_unread);
        let unsaid = self.largest_sessions(unsaid);
        left = self.shed_from(unsaid, left, Self::shed_unsaid);
        let in_part = largest(self.links.iter().map(|(number, link)| (in_part(link), number)));
        self.shed_from(in_part, left, |worker, number| {
            worker.fail_link(number, LinkFault::NoMemory);
        });
    }

    fn largest_sessions(&self, held: fn(&Session) -> usize) -> Vec<(usize, u32)> {
        largest(self.sessions.iter().map(|(number, session)| (held(session), number)))
    }

    /// Sheds one after the other until enough is gone; what is still left to shed.
    fn shed_from(
        &mut self,
        candidates: Vec<(usize, u32)>,
        mut left: usize,
        shed: impl Fn(&mut Self, u32),
    ) -> usize {
        for (held, number) in candidates {
            if left == 0 {
                break;
            }
            shed(self, number);
            left = left.saturating_sub(held);
        }
        left
    }

    fn shed_unread(&mut self, number: u32) {
        self.log_shed(
            number,
            "client disconnected: it does not read its replies and max_memory is near",
        );
        self.end_session(number);
    }

    fn shed_unsaid(&mut self, number: u32) {
        self.log_shed(number, "client disconnected: its command is large and max_memory is near");
        self.say(number, |writer| {
            writer.error(
                "OOM command not taken: the memory of circlet is short (its setting max_memory \
                 sets the limit); the connection is closed",
            );
        });
        self.finish_session(number);
    }

    fn log_shed(&self, number: u32, what: &str) {
        let session = &self.sessions[number as usize];
        let pool = usize::from(session.pool);
        self.counters.pools[pool].shed_clients.add(1);
        tracing::warn!(
            pool = self.pools[pool].config.name,
            client = session.id,
            unread_bytes = unread(session),
            unhandled_bytes = unsaid(session),
            "{what}"
        );
    }
}

/// Room behind what came of something large that misses so many bytes, though never much more at
/// once than has come: a length that is only announced costs no memory. Returns how much may be
/// read now; nothing while memory is short, unless this is only the beginning.
pub(super) fn make_room(
    shortage: &Shortage,
    bytes: &mut BytesMut,
    mut missing: usize,
) -> Option<usize> {
    if !shortage.has_room() {
        if bytes.len() >= READ_IN_PLACE {
            return None;
        }
        missing = missing.min(READ_IN_PLACE);
    }
    let place = bytes.as_ptr();
    bytes.reserve(missing.min(bytes.len().max(GROW_AT_LEAST)));
    if place != bytes.as_ptr() {
        // It may be there twice until the allocator has given the old place back.
        shortage.take_room(bytes.len());
    }
    Some(missing.min(bytes.capacity() - bytes.len()))
}

/// Bytes of replies that wait for the client to read them.
fn unread(session: &Session) -> usize {
    session.waiting_bytes()
}

/// Bytes of commands that have not all come, or wait for a pause to end.
fn unsaid(session: &Session) -> usize {
    if session.closing {
        return 0;
    }
    let input = session.input.as_ref().map_or(0, |input| input.bytes.len());
    input + session.transaction.as_ref().map_or(0, |transaction| transaction.unsent_bytes())
}

/// Bytes of a reply that has not all come.
fn in_part(link: &Link) -> usize {
    link.partial.as_ref().map_or(0, |partial| partial.bytes.len())
}

/// Those that hold enough to be worth it, the largest first.
fn largest(held: impl Iterator<Item = (usize, usize)>) -> Vec<(usize, u32)> {
    let mut held: Vec<(usize, u32)> = held
        .filter(|&(bytes, _)| bytes >= WORTH_SHEDDING)
        .map(|(bytes, number)| (bytes, number as u32))
        .collect();
    held.sort_unstable_by_key(|&(bytes, _)| std::cmp::Reverse(bytes));
    held
}

/// Who holds less is left alone: that is what a session costs anyway.
const WORTH_SHEDDING: usize = 4 * 1024;
/// Turns in which all sessions are asked for what a burst has left; one a second.
const GIVE_BACK_TURNS: usize = 8;
/// How much a buffer for something large grows at least.
const GROW_AT_LEAST: usize = 1024 * 1024;
