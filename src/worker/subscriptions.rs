//! Links that listen for a worker's sessions: what they ask the shards for, what they hear, and
//! how they come back.
//!
//! ```text
//!   shard ─► link of Owner::Subscriptions ─► hear ─► spread ─► outbox of each session that listens
//! ```
//!
//! Each pool has one such link a shard, opened when somebody listens. One that fails is opened
//! anew and asked for everything again; the clients notice nothing but the gap.

use bytes::Bytes;

use super::Worker;
use super::hubs::is_about_rights;
use crate::reply::slots::Frame;
use crate::resp::Protocol;
use crate::shard::connect::Identity;
use crate::shard::fault::LinkFault;
use crate::shard::link::{Link, Owner};
use crate::subscription::{self, Heard, HubAt, Kind, Name, Sent, Verb};

/// How a session's wait for one shard ended.
#[derive(Debug, Clone)]
pub enum Told {
    /// The shard has confirmed all.
    Confirmed,
    /// The shard cannot be reached; the error that says why.
    Lost(String),
}

impl Worker {
    /// Asks `shard` for `names`, which are new and in the hub, on a link that is opened where
    /// needed.
    pub(crate) fn listen_upstream(
        &mut self,
        at: HubAt,
        shard: usize,
        kind: Kind,
        names: &[Name],
    ) -> Result<(), LinkFault> {
        if self.pools[at.pool].hubs[at.hub].upstreams[shard].is_up {
            self.send_upstream(at, shard, Verb::Subscribe, kind, names);
            return Ok(());
        }
        // Whatever is wanted, these names as well.
        self.open_upstream(at, shard)
    }

    /// Tells `shard` that nobody listens to `names` any more.
    pub(crate) fn unlisten_upstream(
        &mut self,
        at: HubAt,
        shard: usize,
        kind: Kind,
        names: &[Name],
    ) {
        if self.pools[at.pool].hubs[at.hub].upstreams[shard].is_up {
            self.send_upstream(at, shard, Verb::Unsubscribe, kind, names);
        }
    }

    pub(super) fn send_upstream(
        &mut self,
        at: HubAt,
        shard: usize,
        verb: Verb,
        kind: Kind,
        names: &[Name],
    ) {
        let hub = &mut self.pools[at.pool].hubs[at.hub];
        let Some(number) = hub.upstreams[shard].link else { return };
        let link = &mut *self.links[number as usize];
        for names in names.chunks(NAMES_AT_ONCE) {
            let before = link.output.len();
            link.output.write_with(&mut self.spare, |out| hub.send(shard, verb, kind, names, out));
            link.requests += 1;
            link.request_bytes += (link.output.len() - before) as u64;
        }
        if !names.is_empty() {
            self.ready.link(link, number);
        }
    }

    /// Opens the link and asks for all that is wanted of the shard.
    fn open_upstream(&mut self, at: HubAt, shard: usize) -> Result<(), LinkFault> {
        if let Some(fault) = self.pools[at.pool].fault(shard) {
            return Err(fault);
        }
        let known = self.pools[at.pool].hubs[at.hub].upstreams[shard].link;
        let number = known.unwrap_or_else(|| self.add_upstream(at, shard));
        if let Err(fault) = self.links[number as usize].prepare() {
            self.revive_later(at, shard);
            return Err(fault);
        }
        let upstream = &mut self.pools[at.pool].hubs[at.hub].upstreams[shard];
        (upstream.is_up, upstream.was_heard) = (true, true);
        self.watch_upstream(at, shard);
        for kind in Kind::ALL {
            let names: Vec<Name> =
                self.pools[at.pool].hubs[at.hub].wanted(kind, shard).cloned().collect();
            self.send_upstream(at, shard, Verb::Subscribe, kind, &names);
        }
        Ok(())
    }

    fn add_upstream(&mut self, at: HubAt, shard: usize) -> u32 {
        let state = &self.pools[at.pool];
        let limit = state.config.link_output_limit as usize;
        // The pool's first identity speaks RESP2, which all servers do.
        let identity =
            Identity { user: state.hubs.user(at.hub), ..state.identities[0].identity.clone() };
        let mut link = Link::new(at.pool, shard, identity, limit);
        link.owner = Owner::Subscriptions(at.hub);
        let number = self.start_link(link);
        self.pools[at.pool].hubs[at.hub].upstreams[shard].link = Some(number);
        number
    }

