//! What a reload changes of a pool, in words.

use std::fmt;

use crate::config::{Pool, Server};
use crate::route::Ring;
use crate::route::moves::{self, Moves};

/// What has become of one pool.
#[derive(Debug, Clone, Default)]
pub struct PoolChange {
    /// Its name.
    pub name: String,
    /// Whether it came, went or stayed.
    pub kind: Kind,
    /// Servers that came, as "c (10.0.0.3:6379)".
    pub added: Vec<String>,
    /// Servers that went.
    pub removed: Vec<String>,
    /// Servers whose weight or name changed, as "a 1 → 2".
    pub altered: Vec<String>,
    /// The keys of the file that are written differently.
    pub keys: Vec<&'static str>,
    /// Those of them that have no effect before a restart.
    pub needs_restart: Vec<&'static str>,
    /// Which part of its keys lives on another shard than before; `None` if none does, or the
    /// distribution is random.
    pub moves: Option<Moves>,
}

/// See [`PoolChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// It was there before.
    #[default]
    Stayed,
    /// It is new, or back.
    Added,
    /// It is gone.
    Removed,
}

impl PoolChange {
    /// A pool that is new, with these servers.
    pub fn added(pool: &Pool) -> Self {
        let added = pool.configured().into_iter().map(|index| shown(&pool.servers[index]));
        let added = added.collect();
        Self { name: pool.name.clone(), kind: Kind::Added, added, ..Self::default() }
    }

    /// A pool that is gone.
    pub fn removed(pool: &Pool) -> Self {
        Self { name: pool.name.clone(), kind: Kind::Removed, ..Self::default() }
    }

    /// A pool that stays, with its rings: `new` has its servers in the places that they have in `old`.
    pub fn between((old, old_ring): (&Pool, &Ring), (new, new_ring): (&Pool, &Ring)) -> Self {
        let mut change = Self { name: new.name.clone(), ..Self::default() };
        change.keys = differing(old, new);
        change.needs_restart =
            change.keys.iter().copied().filter(|key| NEED_RESTART.contains(key)).collect();
        for (index, server) in new.servers.iter().enumerate() {
            change.compare(old.servers.get(index).filter(|old| !old.is_removed), server);
        }
        if change.moves_keys() {
            let is_same = |&index: &usize| old.servers[index].address == new.servers[index].address;
            let same: Vec<Option<usize>> =
                (0..old.servers.len()).map(|index| Some(index).filter(is_same)).collect();
            change.moves = moves::between(old_ring, new_ring, &same);
        }
        change
    }

    /// Whether anything is different.
    pub fn is_any(&self) -> bool {
        self.kind != Kind::Stayed || self.touches_servers() || !self.keys.is_empty()
    }

    fn touches_servers(&self) -> bool {
        !(self.added.is_empty() && self.removed.is_empty() && self.altered.is_empty())
    }

    fn moves_keys(&self) -> bool {
        self.touches_servers() || self.keys.iter().any(|key| PLACING.contains(key))
    }

    fn compare(&mut self, old: Option<&Server>, new: &Server) {
        match old {
            Some(old) if new.is_removed => self.removed.push(shown(old)),
            None if !new.is_removed => self.added.push(shown(new)),
            Some(old) if !new.is_removed => match (&old.address, &old.name)
                == (&new.address, &new.name)
            {
                true if old.weight == new.weight => {}
                true => self.altered.push(format!("{} {} → {}", new.name, old.weight, new.weight)),
                false if old.address == new.address => {
                    self.altered.push(format!("{} is called {} now", old.name, new.name));
                }
                // The place was free, and another has it.
                false => {
                    self.removed.push(shown(old));
                    self.added.push(shown(new));
                }
            },
            _ => {}
        }
    }
}

