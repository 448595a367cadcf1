//! Placements laid out over the values of the hash: what two of them have in common is then a walk
//! along both.

use super::placement::Placement;

/// A placement as intervals of hashes that repeat after some length.
#[derive(Debug)]
pub struct Intervals {
    /// Up to which offset (exclusive) in a period the hashes are whose, ascending.
    ends: Vec<(u64, u16)>,
    /// After how many hashes it begins again.
    pub period: u64,
}

impl Intervals {
    /// The intervals of a placement that has few of them.
    pub fn of(placement: &Placement) -> Option<Self> {
        match placement {
            Placement::Ketama(continuum) => {
                let end = |(value, owner): (u32, u16)| (u64::from(value) + 1, owner);
                Some(Self { ends: continuum.arcs().map(end).collect(), period: 1 << 32 })
            }
            Placement::Modula(list) => {
                let ends: Vec<_> = list.runs().map(|(_, end, owner)| (end, owner)).collect();
                let period = ends.last().map_or(1, |&(end, _)| end);
                Some(Self { ends, period })
            }
            _ => None,
        }
    }

    /// How many intervals there are below `until`, about.
    pub fn count(&self, until: u64) -> u64 {
        until.div_ceil(self.period).saturating_mul(self.ends.len() as u64)
    }

    fn iter(&self) -> impl Iterator<Item = (u64, u16)> + '_ {
        let turn = |turn: u64| {
            let start = turn.saturating_mul(self.period);
            self.ends.iter().map(move |&(end, owner)| (start.saturating_add(end), owner))
        };
        (0..).flat_map(turn)
    }
}

/// Walks along both up to hash `until` (exclusive), and tells of each interval in which neither
/// changes: whose it is in the one, whose in the other, where it begins and ends.
pub fn walk(
    one: &Intervals,
    other: &Intervals,
    until: u64,
    mut tell: impl FnMut(u16, u16, u64, u64),
) {
    let (mut ones, mut others) = (one.iter(), other.iter());
    let (mut here, mut there) = (ones.next(), others.next());
    let mut low = 0;
    while let (Some((end, owner)), Some((other_end, other_owner))) = (here, there) {
        let high = end.min(other_end).min(until);
        if high > low {
            tell(owner, other_owner, low, high);
            low = high;
        }
        if low >= until {
            return;
        }
        if end <= high {
            here = ones.next();
        }
        if other_end <= high {
            there = others.next();
        }
    }
}
