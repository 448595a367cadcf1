//! PUBLISH and SPUBLISH: to the shard that the ring gives the channel's name.
//!
//! The shard counts circlet's links as one receiver each, however many clients listen behind
//! them. While anybody listens, its number is made what one Redis would say.

use std::time::Duration;

use bytes::Bytes;

use super::intake;
use crate::reply::frame;
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
                self.send(number, sequence, Part::Published, shard, intake::frame(request, whole));
            }
            _ => self.forward(number, shard, intake::frame(request, whole)),
        }
    }

    /// Lets a command that publishes come again in a moment, so that a SUBSCRIBE that was said
    /// before it is in force when it is sent; false when it has waited long enough.
    pub(crate) fn postpone(&mut self, number: u32) -> bool {
        let session = &mut self.sessions[number as usize];
        if session.postponed == POSTPONED_AT_MOST {
            return false;
        }
        session.postponed += 1;
        self.come_again_after(number, tokio::time::sleep(POSTPONED_FOR));
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
    frame::integer(reply)?.try_into().ok()
}
