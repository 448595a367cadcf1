//! What a worker holds of sessions that are gone: nothing, unless something leaks.

use super::Worker;
use crate::shard::link::{Link, Owner};

impl Worker {
    /// What is still held for sessions, in words; empty once all have gone and all replies to them
    /// have come. Not for the data path: it looks at everything.
    pub fn leftovers(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut count = |what: &str, count: usize| {
            if count > 0 {
                found.push(format!("{count} {what}"));
            }
        };
        count("sessions", self.sessions.len());
        count("askers", self.askers.len());
        count("published messages", self.published.len());
        count("clients in the list", self.shared.clients.len());
        for (_, link) in &self.links {
            let shared = matches!(link.owner, Owner::Shared | Owner::Nobody);
            count("requests in flight", if shared { link.in_flight.len() } else { 0 });
            count("sessions blocked by a link", link.blocked.len());
            count("links still lent", usize::from(matches!(link.owner, Owner::Session(_))));
            count(
                "links with something to write or read",
                usize::from(shared && !is_at_rest(link)),
            );
        }
        for (index, pool) in self.pools.iter().enumerate() {
            let users = pool.identities.iter().map(|identity| identity.sessions() as usize).sum();
            count("uses of identities", users);
            let hubs = (0..pool.hubs.len()).filter(|&hub| !pool.hubs[hub as u16].is_idle());
            count("hubs with listeners", hubs.count());
            let connected = self.counters.pools[index].client_connections.value();
            count("connected clients in the counters", connected as usize);
        }
        found
    }
}

fn is_at_rest(link: &Link) -> bool {
    link.output.is_empty() && link.partial.is_none() && link.unsent == 0
}
