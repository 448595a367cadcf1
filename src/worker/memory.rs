//! What sessions and links hold of the process's memory, and who gives way when it is short.

use std::task::{Context, Waker};

use super::Worker;
use crate::client::session::Session;
use crate::shard::fault::LinkFault;
use crate::shard::link::Link;

impl Worker {
    /// Has the task woken when memory is not short any more.
    #[cold]
    pub(super) fn wait_for_memory(&mut self, cx: &mut Context<'_>) {
        self.waiting_for_memory.push(cx.waker().clone());
    }

    /// Memory is not short any more.
    pub(crate) fn go_on_with_memory(&mut self) {
        std::mem::take(&mut self.waiting_for_memory).into_iter().for_each(Waker::wake);
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
