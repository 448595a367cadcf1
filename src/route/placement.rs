//! What a distribution does with a hash, among the shards that are in.

use std::sync::Arc;

use super::ketama::Continuum;
use super::modula::Modula;
use super::rendezvous::{Slots, mix};
use crate::config::{Distribution, Ejection};

/// What the ring knows of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What places it.
    pub name: Box<str>,
    /// At least 1.
    pub weight: u32,
}

/// A hash in, a shard out: how, and among whom.
#[derive(Debug, Clone)]
pub enum Placement {
    /// No shard is in.
    Nobody,
    /// One shard has every key, and no key is hashed.
    One(u16),
    /// The first live point at or after the hash.
    Ketama(Continuum),
    /// The place in the weighted list.
    Modula(Modula),
    /// The place in the weighted list, or where its shard is out, a slot.
    ModulaSkipping(Box<Skipping>),
    /// Any of these, whatever the hash.
    Random(Arc<[u16]>),
    /// The owner of the hash's slot.
    Rendezvous(Slots),
    /// Shards on their way back have a part of their keys.
    Ramping(Box<Ramping>),
}

/// Two placements, and how far the way from one to the other is.
#[derive(Debug, Clone)]
pub struct Ramping {
    /// By shard: how much of its keys it has.
    shares: Box<[Share]>,
    /// With the shards that are on their way back.
    with: Placement,
    /// Without them: where the keys live that they have not got back.
    without: Placement,
}

/// How much of its own keys a shard has, in 255ths: [`NOTHING`] when it is out, [`ALL`] when it is
/// in, and something between while it is on its way back.
pub type Share = u8;
/// The share of a shard that is out.
pub const NOTHING: Share = 0;
/// The share of a shard that is in.
pub const ALL: Share = u8::MAX;

/// A weighted list of which some shards are out.
#[derive(Debug, Clone)]
pub struct Skipping {
    list: Modula,
    live: Vec<bool>,
    /// Where the keys of the shards that are out live: every slot's owner is live.
    displaced: Slots,
}

/// What stays when shards go out and come in.
#[derive(Debug)]
pub struct Plan {
    servers: Vec<Placed>,
    /// The indices of those that take part. Where two have the same claim to a place the earlier
    /// one here has it, so that the keys do not hang on the indices.
    order: Vec<u16>,
    distribution: Distribution,
    ejection: Ejection,
    home: Placement,
}

impl Plan {
    /// The plan of those of the servers whose indices are listed.
    pub fn new(
        servers: Vec<Placed>,
        order: Vec<u16>,
        distribution: Distribution,
        ejection: Ejection,
    ) -> Self {
        let home = Placement::of(distribution, &servers, &order);
        Self { servers, order, distribution, ejection, home }
    }

    /// Whether it comes out the same.
    pub fn is_like(&self, other: &Self) -> bool {
        let placed = |plan: &Self| -> Vec<Placed> {
            plan.order.iter().map(|&index| plan.servers[usize::from(index)].clone()).collect()
        };
        self.servers.len() == other.servers.len()
            && self.order == other.order
            && placed(self) == placed(other)
            && (self.distribution, self.ejection) == (other.distribution, other.ejection)
    }

    /// Where keys live when all are in.
    #[inline]
    pub fn home(&self) -> &Placement {
        &self.home
    }

    /// The servers, in the order of the shards' indices.
    pub fn servers(&self) -> &[Placed] {
        &self.servers
    }

    /// How a hash becomes a shard.
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// Where keys live while each shard has this share of its own.
    pub fn with_shares(&self, shares: &[Share]) -> Placement {
        let live = |least: Share| -> Vec<bool> { shares.iter().map(|&s| s >= least).collect() };
        let with = self.with_live(&live(NOTHING + 1));
        let is_ramping = shares.iter().any(|share| !matches!(*share, NOTHING | ALL));
        if !is_ramping || self.distribution == Distribution::Random {
            return with;
        }
        match self.with_live(&live(ALL)) {
            // There is nobody to have the rest of the keys.
            Placement::Nobody => with,
            without => {
                Placement::Ramping(Box::new(Ramping { shares: shares.into(), with, without }))
            }
        }
    }

    /// Where keys live while only the shards for which `live` is true are in.
    pub fn with_live(&self, live: &[bool]) -> Placement {
        let is_live = |member: &u16| live[usize::from(*member)];
        let members: Vec<u16> = self.order.iter().copied().filter(is_live).collect();
        match (members.as_slice(), self.ejection) {
            ([], _) => Placement::Nobody,
            _ if members.len() == self.order.len() => self.home.clone(),
            ([only], _) => Placement::One(*only),
            (_, Ejection::Rebuild) => Placement::of(self.distribution, &self.servers, &members),
            (_, Ejection::Skip) => self.skipping(live, &members),
        }
    }

    /// How much each server has of what the distribution shares out.
    pub fn points(&self) -> Vec<usize> {
        let servers = self.servers.len();
        match (&self.home, self.distribution) {
            (Placement::Ketama(continuum), _) => continuum.points(servers),
            (Placement::Rendezvous(slots), _) => slots.points(servers),
            (_, Distribution::Modula) => {
                let mut points = vec![0; servers];
                for &index in &self.order {
                    points[usize::from(index)] = self.servers[usize::from(index)].weight as usize;
                }
                points
            }
            _ => equal_parts(&self.order, servers).iter().map(|&part| part as usize).collect(),
        }
    }

