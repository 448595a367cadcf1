//! What the clients of all workers listen to, counted.
//!
//! A shard sees our links, not the clients behind them. Here is what its numbers are corrected
//! by: how many of our links listen to a name on each shard, and how many clients there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use smallvec::SmallVec;

use super::{Kind, Name};
use crate::command::glob;

/// One [`Registry`] for each pool.
#[derive(Debug, Default)]
pub struct Registries(DashMap<usize, Arc<Registry>>);

impl Registries {
    /// That of pool `pool`.
    pub fn of_pool(&self, pool: usize) -> Arc<Registry> {
        Arc::clone(&self.0.entry(pool).or_default())
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Registry {
    names: [DashMap<Name, Tally>; 3],
    /// Names in it; nobody listens to anything when it is 0.
    population: AtomicUsize,
}

#[derive(Debug, Default)]
struct Tally {
    clients: usize,
    /// By shard: our links that listen there, or are about to, or were until just now.
    links: SmallVec<[u16; 4]>,
    /// Those of all shards that have not confirmed yet.
    unheard: usize,
}

/// Who hears a message that is published on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audience {
    /// Clients of circlet.
    pub clients: usize,
    /// Links of circlet to that shard, which the shard counts as its clients.
    pub links: usize,
    /// Links of circlet to any shard that are about to listen.
    pub unheard: usize,
}

impl Audience {
    /// What one Redis would count, where the shard counts `receivers`.
    pub fn correct(self, receivers: usize) -> usize {
        receivers.saturating_sub(self.links) + self.clients
    }
}

impl Registry {
    /// Whether no client listens to anything.
    pub fn is_empty(&self) -> bool {
        self.population.load(Ordering::Relaxed) == 0
    }

    /// One more client listens.
    pub fn join(&self, kind: Kind, name: &Name) {
        self.update(kind, name, |tally| tally.clients += 1);
    }

    /// One client fewer listens.
    pub fn leave(&self, kind: Kind, name: &Name) {
        self.update(kind, name, |tally| tally.clients = tally.clients.saturating_sub(1));
    }

    /// A link to `shard` is about to listen.
    pub fn link(&self, kind: Kind, name: &Name, shard: usize) {
        self.update(kind, name, |tally| {
            if tally.links.len() <= shard {
                tally.links.resize(shard + 1, 0);
            }
            tally.links[shard] += 1;
            tally.unheard += 1;
        });
    }

    /// A link that was about to listen does, or has failed.
    pub fn heard(&self, kind: Kind, name: &Name) {
        self.update(kind, name, |tally| tally.unheard = tally.unheard.saturating_sub(1));
    }

    /// A link to `shard` has ended to listen.
    pub fn unlink(&self, kind: Kind, name: &Name, shard: usize) {
        self.update(kind, name, |tally| {
            if let Some(links) = tally.links.get_mut(shard) {
                *links = links.saturating_sub(1);
            }
        });
    }

    fn update(&self, kind: Kind, name: &Name, change: impl FnOnce(&mut Tally)) {
        let mut entry = self.names[kind as usize].entry(Arc::clone(name)).or_insert_with(|| {
            self.population.fetch_add(1, Ordering::Relaxed);
            Tally::default()
        });
        change(&mut entry);
        if entry.is_empty() {
            drop(entry);
            // Somebody else may have come in between.
            let removed = self.names[kind as usize].remove_if(name, |_, tally| tally.is_empty());
            if removed.is_some() {
                self.population.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Who hears what is published to `channel` on `shard`; `kind` says which kind of channel.
    pub fn audience(&self, kind: Kind, channel: &[u8], shard: usize) -> Audience {
        let mut audience = self.listeners(kind, channel, shard);
        if kind == Kind::Channel {
            for entry in &self.names[Kind::Pattern as usize] {
                if glob::matches_exactly(entry.key(), channel) {
                    audience.clients += entry.clients;
                    audience.links += entry.links_to(shard);
                    audience.unheard += entry.unheard;
                }
            }
        }
        audience
    }

    /// Who listens to exactly this name on `shard`.
    pub fn listeners(&self, kind: Kind, name: &[u8], shard: usize) -> Audience {
        let Some(tally) = self.names[kind as usize].get(name) else { return Audience::default() };
        let (clients, unheard) = (tally.clients, tally.unheard);
        Audience { clients, links: tally.links_to(shard), unheard }
    }

    /// The names that clients listen to.
    pub fn names(&self, kind: Kind) -> Vec<Name> {
        let listened = self.names[kind as usize].iter().filter(|entry| entry.clients > 0);
        listened.map(|entry| Arc::clone(entry.key())).collect()
    }

    /// How many names our links listen to on `shard`.
    pub fn linked(&self, kind: Kind, shard: usize) -> usize {
        self.names[kind as usize].iter().filter(|entry| entry.links_to(shard) > 0).count()
    }
}

impl Tally {
    fn is_empty(&self) -> bool {
        self.clients == 0 && self.links.iter().all(|&links| links == 0)
    }

    fn links_to(&self, shard: usize) -> usize {
        usize::from(self.links.get(shard).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_taken_off_and_clients_added() {
        let registry = Registry::default();
        let (channel, pattern): (Name, Name) = (b"news"[..].into(), b"n*"[..].into());
        registry.link(Kind::Channel, &channel, 2);
        registry.join(Kind::Channel, &channel);
        registry.join(Kind::Channel, &channel);
        registry.link(Kind::Pattern, &pattern, 2);
        registry.join(Kind::Pattern, &pattern);
        let audience = registry.audience(Kind::Channel, b"news", 2);
        assert_eq!(audience, Audience { clients: 3, links: 2, unheard: 2 });
        registry.heard(Kind::Pattern, &pattern);
        assert_eq!(registry.audience(Kind::Channel, b"news", 2).unheard, 1);
        // Two links of ours and a client of the shard itself.
        assert_eq!(audience.correct(3), 4);
        assert_eq!(registry.audience(Kind::Channel, b"news", 1).links, 0);
        assert_eq!(registry.audience(Kind::Shard, b"news", 2), Audience::default());
        assert_eq!(registry.audience(Kind::Channel, b"News", 2), Audience::default());
    }

    #[test]
    fn it_is_empty_again_when_all_have_left() {
        let registry = Registry::default();
        let name: Name = b"c"[..].into();
        assert!(registry.is_empty());
        registry.link(Kind::Shard, &name, 0);
        registry.join(Kind::Shard, &name);
        registry.leave(Kind::Shard, &name);
        assert!(!registry.is_empty() && registry.names(Kind::Shard).is_empty());
        registry.unlink(Kind::Shard, &name, 0);
        assert!(registry.is_empty());
    }
}
