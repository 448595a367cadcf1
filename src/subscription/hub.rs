//! Who of one worker's sessions listens to what of one pool, and what shards were asked for.
//!
//! A session that subscribes *holds* its names until the shards have confirmed them; then it
//! *joins*, and messages are for it. A name without holds and listeners is gone, and the shards are
//! told.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::upstream::{Sent, Unexpected};
use super::{Kind, Name, Registry, Upstream, Verb};

/// See the module.
#[derive(Debug)]
pub struct Hub {
    names: [HashMap<Name, Listeners>; 3],
    /// By shard.
    pub upstreams: Vec<Upstream>,
    /// What all workers together listen to.
    pub registry: Arc<Registry>,
}

#[derive(Debug, Default)]
struct Listeners {
    sessions: BTreeSet<u32>,
    holds: u32,
    /// The shard of a shard channel.
    home: Option<usize>,
}

/// A shard channel that the ring gives to another shard.
#[derive(Debug, PartialEq)]
pub struct Moved {
    /// The channel.
    pub name: Name,
    /// Where it was.
    pub from: Option<usize>,
    /// Where it is.
    pub to: Option<usize>,
}

impl Hub {
    /// Nobody listens to anything.
    pub fn new(shards: usize, registry: Arc<Registry>) -> Self {
        Self {
            names: Default::default(),
            upstreams: (0..shards).map(|_| Upstream::default()).collect(),
            registry,
        }
    }

    /// Keeps `name` for a session that is about to listen; whether it is new here. `home` is
    /// the shard of a shard channel.
    pub fn hold(&mut self, kind: Kind, name: &[u8], home: Option<usize>) -> (Name, bool) {
        let names = &mut self.names[kind as usize];
        if let Some((known, _)) = names.get_key_value(name) {
            let known = Arc::clone(known);
            names.entry(Arc::clone(&known)).or_default().holds += 1;
            return (known, false);
        }
        let name: Name = name.into();
        let listeners = Listeners { holds: 1, home, ..Listeners::default() };
        names.insert(Arc::clone(&name), listeners);
        (name, true)
    }

    /// The session that held `name` listens from now on.
    pub fn join(&mut self, kind: Kind, name: &Name, session: u32) {
        let Some(listeners) = self.names[kind as usize].get_mut(name) else { return };
        listeners.holds -= 1;
        if listeners.sessions.insert(session) {
            self.registry.join(kind, name);
        }
    }

    /// The session that held `name` does without; where it was listened to, if it is gone now.
    pub fn release(&mut self, kind: Kind, name: &Name) -> Option<Gone> {
        let listeners = self.names[kind as usize].get_mut(name)?;
        listeners.holds -= 1;
        self.remove_unused(kind, name)
    }

    /// The session listens no longer; where the name was listened to, if it is gone now.
    pub fn leave(&mut self, kind: Kind, name: &Name, session: u32) -> Option<Gone> {
        let listeners = self.names[kind as usize].get_mut(name)?;
        if listeners.sessions.remove(&session) {
            self.registry.leave(kind, name);
        }
        self.remove_unused(kind, name)
    }

    fn remove_unused(&mut self, kind: Kind, name: &Name) -> Option<Gone> {
        let listeners = self.names[kind as usize].get(name)?;
        if listeners.holds > 0 || !listeners.sessions.is_empty() {
            return None;
        }
        let home = listeners.home;
        let (name, _) = self.names[kind as usize].remove_entry(name)?;
        Some(Gone { name, home })
    }

    /// The sessions that hear what comes for `name`.
    #[inline]
    pub fn listeners(&self, kind: Kind, name: &[u8]) -> Option<&BTreeSet<u32>> {
        self.names[kind as usize].get(name).map(|listeners| &listeners.sessions)
    }

