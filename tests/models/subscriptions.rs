//! Subscriptions: whoever listens hears, whoever does not hears nothing; shards are asked for a name
//! once, and the registry's counts are those of the world, whatever is lost and in whatever order
//! shards confirm.
//!
//! The hub is the real one; the model keeps who wants what, and what each shard has confirmed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use circlet::subscription::{Hub, Kind, Name, Registry, Verb};
use proptest::prelude::*;

use crate::{cases, wire};

const SESSIONS: u32 = 4;
const SHARDS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// A session subscribes: it holds the name and listens once all shards have confirmed.
    Hold {
        session: u32,
        kind: usize,
        name: u8,
    },
    /// It joins what it holds, or does without.
    Settle {
        session: u32,
        joins: bool,
    },
    Leave {
        session: u32,
        kind: usize,
        name: u8,
    },
    Confirm {
        shard: usize,
        count: usize,
    },
    Refuse {
        shard: usize,
    },
    Lose {
        shard: usize,
    },
    Open {
        shard: usize,
    },
    Rehome {
        name: u8,
        shard: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (session, kind, name, shard) = (0..SESSIONS, 0..3usize, 0..3u8, 0..SHARDS);
    prop_oneof![
        6 => (session.clone(), kind.clone(), name.clone())
            .prop_map(|(session, kind, name)| Step::Hold { session, kind, name }),
        6 => (session.clone(), prop::bool::weighted(0.8))
            .prop_map(|(session, joins)| Step::Settle { session, joins }),
        4 => (session, kind, name.clone())
            .prop_map(|(session, kind, name)| Step::Leave { session, kind, name }),
        8 => (shard.clone(), 1..4usize).prop_map(|(shard, count)| Step::Confirm { shard, count }),
        1 => shard.clone().prop_map(|shard| Step::Refuse { shard }),
        2 => shard.clone().prop_map(|shard| Step::Lose { shard }),
        3 => shard.clone().prop_map(|shard| Step::Open { shard }),
        1 => (name, shard).prop_map(|(name, shard)| Step::Rehome { name, shard }),
    ]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn whoever_listens_is_heard_of_and_counted(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.play(step);
            world.check();
        }
        world.finish();
    }
}

type Key = (usize, u8);

struct World {
    hub: Hub,
    registry: Arc<Registry>,
    /// What each session is about to listen to.
    held: BTreeMap<u32, Vec<Key>>,
    listening: BTreeMap<Key, BTreeSet<u32>>,
    /// The shard of each shard channel.
    homes: [usize; 3],
    shards: Vec<Shard>,
}

/// A shard's side of the link.
#[derive(Default)]
struct Shard {
    is_up: bool,
    /// Names it was asked for, and those it is to confirm, each with its command's length.
    asked: VecDeque<(Verb, Key, usize)>,
    /// What it will send once all that was asked is done.
    wanted: BTreeSet<Key>,
    /// Names that our registry must count as linked: asked for, and the end of it not confirmed.
    linked: BTreeMap<Key, usize>,
    unheard: BTreeMap<Key, usize>,
    /// Those of the oldest command's names that it has confirmed.
    confirmed: Vec<(Verb, Key)>,
}

