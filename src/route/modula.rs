//! twemproxy's modula: the remainder of the hash over a list in which every server stands as
//! often as its weight says.

use std::sync::Arc;

use super::placement::Placed;

/// The weighted list, kept as where each server's run in it ends: weights may be in the millions.
#[derive(Debug, Clone)]
pub struct Modula {
    members: Arc<[u16]>,
    ends: Arc<[u64]>,
}

impl Modula {
    /// The list of those of the servers whose indices are listed; at least one must be.
    pub fn build(servers: &[Placed], members: &[u16]) -> Self {
        let mut end = 0;
        let run_end = |&member: &u16| {
            end += u64::from(servers[usize::from(member)].weight);
            end
        };
        Self { ends: members.iter().map(run_end).collect(), members: members.into() }
    }

    /// The shard at the place in the list that the hash falls on.
    #[inline]
    pub fn owner(&self, hash: u32) -> u16 {
        let place = u64::from(hash) % self.length();
        self.members[self.ends.partition_point(|&end| end <= place)]
    }

    /// How many of the hashes below `range` each of `shards` shards owns.
    pub fn owned(&self, range: u64, shards: usize) -> Vec<u64> {
        let (rounds, rest) = (range / self.length(), range % self.length());
        let mut owned = vec![0; shards];
        let mut start = 0;
        for (&member, &end) in self.members.iter().zip(self.ends.iter()) {
            let in_last_round = rest.clamp(start, end) - start;
            owned[usize::from(member)] = rounds * (end - start) + in_last_round;
            start = end;
        }
        owned
    }

    /// The place in the list that the hash falls on, and how long the list is.
    pub fn place(&self, hash: u32) -> (u64, u64) {
        (u64::from(hash) % self.length(), self.length())
    }

    /// The runs of the list, as (where it starts, where it ends, whose it is).
    pub fn runs(&self) -> impl Iterator<Item = (u64, u64, u16)> + '_ {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        let ends = self.ends.iter().copied().zip(self.members.iter().copied());
        starts.zip(ends).map(|(start, (end, member))| (start, end, member))
    }

    fn length(&self) -> u64 {
        self.ends.last().copied().unwrap_or(1)
    }
}
