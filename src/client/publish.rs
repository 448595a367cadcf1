//! PUBLISH and SPUBLISH: to the shard that the ring gives the channel's name.
//!
//! The shard counts circlet's links as one receiver each, however many clients listen behind
//! them. While anybody listens, its number is made what one Redis would say.

use std::time::Duration;

use bytes::Bytes;

use super::intake::frame;
use super::session::Pause;
use crate::reply::slots::Frame;
use crate::resp::{Protocol, Request, Writer};
use crate::shard::link::{Part, Pending};
use crate::subscription::{Audience, Kind};
use crate::worker::Worker;

impl Worker {
    /// Publishes to a channel or a shard channel.
    pub(super) fn publish(
        &mut self,
        number: u32,
        kind: Kind,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        let (pool, channel) = (self.pool_of(number), request.arg(1));
        let shard = pool.ring.shard(channel);
        let registry = pool.hubs.registry();
        let audience = match shard {
            Some(shard) if !registry.is_empty() => registry.audience(kind, channel, shard),
            _ => Audience::default(),
        };
        if audience.unheard > 0 && self.postpone(number) {
            return;
        }
        self.sessions[number as usize].postponed = 0;
        match shard {
            Some(shard) if audience != Audience::default() => {
                let sequence = self.sessions[number as usize].replies.reserve();
                self.published.insert((number, sequence), audience);
                self.send(number, sequence, Part::Published, shard, frame(request, whole));
            }
            _ => self.forward(number, shard, frame(request, whole)),
        }
    }

    /// Lets a command that publishes come again in a moment, so that a SUBSCRIBE that was said
    /// before it is in force when it is sent; false when it has waited long enough.
    pub(crate) fn postpone(&mut self, number: u32) -> bool {
        let Some(worker) = self.this.upgrade() else { return false };
        let session = &mut self.sessions[number as usize];
        if session.postponed == POSTPONED_AT_MOST {
            return false;
        }
        session.postponed += 1;
        session.pause = Pause::Held;
        // The number stays the session's for as long as the task knows it.
        session.outstanding += 1;
        tokio::task::spawn_local(async move {
            tokio::time::sleep(POSTPONED_FOR).await;
            let worker = &mut *worker.borrow_mut();
            let session = &mut worker.sessions[number as usize];
            session.outstanding -= 1;
            if session.pause == Pause::Held {
                session.pause = Pause::No;
            }
            session.wake();
            worker.forget_session(number);
        });
        true
    }

    /// Answers a PUBLISH whose count is to be corrected.
    pub(crate) fn count_published(&mut self, pending: Pending, reply: Frame<'_>) {
        let audience = self.published.remove(&(pending.session, pending.sequence));
        let (Some(audience), Some(receivers)) = (audience, integer(reply.bytes())) else {
            return self.answer(pending.session, pending.sequence, reply);
        };
        let mut corrected = self.spare.take();
        let count = audience.correct(receivers) as i64;
        Writer::new(&mut corrected, Protocol::Resp2).integer(count);
        self.answer(pending.session, pending.sequence, Frame::Small(&corrected));
        self.spare.give(corrected);
    }

    /// The client that published is gone.
    pub(crate) fn forget_published(&mut self, pending: Pending) {
        self.published.remove(&(pending.session, pending.sequence));
    }
}

/// A shard that does not confirm a subscription must not hold up those who publish for long.
const POSTPONED_AT_MOST: u8 = 20;
const POSTPONED_FOR: Duration = Duration::from_millis(1);

/// The number in `:7`, as long as it counts something.
pub(super) fn integer(reply: &[u8]) -> Option<usize> {
    let digits = reply.strip_prefix(b":")?.strip_suffix(b"\r\n")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
