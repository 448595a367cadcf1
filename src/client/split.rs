//! Commands whose keys live on several shards and whose parts add up to the same result.
//!
//! ```text
//!   MGET a b c d ─┬─► shard 0: MGET a c ─┐
//!                 └─► shard 1: MGET b d ─┴─► merge: a b c d
//! ```

use bytes::Bytes;

use super::dispatch;
use super::intake::frame;
use crate::command::keys::{self, KeyError, KeyPositions};
use crate::command::{Keys, RequestPolicy, Spec};
use crate::reply::{Merge, MergeKind};
use crate::resp::{Request, write};
use crate::shard::link::Part;
use crate::worker::Worker;

/// Working space that one split leaves for the next.
#[derive(Debug, Default)]
pub struct SplitBuffers {
    /// The arguments that start a key's group, by shard.
    by_shard: Vec<Vec<u32>>,
    /// The part number of each shard that has keys.
    part_of: Vec<u16>,
}

/// The positions of a command's keys.
pub fn positions(spec: &Spec, request: &Request<'_>) -> Result<KeyPositions, KeyError> {
    let mut found = KeyPositions::new();
    keys::find(spec, request, &mut found)?;
    Ok(found)
}

impl Worker {
    /// A command that may be split by key.
    pub(crate) fn split(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        whole: Option<&Bytes>,
    ) {
        debug_assert_eq!(spec.request_policy, RequestPolicy::MultiShard);
        let keys = match positions(spec, request) {
            Ok(keys) => keys,
            Err(error) => return self.say(number, |writer| writer.error(&error.to_string())),
        };
        let Some(shards) = self.shards_of(number, request, &keys) else {
            return self.refuse_nobody_in(number);
        };
        if shards.iter().all(|&shard| shard == shards[0]) {
            return self.forward(number, Some(usize::from(shards[0])), frame(request, whole));
        }
        self.send_parts(number, spec, request, &keys, shards);
    }

    /// The shard of each key; `None` when no shard is in.
    fn shards_of(&self, number: u32, request: &Request<'_>, keys: &[u32]) -> Option<Vec<u16>> {
        let ring = self.ring_of(number);
        keys.iter().map(|&key| ring.shard(request.arg(key as usize)).map(|s| s as u16)).collect()
    }

    fn send_parts(
        &mut self,
        number: u32,
        spec: &'static Spec,
        request: &Request<'_>,
        keys: &[u32],
        mut shards: Vec<u16>,
    ) {
        let mut split = std::mem::take(&mut self.split);
        let parts = split.sort(keys, &mut shards, self.pool_of(number).config.servers.len());
        let merge = merge(spec, shards, parts);
        let sequence = self.sessions[number as usize].replies.reserve_merge(Box::new(merge));
        let group = group_of(spec);
        for (shard, firsts) in split.by_shard.iter().enumerate() {
            if !firsts.is_empty() {
                let part = Part::Of(split.part_of[shard]);
                self.send_with(number, sequence, part, shard, |link, spare| {
                    link.output.write_with(spare, |out| write_part(out, request, firsts, group));
                    0
                });
            }
        }
        self.split = split;
    }
}

impl SplitBuffers {
    /// Sorts the keys by shard, turns `shards` into part numbers, and returns how many parts
    /// there are.
    fn sort(&mut self, keys: &[u32], shards: &mut [u16], servers: usize) -> usize {
        self.by_shard.iter_mut().for_each(Vec::clear);
        self.by_shard.resize_with(self.by_shard.len().max(servers), Vec::new);
        self.part_of.clear();
        self.part_of.resize(servers, 0);
        let mut parts = 0;
        for (&key, shard) in keys.iter().zip(shards) {
            let place = usize::from(*shard);
            if self.by_shard[place].is_empty() {
                self.part_of[place] = parts;
                parts += 1;
            }
            self.by_shard[place].push(key);
            *shard = self.part_of[place];
        }
        usize::from(parts)
    }
}

/// The parts of a command that is split over these shards of its keys, each with its shard, and how
/// their replies become one.
pub fn parts(
    spec: &Spec,
    request: &Request<'_>,
    keys: &[u32],
    mut shards: Vec<u16>,
    servers: usize,
) -> (Vec<(usize, Vec<u8>)>, Merge) {
    let mut split = SplitBuffers::default();
    let count = split.sort(keys, &mut shards, servers);
    let merge = merge(spec, shards, count);
    let mut parts = vec![(0, Vec::new()); count];
    for (shard, firsts) in split.by_shard.iter().enumerate().filter(|(_, keys)| !keys.is_empty()) {
        let (place, part) = &mut parts[usize::from(split.part_of[shard])];
        *place = shard;
        write_part(part, request, firsts, group_of(spec));
    }
    (parts, merge)
}

/// Writes the command with only the groups of arguments that start at `firsts`.
fn write_part(out: &mut Vec<u8>, request: &Request<'_>, firsts: &[u32], group: usize) {
    write::array_head_into(out, 1 + firsts.len() * group);
    out.extend_from_slice(request.wire_arg(0));
    for &first in firsts {
        for index in first as usize..first as usize + group {
            out.extend_from_slice(request.wire_arg(index));
        }
    }
}

/// Arguments that belong to one key: MSET's value goes with it.
fn group_of(spec: &Spec) -> usize {
    match spec.keys {
        Keys::Range { step, .. } => step,
        _ => 1,
    }
}

/// How the parts of a split command become one reply: as those of all shards do, but for arrays,
/// whose elements go back into the order of the keys.
fn merge(spec: &Spec, order: Vec<u16>, parts: usize) -> Merge {
    match dispatch::merge_kind(spec) {
        MergeKind::Concatenate | MergeKind::Interleave => Merge::interleave(order, parts),
        kind => Merge::new(kind, parts),
    }
}