impl World {
    fn new() -> Self {
        let registry = Arc::new(Registry::default());
        let mut world = Self {
            hub: Hub::new(SHARDS, Arc::clone(&registry)),
            registry,
            held: BTreeMap::new(),
            listening: BTreeMap::new(),
            homes: [0, 1, 2],
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        };
        (0..SHARDS).for_each(|shard| world.open(shard));
        world
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Hold { session, kind, name } => self.hold(session, (kind, name)),
            Step::Settle { session, joins } => self.settle(session, joins),
            Step::Leave { session, kind, name } => self.leave(session, (kind, name)),
            Step::Confirm { shard, count } => (0..count).for_each(|_| self.confirm(shard)),
            Step::Refuse { shard } => self.refuse(shard),
            Step::Lose { shard } => self.lose(shard),
            Step::Open { shard } => self.open(shard),
            Step::Rehome { name, shard } => self.rehome(name, shard),
        }
    }

    /// The shards that have to be asked for a name.
    fn concerned(&self, key: Key) -> Vec<usize> {
        match KINDS[key.0] {
            Kind::Shard => vec![self.homes[usize::from(key.1)]],
            _ => (0..SHARDS).collect(),
        }
    }

    fn is_wanted(&self, key: Key) -> bool {
        let listens = self.listening.get(&key).is_some_and(|sessions| !sessions.is_empty());
        listens || self.held.values().flatten().any(|held| *held == key)
    }

    fn hold(&mut self, session: u32, key: Key) {
        let listens = self.listening.get(&key).is_some_and(|all| all.contains(&session));
        let holds = self.held.get(&session).is_some_and(|held| held.contains(&key));
        if listens || holds {
            return;
        }
        let home = (KINDS[key.0] == Kind::Shard).then(|| self.homes[usize::from(key.1)]);
        let (_, is_new) = self.hub.hold(KINDS[key.0], &[key.1], home);
        assert_eq!(is_new, !self.is_wanted(key), "a name is new when nobody wanted it");
        if is_new {
            self.tell_shards(Verb::Subscribe, key);
        }
        self.held.entry(session).or_default().push(key);
    }

    fn settle(&mut self, session: u32, joins: bool) {
        for key in self.held.remove(&session).unwrap_or_default() {
            if joins {
                self.hub.join(KINDS[key.0], &name(key), session);
                self.listening.entry(key).or_default().insert(session);
            } else {
                let gone = self.hub.release(KINDS[key.0], &name(key));
                self.gone(key, gone.is_some());
            }
        }
    }

    fn leave(&mut self, session: u32, key: Key) {
        let Some(all) = self.listening.get_mut(&key) else { return };
        if all.remove(&session) {
            let gone = self.hub.leave(KINDS[key.0], &name(key), session);
            self.gone(key, gone.is_some());
        }
    }

    fn gone(&mut self, key: Key, is_gone: bool) {
        assert_eq!(is_gone, !self.is_wanted(key), "a name is gone when nobody wants it");
        if is_gone {
            self.tell_shards(Verb::Unsubscribe, key);
        }
    }

    fn tell_shards(&mut self, verb: Verb, key: Key) {
        for shard in self.concerned(key) {
            self.tell(shard, verb, &[key]);
        }
    }

    /// Sends one command with names of one kind to a shard that is up.
    fn tell(&mut self, at: usize, verb: Verb, keys: &[Key]) {
        let shard = &mut self.shards[at];
        if !shard.is_up || keys.is_empty() {
            return;
        }
        let names: Vec<Name> = keys.iter().map(|&key| name(key)).collect();
        let (kind, mut out) = (KINDS[keys[0].0], Vec::new());
        self.hub.send(at, verb, kind, &names, &mut out);
        let (args, length) = wire::command(&out).unwrap();
        assert_eq!((args.len(), length), (1 + keys.len(), out.len()));
        for (place, &key) in keys.iter().enumerate() {
            shard.asked.push_back((verb, key, keys.len() - place));
            if verb == Verb::Subscribe {
                assert!(shard.wanted.insert(key), "a shard was asked twice for {key:?}");
                *shard.linked.entry(key).or_default() += 1;
                *shard.unheard.entry(key).or_default() += 1;
            } else {
                assert!(shard.wanted.remove(&key), "{key:?} was given up that was not asked for");
            }
        }
        assert!(self.hub.upstreams[at].wait(at as u32), "what was just asked is not confirmed");
    }

    fn confirm(&mut self, at: usize) {
        let Some((verb, key, left)) = self.shards[at].asked.pop_front() else {
            assert!(self.hub.confirm(at, b"subscribe").is_err(), "nothing was asked");
            return;
        };
        let kind = KINDS[key.0];
        let (by, other) = match verb {
            Verb::Subscribe => (kind.subscribe(), kind.unsubscribe()),
            _ => (kind.unsubscribe(), kind.subscribe()),
        };
        assert!(self.hub.confirm(at, other.as_bytes()).is_err(), "the wrong word was taken");
        assert_eq!(self.hub.confirm(at, by.as_bytes()), Ok(()));
        self.shards[at].confirmed.extend([(verb, key)]);
        if left == 1 {
            self.command_done(at);
        }
    }

    fn refuse(&mut self, at: usize) {
        // A command that is refused is refused before it is confirmed in part.
        let Some(&(_, _, names)) = self.shards[at].asked.front() else { return };
        if !self.shards[at].confirmed.is_empty() {
            return;
        }
        let sent = self.hub.refuse(at).expect("a command was due");
        assert_eq!(sent.names.len(), names);
        for _ in 0..names {
            let (verb, key, _) = self.shards[at].asked.pop_front().unwrap();
            self.shards[at].confirmed.push((verb, key));
        }
        self.command_done(at);
    }

    /// The oldest command is confirmed whole, or refused: our counts follow.
    fn command_done(&mut self, at: usize) {
        let shard = &mut self.shards[at];
        for (verb, key) in std::mem::take(&mut shard.confirmed) {
            match verb {
                Verb::Subscribe => take_one(&mut shard.unheard, key),
                _ => take_one(&mut shard.linked, key),
            }
        }
        assert_eq!(self.hub.upstreams[at].next_ready(), Some(at as u32), "it was waited for");
        assert_eq!(self.hub.upstreams[at].next_ready(), None, "one command, one that waits");
    }

    fn lose(&mut self, at: usize) {
        self.hub.lose(at);
        let waiting = std::iter::from_fn(|| self.hub.upstreams[at].next_ready()).count();
        let shard = &mut self.shards[at];
        let unfinished = shard.asked.iter().filter(|(_, _, left)| *left == 1).count();
        assert_eq!(waiting, unfinished, "whoever waits goes on, and nobody else");
        *shard = Shard::default();
        assert!(
            self.hub.confirm(at, b"subscribe").is_err(),
            "a link that is over confirms nothing"
        );
    }

    /// The link is opened anew and asked for all that is wanted.
    fn open(&mut self, at: usize) {
        if std::mem::replace(&mut self.shards[at].is_up, true) {
            return;
        }
        self.hub.upstreams[at].is_up = true;
        for kind in KINDS {
            let mut wanted: Vec<Key> =
                self.hub.wanted(kind, at).map(|name| (kind as usize, name[0])).collect();
            wanted.sort_unstable();
            let all = (0..3).map(|name| (kind as usize, name));
            let is_due = |key: &Key| self.is_wanted(*key) && self.concerned(*key).contains(&at);
            assert_eq!(wanted, all.filter(is_due).collect::<Vec<_>>());
            self.tell(at, Verb::Subscribe, &wanted);
        }
    }

    fn rehome(&mut self, channel: u8, to: usize) {
        let from = std::mem::replace(&mut self.homes[usize::from(channel)], to);
        let homes = self.homes;
        let moved = self.hub.rehome(|name| Some(homes[usize::from(name[0])]));
        let key = (Kind::Shard as usize, channel);
        assert_eq!(!moved.is_empty(), from != to && self.is_wanted(key));
        for moved in moved {
            assert_eq!((moved.from, moved.to, moved.name[0]), (Some(from), Some(to), channel));
            self.tell(from, Verb::Unsubscribe, &[key]);
            self.tell(to, Verb::Subscribe, &[key]);
        }
    }

    fn check(&self) {
        let mut is_empty = true;
        for key in (0..3).flat_map(|kind| (0..3).map(move |name| (kind, name))) {
            let (kind, nobody) = (KINDS[key.0], BTreeSet::new());
            let listening = self.listening.get(&key).unwrap_or(&nobody);
            assert_eq!(self.hub.listeners(kind, &[key.1]).unwrap_or(&nobody), listening);
            let unheard: usize = self.shards.iter().filter_map(|one| one.unheard.get(&key)).sum();
            let mut linked = 0;
            for (at, shard) in self.shards.iter().enumerate() {
                let audience = self.registry.listeners(kind, &[key.1], at);
                let links = shard.linked.get(&key).copied().unwrap_or(0);
                assert_eq!((audience.clients, audience.links), (listening.len(), links));
                linked += links;
                assert_eq!(audience.unheard, unheard, "{key:?}");
                let wanted = self.is_wanted(key) && self.concerned(key).contains(&at);
                assert_eq!(shard.wanted.contains(&key), wanted && shard.is_up, "{key:?} on {at}");
            }
            is_empty &= linked == 0 && listening.is_empty();
        }
        assert_eq!(self.registry.is_empty(), is_empty, "the registry holds what nobody needs");
        let is_idle = (0..3).all(|kind| (0..3).all(|name| !self.is_wanted((kind, name))));
        assert_eq!(self.hub.is_idle(), is_idle);
    }

    /// All leave, all is confirmed, and nothing is left.
    fn finish(&mut self) {
        (0..SESSIONS).for_each(|session| self.settle(session, false));
        for session in 0..SESSIONS {
            for key in (0..3).flat_map(|kind| (0..3).map(move |name| (kind, name))) {
                self.leave(session, key);
            }
        }
        for shard in 0..SHARDS {
            while !self.shards[shard].asked.is_empty() {
                self.confirm(shard);
            }
        }
        self.check();
        assert!(self.registry.is_empty() && self.hub.is_idle());
    }
}

fn name(key: Key) -> Name {
    Arc::from(&[key.1][..])
}

fn take_one(counts: &mut BTreeMap<Key, usize>, key: Key) {
    let count = counts.get_mut(&key).expect("it was counted");
    *count -= 1;
    if *count == 0 {
        counts.remove(&key);
    }
}

const KINDS: [Kind; 3] = Kind::ALL;
