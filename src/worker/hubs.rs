//! The hubs of a worker's users: whose a session is, and what ends with a user's rights.

use super::Worker;
use super::identities::{KEEP_UNUSED, MAX_IDENTITIES};
use crate::shard::fault::LinkFault;
use crate::subscription::{HubAt, Kind, Name, Sent, Verb};

impl Worker {
    /// The hub for what a session subscribes to, or what the client reads instead.
    pub(crate) fn hub_of_session(&mut self, number: u32) -> Result<HubAt, String> {
        let session = &self.sessions[number as usize];
        let (pool, user) = (usize::from(session.pool), self.identity_of(number).user.clone());
        if let Some(subscriber) = &session.subscriber {
            let at = subscriber.hub();
            let is_same = self.pools[pool].hubs.user(at.hub) == user;
            return if is_same { Ok(at) } else { Err(OTHER_USER.into()) };
        }
        let hub = self.pools[pool].hubs.of_user(user.as_ref(), MAX_IDENTITIES);
        hub.map(|hub| HubAt { pool, hub }).ok_or_else(|| {
            format!(
                "ERR max number of identities reached ({MAX_IDENTITIES} users of one worker and \
                 pool that listen, or did a minute ago)"
            )
        })
    }

    /// Closes the links of users of whom nobody has listened for a while.
    pub(super) fn drop_unused_hubs(&mut self, pool: usize) {
        for hub in self.pools[pool].hubs.unused(self.seconds, KEEP_UNUSED) {
            for shard in 0..self.pools[pool].hubs[hub].upstreams.len() {
                if let Some(link) = self.pools[pool].hubs[hub].upstreams[shard].link.take() {
                    self.end_link(link);
                }
            }
            self.pools[pool].hubs.vacate(hub);
        }
    }

    /// A shard has refused a command, and those that waited for it know. What others listen to is
    /// asked for name by name; who may listen to a name no longer is disconnected, as by Redis.
    pub(super) fn review(&mut self, at: HubAt, shard: usize, sent: &Sent, text: &str) {
        if sent.verb != Verb::Subscribe {
            return;
        }
        let hub = &self.pools[at.pool].hubs[at.hub];
        let is_heard = |name: &&Name| {
            hub.listeners(sent.kind, name).is_some_and(|listeners| !listeners.is_empty())
        };
        let heard: Vec<Name> = sent.names.iter().filter(is_heard).cloned().collect();
        for name in heard {
            if sent.names.len() > 1 {
                let hub = &self.pools[at.pool].hubs[at.hub];
                hub.registry.unlink(sent.kind, &name, shard);
                self.send_upstream(at, shard, Verb::Subscribe, sent.kind, &[name]);
            } else if is_about_rights(text) {
                self.expel(at, sent.kind, &name);
            }
        }
    }

    /// A link that listens is over: if that is because the user is not known any more, so are those
    /// that listened as that user.
    pub(super) fn expel_denied(&mut self, at: HubAt, fault: &LinkFault) {
        if at.hub == 0 || !matches!(fault, LinkFault::Denied(_)) {
            return;
        }
        for kind in Kind::ALL {
            let names: Vec<Name> = self.pools[at.pool].hubs[at.hub].names(kind).cloned().collect();
            names.iter().for_each(|name| self.expel(at, kind, name));
        }
    }

    /// Ends the sessions that listen to a name.
    fn expel(&mut self, at: HubAt, kind: Kind, name: &Name) {
        let listeners = self.pools[at.pool].hubs[at.hub].listeners(kind, name);
        let listeners: Vec<u32> = listeners.into_iter().flatten().copied().collect();
        for number in listeners {
            let client = self.sessions[number as usize].id;
            tracing::info!(client, "client disconnected: its user may not listen any longer");
            self.end_session(number);
        }
    }
}

/// Whether an error says that a user may not do something, or is none.
pub(super) fn is_about_rights(error: &str) -> bool {
    ["NOPERM", "NOAUTH"].iter().any(|code| error.starts_with(code))
}

const OTHER_USER: &str = "ERR what you listen to you listen to as another user; UNSUBSCRIBE and \
     PUNSUBSCRIBE first, or use another connection";
