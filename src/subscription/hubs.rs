//! The hubs of one worker and pool: one for each user whose clients listen.
//!
//! A shard lets each user hear what its ACL allows. So each user's subscriptions travel on links
//! of that user, and the shard itself judges them.

use std::sync::Arc;

use super::{Hub, Registry, Upstream};
use crate::shard::connect::User;

/// See the module.
#[derive(Debug)]
pub struct Hubs {
    hubs: Vec<Place>,
    registry: Arc<Registry>,
}

#[derive(Debug)]
struct Place {
    user: Option<Arc<User>>,
    hub: Hub,
    /// The second from which on nobody listened; `None` while somebody does.
    idle_since: Option<u32>,
    is_vacant: bool,
}

/// One hub of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubAt {
    /// Index of the pool.
    pub pool: usize,
    /// Index of the hub among the pool's.
    pub hub: u16,
}

impl Hubs {
    /// The hub of clients that said no password; `registry` counts for all hubs.
    pub fn new(shards: usize, registry: Arc<Registry>) -> Self {
        let hub = Hub::new(shards, Arc::clone(&registry));
        let first = Place { user: None, hub, idle_since: None, is_vacant: false };
        Self { hubs: vec![first], registry }
    }

    /// What all workers together listen to.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The index of the user's hub, a new one where it has none; `None` when there are `limit`.
    pub fn of_user(&mut self, user: Option<&Arc<User>>, limit: usize) -> Option<u16> {
        let known =
            self.hubs.iter().position(|place| !place.is_vacant && place.user.as_ref() == user);
        if let Some(index) = known {
            self.hubs[index].idle_since = None;
            return Some(index as u16);
        }
        let hub = Hub::new(self.hubs[0].hub.upstreams.len(), Arc::clone(&self.registry));
        let place = Place { user: user.cloned(), hub, idle_since: None, is_vacant: false };
        match self.hubs.iter().position(|place| place.is_vacant) {
            Some(vacant) => {
                self.hubs[vacant] = place;
                Some(vacant as u16)
            }
            None if self.hubs.len() >= limit => None,
            None => {
                self.hubs.push(place);
                Some((self.hubs.len() - 1) as u16)
            }
        }
    }

    /// There are so many shards from now on; those in `anew` were not asked for anything yet.
    pub fn follow(&mut self, shards: usize, anew: &[usize]) {
        for place in &mut self.hubs {
            place.hub.upstreams.resize_with(shards, Upstream::default);
            for &shard in anew {
                place.hub.upstreams[shard] = Upstream::default();
            }
        }
    }

    /// Whether the shard has confirmed all that it was asked for.
    pub fn is_heard(&self, shard: usize) -> bool {
        self.hubs.iter().all(|place| place.hub.upstreams[shard].is_heard())
    }

    /// Whether a task looks after a link of any hub to the shard, or there is one.
    pub fn look_after(&self, shard: usize) -> bool {
        self.hubs.iter().any(|place| place.hub.upstreams.get(shard).is_some_and(is_looked_after))
    }

    /// As whom a hub listens.
    pub fn user(&self, hub: u16) -> Option<Arc<User>> {
        self.hubs[usize::from(hub)].user.clone()
    }

    /// How many hubs there are, vacant ones included.
    pub fn len(&self) -> usize {
        self.hubs.len()
    }

    /// Never: the first hub is always there.
    pub fn is_empty(&self) -> bool {
        self.hubs.is_empty()
    }

    /// The hubs other than the first whose links may be closed: nobody has listened for `keep`
    /// seconds.
    pub fn unused(&mut self, second: u32, keep: u32) -> Vec<u16> {
        let mut unused = Vec::new();
        for (index, place) in self.hubs.iter_mut().enumerate().skip(1) {
            if place.is_vacant || !place.hub.is_idle() {
                place.idle_since = None;
                continue;
            }
            let since = *place.idle_since.get_or_insert(second);
            if second - since >= keep {
                unused.push(index as u16);
            }
        }
        unused
    }

    /// Gives the place to the next user, once no task looks after its links any more.
    pub fn vacate(&mut self, hub: u16) {
        let place = &mut self.hubs[usize::from(hub)];
        place.is_vacant = !place.hub.upstreams.iter().any(is_looked_after);
    }
}

impl std::ops::Index<u16> for Hubs {
    type Output = Hub;

    #[inline]
    fn index(&self, hub: u16) -> &Hub {
        &self.hubs[usize::from(hub)].hub
    }
}

impl std::ops::IndexMut<u16> for Hubs {
    #[inline]
    fn index_mut(&mut self, hub: u16) -> &mut Hub {
        &mut self.hubs[usize::from(hub)].hub
    }
}

fn is_looked_after(upstream: &Upstream) -> bool {
    upstream.is_watched || upstream.is_reviving || upstream.link.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Arc<User> {
        Arc::new(User { name: name.into(), password: "x".into() })
    }

    #[test]
    fn each_user_has_a_hub_and_leaves_it_to_the_next() {
        let mut hubs = Hubs::new(1, Arc::default());
        assert_eq!(hubs.of_user(None, 3), Some(0));
        assert_eq!(hubs.of_user(Some(&user("ann")), 3), Some(1));
        assert_eq!(hubs.of_user(Some(&user("bob")), 3), Some(2));
        assert_eq!(hubs.of_user(Some(&user("ann")), 3), Some(1));
        assert_eq!(hubs.of_user(Some(&user("carl")), 3), None);
        assert!(hubs.unused(5, 10).is_empty());
        hubs[2].hold(crate::subscription::Kind::Channel, b"c", None);
        assert_eq!(hubs.unused(15, 10), [1]);
        hubs[1].upstreams[0].is_watched = true;
        hubs.vacate(1);
        assert_eq!(hubs.of_user(Some(&user("carl")), 3), None, "a task still has it");
        hubs[1].upstreams[0].is_watched = false;
        hubs.vacate(1);
        assert_eq!(hubs.of_user(Some(&user("carl")), 3), Some(1));
    }
}