    fn skipping(&self, live: &[bool], members: &[u16]) -> Placement {
        match &self.home {
            Placement::Ketama(home) => Placement::Ketama(self.skipping_points(home, live)),
            Placement::Rendezvous(slots) => {
                Placement::Rendezvous(slots.with_live(&self.servers, members, live))
            }
            Placement::Modula(list) => Placement::ModulaSkipping(Box::new(Skipping {
                list: list.clone(),
                live: live.to_vec(),
                displaced: Slots::build(&self.servers, members),
            })),
            _ => Placement::of(self.distribution, &self.servers, members),
        }
    }

    /// The continuum with dead points skipped. Where all servers with points are out, those too
    /// light for a point get a continuum of their own, again skipped rather than rebuilt.
    fn skipping_points(&self, home: &Continuum, live: &[bool]) -> Continuum {
        let mut pointless = self.order.clone();
        let mut continuum = home.clone();
        loop {
            if let Some(continuum) = continuum.with_live(live) {
                return continuum;
            }
            let points = continuum.points(self.servers.len());
            pointless.retain(|&server| points[usize::from(server)] == 0);
            continuum = Continuum::build(&self.servers, &pointless);
        }
    }
}

impl Placement {
    /// Shares everything out among those of the servers whose indices are listed.
    fn of(distribution: Distribution, servers: &[Placed], members: &[u16]) -> Self {
        match (members, distribution) {
            ([], _) => Self::Nobody,
            ([only], _) => Self::One(*only),
            (_, Distribution::Ketama) => Self::Ketama(Continuum::build(servers, members)),
            (_, Distribution::Modula) => Self::Modula(Modula::build(servers, members)),
            (_, Distribution::Random) => Self::Random(members.into()),
            (_, Distribution::Rendezvous) => Self::Rendezvous(Slots::build(servers, members)),
        }
    }

    /// The shard for a hash, which is computed only where it matters.
    #[inline(always)]
    pub fn shard(&self, hash: impl FnOnce() -> u32) -> Option<usize> {
        let shard = match self {
            Self::Ketama(continuum) => continuum.owner(hash()),
            Self::Rendezvous(slots) => slots.owner(hash()),
            Self::Modula(list) => list.owner(hash()),
            Self::ModulaSkipping(skipping) => skipping.owner(hash()),
            Self::Random(members) => members[fastrand::usize(..members.len())],
            Self::One(only) => *only,
            Self::Ramping(ramping) => return ramping.shard(hash()),
            Self::Nobody => return None,
        };
        Some(usize::from(shard))
    }

    /// The part of the hashes below `range` that each of `shards` shards has.
    pub fn shares(&self, range: u64, shards: usize) -> Vec<f64> {
        match self {
            Self::Nobody => vec![0.0; shards],
            Self::One(only) => parts(&equal_parts(&[*only], shards)),
            Self::Random(members) => parts(&equal_parts(members, shards)),
            Self::Ketama(continuum) => parts(&continuum.owned(range, shards)),
            Self::Modula(list) => parts(&list.owned(range, shards)),
            Self::Rendezvous(slots) => parts(&slots.owned(range, shards)),
            Self::ModulaSkipping(skipping) => skipping.shares(range, shards),
            Self::Ramping(ramping) => ramping.parts(range, shards),
        }
    }
}

impl Ramping {
    #[cold]
    fn shard(&self, hash: u32) -> Option<usize> {
        let owner = self.with.shard(|| hash)?;
        // The next share takes in the hashes that this one has, so a key moves once.
        let slice = (mix(hash ^ RAMP_SALT) >> 24) as u8;
        let has_it = self.shares[owner] == ALL || slice < self.shares[owner];
        if has_it { Some(owner) } else { self.without.shard(|| hash) }
    }

    /// As the slices are spread evenly over whatever a shard owns.
    fn parts(&self, range: u64, shards: usize) -> Vec<f64> {
        let with = self.with.shares(range, shards);
        let without = self.without.shares(range, shards);
        let has = |shard: usize| f64::from(self.shares[shard]) / f64::from(ALL);
        let back: f64 = (0..shards).map(|shard| with[shard] * (1.0 - has(shard))).sum();
        let missing: f64 = (0..shards).map(|shard| (without[shard] - with[shard]).max(0.0)).sum();
        let heir = |shard: usize| match missing {
            0.0 => 0.0,
            all => back * (without[shard] - with[shard]).max(0.0) / all,
        };
        (0..shards).map(|shard| with[shard] * has(shard) + heir(shard)).collect()
    }
}

impl Skipping {
    #[inline]
    fn owner(&self, hash: u32) -> u16 {
        let owner = self.list.owner(hash);
        if self.live[usize::from(owner)] { owner } else { self.displaced.owner(hash) }
    }

    fn shares(&self, range: u64, shards: usize) -> Vec<f64> {
        let home = parts(&self.list.owned(range, shards));
        let displaced = parts(&self.displaced.owned(range, shards));
        let gone: f64 =
            home.iter().zip(&self.live).filter(|&(_, &live)| !live).map(|(share, _)| share).sum();
        let share = |shard: usize| match self.live[shard] {
            true => home[shard] + gone * displaced[shard],
            false => 0.0,
        };
        (0..shards).map(share).collect()
    }
}

/// Which slice of its shard's keys a hash is in must not hang on which slot it has.
const RAMP_SALT: u32 = 0x9e37_79b9;

fn equal_parts(members: &[u16], shards: usize) -> Vec<u64> {
    let mut owned = vec![0; shards];
    for &member in members {
        owned[usize::from(member)] = 1;
    }
    owned
}

fn parts(owned: &[u64]) -> Vec<f64> {
    let all: u64 = owned.iter().sum();
    owned.iter().map(|&owned| owned as f64 / all as f64).collect()
}
