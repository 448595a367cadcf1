//! Commands that wait until a shard has something for them: BLPOP and its kind, XREAD … BLOCK.
//!
//! ```text
//!   BLPOP ─► session drained? ─► a link of its own ─► CLIENT ID, BLPOP ─► shard
//!                                                     reply ─► session, link goes back
//! ```
//!
//! The session handles no further command before the reply has come. It waits until all that it
//! sent before is answered: the shard must have done that before it looks at this.

use bytes::Bytes;

use super::intake::frame;
use super::moved::Waited;
use super::record::Record;
use super::session::Pause;
use super::split::positions;
use crate::command::{KeyError, Spec};
use crate::reply::slots::Frame;
use crate::resp::Request;
use crate::shard::link::Part;
use crate::worker::Worker;

impl Worker {
    /// A command that may wait. What is wrong with it (a timeout, a type) its shard says at once.
    #[cold]
    pub(crate) fn blocking(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        if !self.is_drained(number) {
            return;
        }
        if matches!(spec.name, "wait" | "waitaof") {
            return self.wait(number, request);
        }
        let keys = match positions(spec, request) {
            Ok(keys) => keys,
            Err(error) => return self.say(number, |writer| writer.error(&error.to_string())),
        };
        // BLMPOP and BZMPOP have a word behind their keys: without it the count lies.
        if spec.name.ends_with("mpop") && keys.last() == Some(&(request.len() as u32 - 1)) {
            let text = KeyError::Syntax.to_string();
            return self.say(number, |writer| writer.error(&text));
        }
        let Some(shard) = self.common_shard(number, spec, request, &keys) else { return };
        let keys =
            keys.iter().map(|&key| Bytes::copy_from_slice(request.arg(key as usize))).collect();
        let records = self.records(number, spec, request);
        let waited = Waited::of(spec.name, request);
        self.block(number, shard, (keys, waited), &records, frame(request, whole));
    }

    /// How many of the pool's sessions wait: for something to happen at a shard that has their
    /// command by now, or for CLIENT PAUSE to end.
    pub(super) fn blocked_clients(&self, pool: usize) -> usize {
        let has_left = |link: u32| {
            let link = self.links.get(link as usize);
            link.is_none_or(|link| link.socket.is_some() && link.output.is_empty())
        };
        let blocked = self.sessions.iter().filter(|(_, session)| {
            usize::from(session.pool) == pool
                && match session.pause {
                    Pause::Blocked => session.loans.iter().all(|loan| has_left(loan.link)),
                    Pause::Held => true,
                    _ => false,
                }
        });
        blocked.count()
    }

    fn block(
        &mut self,
        number: u32,
        shard: usize,
        (keys, waited): (Vec<Bytes>, Option<Waited>),
        records: &[Record],
        request: Frame<'_>,
    ) {
        let link = match self.lend_to_wait(number, shard, keys, waited) {
            Ok(link) => link,
            Err(text) => return self.say(number, |writer| writer.error(&text)),
        };
        let session = &mut self.sessions[number as usize];
        session.pause = Pause::Blocked;
        let sequence = session.replies.reserve();
        self.send_records_on(link, number, records);
        self.send_on(link, number, sequence, Part::Blocking, request);
    }
}