    /// The hub that a link listens for, and its shard.
    fn hub_of_link(&self, number: u32) -> Option<(HubAt, usize)> {
        let link = &self.links[number as usize];
        match link.owner {
            Owner::Subscriptions(hub) => Some((HubAt { pool: link.pool, hub }, link.shard)),
            _ => None,
        }
    }

    /// Handles what a shard says on a link that listens; false when it makes no sense there.
    #[inline(never)]
    pub(super) fn hear(&mut self, number: u32, frame: &Frame<'_>) -> bool {
        let Some((at, shard)) = self.hub_of_link(number) else { return false };
        self.pools[at.pool].hubs[at.hub].upstreams[shard].was_heard = true;
        match subscription::read(frame.bytes()) {
            Some(Heard::Message { kind, name }) => self.spread(at, kind, name, frame),
            Some(Heard::Confirmed(by)) => {
                if self.pools[at.pool].hubs[at.hub].confirm(shard, by).is_err() {
                    return false;
                }
                self.tell_waiting(at, shard, &Told::Confirmed);
            }
            Some(Heard::Refused(text)) => {
                let Some(sent) = self.pools[at.pool].hubs[at.hub].refuse(shard) else {
                    return false;
                };
                let text = String::from_utf8_lossy(text);
                self.refused(at, shard, &sent, &text);
                self.tell_waiting(at, shard, &Told::Confirmed);
                self.review(at, shard, &sent, &text);
            }
            None => return false,
        }
        true
    }

    /// Gives a message to all that listen to `name`. One that is large is not copied for each.
    fn spread(&mut self, at: HubAt, kind: Kind, name: &[u8], frame: &Frame<'_>) {
        let Some(listeners) = self.pools[at.pool].hubs[at.hub].listeners(kind, name) else {
            return;
        };
        let bytes = frame.bytes();
        let shared = match frame {
            Frame::Large(bytes) => Some(bytes.clone()),
            Frame::Small(bytes) if bytes.len() >= SHARE_FROM => Some(Bytes::copy_from_slice(bytes)),
            Frame::Small(_) => None,
        };
        for &number in listeners {
            let session = &mut *self.sessions[number as usize];
            match (session.protocol, &shared) {
                (Protocol::Resp2, None) => session.output.extend(bytes, &mut self.spare),
                (Protocol::Resp2, Some(shared)) => session.output.push_large(shared.clone()),
                (Protocol::Resp3, None) => session.output.write_with(&mut self.spare, |out| {
                    out.extend_from_slice(PUSH);
                    out.extend_from_slice(&bytes[PUSH.len()..]);
                }),
                (Protocol::Resp3, Some(shared)) => {
                    session.output.push_large(Bytes::from_static(PUSH));
                    session.output.push_large(shared.slice(PUSH.len()..));
                }
            }
            self.ready.session(session, number);
        }
    }

    /// A shard has refused a command: those that wait for its names read the shard's error.
    #[cold]
    fn refused(&mut self, at: HubAt, shard: usize, sent: &Sent, text: &str) {
        if sent.verb == Verb::Ping {
            // A shard that is busy is still there.
            return;
        }
        // Who may not is told so, and could fill the log.
        if !is_about_rights(text) {
            tracing::warn!(
                pool = self.pools[at.pool].config.name,
                shard = self.pools[at.pool].config.servers[shard].name,
                error = text,
                "shard refused a subscription"
            );
        }
        for (_, session) in &mut self.sessions {
            if let Some(subscriber) = &mut session.subscriber
                && subscriber.hub() == at
            {
                subscriber.refuse(sent, text);
            }
        }
    }

    /// Lets the sessions go on whose wait for the shard is over.
    fn tell_waiting(&mut self, at: HubAt, shard: usize, told: &Told) {
        while let Some(session) = self.pools[at.pool].hubs[at.hub].upstreams[shard].next_ready() {
            self.upstream_told(session, told.clone());
        }
    }

    /// The link is over: whoever waits for the shard goes on without it, and it is opened anew
    /// while somebody listens.
    pub(super) fn subscriptions_lost(&mut self, number: u32, fault: &LinkFault) {
        let Some((at, shard)) = self.hub_of_link(number) else { return };
        self.pools[at.pool].hubs[at.hub].lose(shard);
        let config = &self.pools[at.pool].config;
        let text = fault.reply(&config.servers[shard].name, &config.name);
        if self.pools[at.pool].hubs[at.hub].wants(shard) {
            tracing::warn!(
                pool = self.pools[at.pool].config.name,
                shard = self.pools[at.pool].config.servers[shard].name,
                cause = fault.cause(),
                "subscriptions to shard lost until it is connected again"
            );
            self.revive_later(at, shard);
        }
        self.tell_waiting(at, shard, &Told::Lost(text));
        self.expel_denied(at, fault);
    }