    /// All names of `kind`.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &Name> {
        self.names[kind as usize].keys()
    }

    /// All names of `kind` to be listened to on `shard`.
    pub fn wanted(&self, kind: Kind, shard: usize) -> impl Iterator<Item = &Name> {
        let names = self.names[kind as usize].iter();
        names
            .filter(move |(_, listeners)| kind != Kind::Shard || listeners.home == Some(shard))
            .map(|(name, _)| name)
    }

    /// Whether nobody listens to anything, or is about to.
    pub fn is_idle(&self) -> bool {
        self.names.iter().all(HashMap::is_empty)
    }

    /// Whether anything is to be listened to on `shard`.
    pub fn wants(&self, shard: usize) -> bool {
        Kind::ALL.into_iter().any(|kind| self.wanted(kind, shard).next().is_some())
    }

    /// Appends a command to `shard` to `out`.
    pub fn send(
        &mut self,
        shard: usize,
        verb: Verb,
        kind: Kind,
        names: &[Name],
        out: &mut Vec<u8>,
    ) {
        if verb == Verb::Subscribe {
            names.iter().for_each(|name| self.registry.link(kind, name, shard));
        }
        self.upstreams[shard].send(verb, kind, names, out);
    }

    /// Takes `shard`'s confirmation of one name.
    pub fn confirm(&mut self, shard: usize, by: &[u8]) -> Result<(), Unexpected> {
        if let Some(sent) = self.upstreams[shard].confirm(by)? {
            self.settled(shard, &sent);
        }
        Ok(())
    }

    /// Takes `shard`'s error for the oldest command, which is returned.
    pub fn refuse(&mut self, shard: usize) -> Option<Sent> {
        let sent = self.upstreams[shard].settle()?;
        self.settled(shard, &sent);
        Some(sent)
    }

    fn settled(&self, shard: usize, sent: &Sent) {
        let names = sent.names.iter();
        match sent.verb {
            Verb::Subscribe => names.for_each(|name| self.registry.heard(sent.kind, name)),
            Verb::Unsubscribe => {
                names.for_each(|name| self.registry.unlink(sent.kind, name, shard));
            }
            Verb::Ping => {}
        }
    }

    /// The link to `shard` is over, and with it all that was asked for on it.
    pub fn lose(&mut self, shard: usize) {
        if !self.upstreams[shard].is_up {
            return;
        }
        for sent in self.upstreams[shard].lose() {
            self.settled(shard, &sent);
        }
        for kind in Kind::ALL {
            self.wanted(kind, shard).for_each(|name| self.registry.unlink(kind, name, shard));
        }
    }

    /// The shard is gone: nothing is heard from it any more, and its link is nobody's.
    pub fn let_go(&mut self, shard: usize) {
        self.lose(shard);
        self.upstreams[shard].link = None;
    }

    /// Gives the shard channels to the shards that `home` says; those that moved.
    pub fn rehome(&mut self, home: impl Fn(&[u8]) -> Option<usize>) -> Vec<Moved> {
        let mut moved = Vec::new();
        for (name, listeners) in &mut self.names[Kind::Shard as usize] {
            let (from, to) = (listeners.home, home(name));
            if from != to {
                listeners.home = to;
                moved.push(Moved { name: Arc::clone(name), from, to });
            }
        }
        moved
    }
}

/// A name that nobody listens to any more.
#[derive(Debug)]
pub struct Gone {
    /// The name.
    pub name: Name,
    /// Its shard, when it is a shard channel.
    pub home: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_and_gone_once() {
        let mut hub = Hub::new(1, Arc::default());
        let (name, is_new) = hub.hold(Kind::Channel, b"c", None);
        assert!(is_new && !hub.hold(Kind::Channel, b"c", None).1);
        assert!(hub.hold(Kind::Pattern, b"c", None).1, "patterns are apart");
        hub.join(Kind::Channel, &name, 4);
        assert!(hub.release(Kind::Channel, &name).is_none(), "session 4 listens");
        assert_eq!(hub.listeners(Kind::Channel, b"c"), Some(&BTreeSet::from([4])));
        assert_eq!(hub.leave(Kind::Channel, &name, 4).map(|gone| gone.name), Some(name));
        assert_eq!(hub.listeners(Kind::Channel, b"c"), None);
    }

    #[test]
    fn the_registry_is_even_after_a_loss_and_all_have_left() {
        let mut hub = Hub::new(2, Arc::default());
        let mut out = Vec::new();
        for (at, text) in [b"a", b"b", b"c"].into_iter().enumerate() {
            let (name, _) = hub.hold(Kind::Channel, text, None);
            hub.join(Kind::Channel, &name, at as u32);
            for shard in 0..2 {
                hub.upstreams[shard].is_up = true;
                hub.send(shard, Verb::Subscribe, Kind::Channel, &[Arc::clone(&name)], &mut out);
            }
        }
        let name = hub.leave(Kind::Channel, &b"a"[..].into(), 0).expect("one listened").name;
        for shard in 0..2 {
            hub.send(shard, Verb::Unsubscribe, Kind::Channel, &[Arc::clone(&name)], &mut out);
        }
        assert_eq!(hub.registry.listeners(Kind::Channel, b"a", 1).links, 1, "not confirmed");
        (0..3).for_each(|_| assert_eq!(hub.confirm(1, b"subscribe"), Ok(())));
        assert_eq!(hub.confirm(1, b"unsubscribe"), Ok(()));
        assert_eq!(hub.registry.listeners(Kind::Channel, b"a", 1).links, 0);
        hub.lose(0);
        hub.lose(1);
        hub.lose(1);
        assert!(!hub.registry.is_empty());
        hub.leave(Kind::Channel, &b"b"[..].into(), 1);
        hub.leave(Kind::Channel, &b"c"[..].into(), 2);
        assert!(hub.registry.is_empty());
    }

    #[test]
    fn shard_channels_follow_the_ring() {
        let mut hub = Hub::new(2, Arc::default());
        let (name, _) = hub.hold(Kind::Shard, b"c", Some(0));
        assert!(hub.wants(0) && !hub.wants(1));
        let moved = hub.rehome(|_| Some(1));
        assert_eq!(moved, [Moved { name, from: Some(0), to: Some(1) }]);
        assert!(!hub.wants(0) && hub.wants(1));
        assert!(hub.rehome(|_| Some(1)).is_empty());
    }
}