/// "pool alpha: added c (10.0.0.3:6379); weights: a 1 → 2; changed: timeout; 31.2 % of its keys move"
impl fmt::Display for PoolChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match self.kind {
            Kind::Stayed => {}
            Kind::Added => parts.push("new".to_owned()),
            Kind::Removed => parts.push(
                "gone; its clients are served until they are idle, then disconnected".to_owned(),
            ),
        }
        let lists =
            [("added", &self.added), ("removed", &self.removed), ("altered", &self.altered)];
        for (what, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            parts.push(format!("{what}: {}", names.join(", ")));
        }
        if !self.keys.is_empty() {
            parts.push(format!("changed: {}", self.keys.join(", ")));
        }
        if self.kind == Kind::Stayed && self.moves_keys() {
            let share = self.moves.as_ref().map_or(0.0, Moves::share);
            parts.push(format!("{:.1} % of its keys move", share * 100.0));
        }
        write!(f, "pool {}: {}", self.name, parts.join("; "))
    }
}

/// The name, and the address where the name does not tell it.
fn shown(server: &Server) -> String {
    let address = server.address.to_string();
    match server.name == address {
        true => address,
        false => format!("{} ({address})", server.name),
    }
}

/// The keys that differ. All fields are named, so that a new one is not forgotten here.
macro_rules! differing {
    ($old:expr, $new:expr; $($field:ident),+ $(,)?) => {{
        let Pool { name: _, servers: _, $($field),+ } = $old;
        let mut keys = Vec::new();
        $(if *$field != $new.$field { keys.push(stringify!($field)); })+
        keys
    }};
}

fn differing(old: &Pool, new: &Pool) -> Vec<&'static str> {
    differing!(old, new;
        listen, hash, hash_tag, key_bytes, distribution, timeout, proxy_protocol_from, backlog,
        client_connections, redis_auth, auth, users, users_file, user_scripts, commands,
        protected_mode, limits, authentication_timeout, redis_db, preconnect, tcpkeepalive,
        tcp_keepalive_time, tcp_user_timeout, server_tcp_user_timeout, client_idle_timeout,
        reuseport, auto_eject_hosts, server_connections, server_retry_timeout,
        server_failure_limit, ejection, displaced_limit, rejoin, rejoin_limit, slow_start,
        cross_shard, cluster_emulation, heartbeat_interval, heartbeat_timeout,
        heartbeat_successes, connect_timeout, max_bulk, max_arguments, max_inline, max_command,
        max_reply, max_nesting, client_output_limit, pubsub_output_limit,
        pubsub_output_soft_limit, pubsub_output_soft_seconds, link_output_limit,
        link_pipeline_limit, client_pipeline_limit, private_links, script_cache, tls,
    )
}

/// Keys on which it hangs where keys live.
const PLACING: [&str; 4] = ["hash", "hash_tag", "key_bytes", "distribution"];

/// Keys that a reload leaves as they are: sessions begin in a database, and a socket that listens
/// has its queue and its options, for as long as they live.
pub const NEED_RESTART: [&str; 3] = ["redis_db", "backlog", "reuseport"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Format, parse};

    fn pool(servers: &str, settings: &str) -> Pool {
        let text =
            format!("p:\n  listen: 127.0.0.1:7000\n  redis: true\n{settings}  servers:\n{servers}");
        let Config { mut pools } = parse(&text, Format::Yaml, "test").unwrap();
        pools.remove(0)
    }

    fn between(old: &Pool, new: &Pool) -> PoolChange {
        PoolChange::between((old, &Ring::new(old)), (new, &Ring::new(new)))
    }

    #[test]
    fn what_changed_is_told_with_the_share_that_moves() {
        let old = pool("    - h:1:1 a\n    - h:2:1 b\n", "  distribution: rendezvous\n");
        let mut new = pool(
            "    - h:1:3 a\n    - h:2:1 b\n",
            "  distribution: rendezvous\n  timeout: 5\n  backlog: 9\n",
        );
        let change = between(&old, &new);
        assert_eq!(
            change.to_string(),
            "pool p: altered: a 1 → 3; changed: timeout, backlog; 25.0 % of its keys move"
        );
        assert_eq!(change.needs_restart, ["backlog"]);
        assert_eq!(change.moves.unwrap().each.len(), 1, "from b to a");
        new = old.clone();
        new.servers[1].is_removed = true;
        let change = between(&old, &new);
        assert_eq!(change.removed, ["b (h:2)"]);
        let moves = change.moves.unwrap();
        assert!((moves.share() - 0.5).abs() < 0.01, "{moves:?}");
        assert!(!between(&old, &old).is_any());
    }
}