    /// Looks after the link for as long as it is up: a connection that died without a word would
    /// say no more for ever, and nobody who only listens would notice.
    fn watch_upstream(&mut self, at: HubAt, shard: usize) {
        let upstream = &mut self.pools[at.pool].hubs[at.hub].upstreams[shard];
        if std::mem::replace(&mut upstream.is_watched, true) {
            return;
        }
        let config = &self.pools[at.pool].config;
        let pause = (config.heartbeat_interval * WATCH_HEARTBEATS).max(config.heartbeat_timeout);
        let this = self.this.clone();
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(worker) = this.upgrade() else { return };
                if !worker.borrow_mut().upstream_lives(at, shard) {
                    return;
                }
            }
        });
    }

    /// Fails the link when nothing came since the last time, the answer to PING included, and
    /// asks for another one otherwise; false when the link is not up any more.
    fn upstream_lives(&mut self, at: HubAt, shard: usize) -> bool {
        let upstream = &mut self.pools[at.pool].hubs[at.hub].upstreams[shard];
        let Some(number) = upstream.link.filter(|_| upstream.is_up) else {
            upstream.is_watched = false;
            return false;
        };
        if !std::mem::replace(&mut upstream.was_heard, false) {
            upstream.is_watched = false;
            self.fail_link(number, LinkFault::ReplyTimeout);
            return false;
        }
        let link = &mut *self.links[number as usize];
        link.output.write_with(&mut self.spare, |out| upstream.ping(out));
        self.ready.link(link, number);
        true
    }

    /// Tries again in a moment.
    fn revive_later(&mut self, at: HubAt, shard: usize) {
        let upstream = &mut self.pools[at.pool].hubs[at.hub].upstreams[shard];
        if std::mem::replace(&mut upstream.is_reviving, true) {
            return;
        }
        let this = self.this.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(REVIVE_AFTER).await;
            if let Some(worker) = this.upgrade() {
                worker.borrow_mut().revive(at, shard);
            }
        });
    }

    fn revive(&mut self, at: HubAt, shard: usize) {
        self.pools[at.pool].hubs[at.hub].upstreams[shard].is_reviving = false;
        self.open_if_wanted(at, shard);
    }

    fn open_if_wanted(&mut self, at: HubAt, shard: usize) {
        let state = &self.pools[at.pool];
        let hub = &state.hubs[at.hub];
        let is_removed = state.config.servers[shard].is_removed;
        if !hub.upstreams[shard].is_up && hub.wants(shard) && !is_removed {
            // A shard that is out is opened when health says that it is in; another one later.
            let _ = self.open_upstream(at, shard);
        }
    }

    /// Health has changed: shard channels go where the ring gives them, and shards that are in
    /// again are listened to.
    pub(super) fn subscriptions_follow(&mut self, pool: usize) {
        for hub in 0..self.pools[pool].hubs.len() as u16 {
            self.hub_follows(HubAt { pool, hub });
        }
    }

    fn hub_follows(&mut self, at: HubAt) {
        let ring = self.pools[at.pool].ring.clone();
        for moved in self.pools[at.pool].hubs[at.hub].rehome(|name| ring.shard(name)) {
            let name = [moved.name];
            if let Some(from) = moved.from {
                self.unlisten_upstream(at, from, Kind::Shard, &name);
            }
            if let Some(to) = moved.to
                && self.pools[at.pool].hubs[at.hub].upstreams[to].is_up
            {
                self.send_upstream(at, to, Verb::Subscribe, Kind::Shard, &name);
            }
        }
        for shard in 0..self.pools[at.pool].hubs[at.hub].upstreams.len() {
            self.open_if_wanted(at, shard);
        }
    }
}

/// The first byte of a message in RESP3; what follows is the same.
const PUSH: &[u8] = b">";
/// From this size on a message is shared by those it goes to. Below, copies cost less than the
/// vectored writes.
const SHARE_FROM: usize = 4 * 1024;
/// Names in one command to a shard: one of 100,000 would hold it up for others.
const NAMES_AT_ONCE: usize = 500;
/// A link that listens is asked for a sign of life each time so many heartbeats have passed, for
/// at least one `heartbeat_timeout`.
const WATCH_HEARTBEATS: u32 = 10;
/// A link that failed is tried again after this; its own back-off may make it wait longer.
const REVIVE_AFTER: std::time::Duration = std::time::Duration::from_millis(50);
