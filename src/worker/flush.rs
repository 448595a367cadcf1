//! The flush task: one write a connection for all that was queued in a turn of the loop.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;

use tokio::task::yield_now;

use super::Worker;
use super::sessions::PAUSE_AT_OUTPUT;
use crate::client::session::{Pause, Special};
use crate::journal::kept::KEPT;
use crate::shard::fault::LinkFault;
use crate::shard::link::Owner;

/// Runs for as long as the worker does.
pub async fn run(worker: Rc<RefCell<Worker>>) {
    loop {
        poll_fn(|cx| worker.borrow_mut().ready.poll_scheduled(cx)).await;
        while worker.borrow_mut().flush_ready() {
            // Looks for new events without waiting for them, and handles those first.
            yield_now().await;
        }
    }
}

impl Worker {
    /// Writes to all connections on the list; true when some were put off and are to be flushed
    /// after one more look for events. Links go first: the sooner a shard has work the better.
    ///
    /// A session that is owed more is put off once: its pipeline's commands went to several shards,
    /// and what the others say is likely to be here already. One write then does for all.
    pub fn flush_ready(&mut self) -> bool {
        self.ready.flushing();
        let mut links = std::mem::take(&mut self.ready.links);
        for number in links.drain(..) {
            self.flush_link(number);
        }
        let mut sessions = std::mem::take(&mut self.ready.sessions);
        sessions.retain(|&number| {
            let put_off = self.puts_off(number);
            if !put_off {
                self.flush_session(number);
            }
            put_off
        });
        self.end_turn();
        let put_off = !sessions.is_empty();
        // A flush can put others on the lists.
        sessions.append(&mut self.ready.sessions);
        self.ready.sessions = sessions;
        if self.ready.links.is_empty() {
            self.ready.links = links;
        }
        put_off
    }

    /// Whether a session's flush waits for one more look for events.
    fn puts_off(&mut self, number: u32) -> bool {
        let Some(session) = self.sessions.get_mut(number as usize) else { return false };
        let is_owed_more = !session.replies.is_empty() && session.output.len() < ENOUGH_TO_WRITE;
        session.put_off = is_owed_more && !session.put_off;
        session.put_off
    }

    /// Writes what the kernel takes of a link's requests.
    pub(crate) fn flush_link(&mut self, number: u32) {
        let Some(link) = self.links.get_mut(number as usize) else { return };
        link.dirty = false;
        if link.sampling.next > 0 {
            link.sampling.next -= 1;
            if link.sampling.next == 0 {
                self.pools[link.pool].guard.sample(number, link);
            }
        }
        if link.socket.is_none() || link.wants_write {
            return;
        }
        if link.unsent > 0 {
            self.clock.refresh();
            link.offer(self.clock.micros());
        }
        let Some(socket) = &mut link.socket else { return };
        let counters = &self.counters.pools[link.pool].shards[link.shard];
        counters.requests.add(link.requests - std::mem::replace(&mut link.counted, link.requests));
        counters.request_bytes.add(std::mem::take(&mut link.request_bytes));
        let (kept, requests) = (&mut link.kept, link.requests);
        let keeps = self.journal.keeps && !matches!(link.owner, Owner::Subscriptions(_));
        if keeps
            && link.output.len() > KEPT
            && let Some(waiting) = link.output.whole()
        {
            // More than is kept whole, and perhaps more than the kernel takes at once.
            kept.keep_heads(waiting, requests);
            link.output.cut();
        }
        let flushed = match keeps {
            false => link.output.flush(socket, &mut self.spare),
            true => {
                link.output.flush_keeping(socket, &mut self.spare, |whole, spare| match whole {
                    Some(written) => kept.keep(written, requests, spare),
                    None => kept.skip(requests),
                })
            }
        };
        match flushed {
            Ok(true) if link.has_room() => self.unblock_sessions(number),
            Ok(true) => {}
            Ok(false) => {
                link.wants_write = true;
                link.wake();
            }
            Err(error) => self.fail_link(number, LinkFault::of_io(&error)),
        }
    }

    /// Writes what the kernel takes of a session's replies; ends it when that was all.
    pub(crate) fn flush_session(&mut self, number: u32) {
        let Some(session) = self.sessions.get_mut(number as usize) else { return };
        session.dirty = false;
        if session.special.has(Special::LEAVING) {
            return self.flush_leaving(number);
        }
        let Some(socket) = &mut session.socket else { return };
        if !session.wants_write {
            let before = session.output.len();
            match session.output.flush(socket, &mut self.spare) {
                Ok(true) => {}
                Ok(false) => {
                    session.wants_write = true;
                    session.wake();
                }
                Err(_) => return self.end_session(number),
            }
            let written = before - session.output.len();
            session.count_written(&self.counters, written);
            if session.special.has(Special::LIMITED) {
                self.charge_bytes(number, written);
            }
        }
        let session = &mut *self.sessions[number as usize];
        // The socket itself may hold back bytes, of TLS.
        let drained = session.output.is_empty() && !session.wants_write;
        if session.closing && drained && session.replies.is_empty() {
            return self.end_session(number);
        }
        let pool = &self.pools[usize::from(session.pool)];
        // A single reply may be as large as Redis lets a value be.
        let waiting = session.output.len_behind_first() + session.replies.parked_len();
        if waiting as u64 > pool.config.client_output_limit {
            return self.drop_slow_session(number);
        }
        let limit = pool.config.client_pipeline_limit as usize;
        let has_room = drained && session.waiting_bytes() < PAUSE_AT_OUTPUT;
        if session.pause == Pause::Drained && session.replies.is_empty() {
            session.pause = Pause::No;
            session.wake();
        }
        if session.special.has(Special::TRANSACTION) && session.awaits_private_link() {
            session.wake();
        }
        if session.pause == Pause::Replies && has_room && session.replies.len() <= limit / 2 {
            session.pause = Pause::No;
            session.wake();
        }
        if session.special.has(Special::SUBSCRIBER) {
            self.drop_slow_subscriber(number);
        }
    }

    /// Lets the sessions go on that waited for the link to drain.
    pub(super) fn unblock_sessions(&mut self, number: u32) {
        if self.links[number as usize].is_outdated {
            self.renew(number);
        }
        let blocked = std::mem::take(&mut self.links[number as usize].blocked);
        for session in blocked {
            if let Some(session) = self.sessions.get_mut(session as usize)
                && session.pause == Pause::Link
            {
                session.pause = Pause::No;
                session.wake();
            }
        }
    }
}

/// From this many bytes on a write is worth its system call, whatever else may come.
const ENOUGH_TO_WRITE: usize = 16 * 1024;
