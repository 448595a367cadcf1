//! The keys of which the most bytes go over the wire at once.

use std::time::{Duration, Instant};

use super::key::{Key, KeyRef};

/// A transfer of a key: a command that carries much for it, or its reply.
#[derive(Debug, Clone, Copy)]
pub struct Transfer<'a> {
    /// The key.
    pub key: KeyRef<'a>,
    /// Its [`hash`](super::key::hash).
    pub hash: u64,
    /// Where it lives.
    pub shard: usize,
    /// The command's name in the command table.
    pub command: &'static str,
    /// Bytes on the wire.
    pub bytes: usize,
    /// For how many transfers it stands.
    pub stands_for: f32,
}

/// A key with large transfers.
#[derive(Debug, Clone)]
pub struct BigKey {
    /// The key.
    pub key: Key,
    /// Its hash.
    pub hash: u64,
    /// Bytes of its largest transfer.
    pub largest: usize,
    /// Bytes of its last large transfer.
    pub last: usize,
    /// When that was.
    pub seen: Instant,
    /// Bytes of its large transfers, each with the weight of its moment
    /// ([`Decay`](super::decay::Decay)).
    pub bytes: f32,
    /// Where it lived then.
    pub shard: usize,
    /// The command of the last one.
    pub command: &'static str,
}

/// The list of them: those with the largest transfers that were seen lately.
#[derive(Debug, Default)]
pub struct BigKeys {
    listed: Vec<BigKey>,
}

impl BigKeys {
    /// Takes note of a transfer if it is large; `weight` is that of the moment.
    pub fn note(&mut self, transfer: &Transfer<'_>, weight: f32, now: Instant) {
        if transfer.bytes < BIG {
            return;
        }
        let known = self.listed.iter().position(|big| big.hash == transfer.hash);
        let Some(place) = known.or_else(|| self.place_for(transfer, now)) else { return };
        let big = &mut self.listed[place];
        big.largest = big.largest.max(transfer.bytes);
        big.bytes += transfer.bytes as f32 * transfer.stands_for * weight;
        (big.last, big.seen) = (transfer.bytes, now);
        (big.shard, big.command) = (transfer.shard, transfer.command);
    }

    /// The keys on the list that had a large transfer in the last [`REMEMBERED`], in no order.
    pub fn listed(&self, now: Instant) -> impl Iterator<Item = &BigKey> {
        self.listed.iter().filter(move |big| !big.is_over(now))
    }

    /// Multiplies all weighted figures.
    pub fn multiply(&mut self, factor: f32) {
        self.listed.iter_mut().for_each(|big| big.bytes *= factor);
    }

    /// A place on the list for a new key: a free one, that of one which is over, or the smallest's.
    fn place_for(&mut self, transfer: &Transfer<'_>, now: Instant) -> Option<usize> {
        let new = BigKey {
            key: Key::default(),
            hash: transfer.hash,
            largest: transfer.bytes,
            last: 0,
            seen: now,
            bytes: 0.0,
            shard: transfer.shard,
            command: transfer.command,
        };
        if self.listed.len() < LISTED {
            self.listed.push(new);
            let place = self.listed.len() - 1;
            self.listed[place].key.set(transfer.key);
            return Some(place);
        }
        let rank = |big: &BigKey| if big.is_over(now) { 0 } else { big.largest };
        let place = (0..LISTED).min_by_key(|&place| rank(&self.listed[place]))?;
        let leaving = &mut self.listed[place];
        if rank(leaving) >= transfer.bytes {
            return None;
        }
        let mut key = std::mem::take(&mut leaving.key);
        key.set(transfer.key);
        *leaving = BigKey { key, ..new };
        Some(place)
    }
}

impl BigKey {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) > REMEMBERED
    }
}

/// Transfers of so many bytes are large: from here on circlet itself no longer copies them.
pub const BIG: usize = 16 * 1024;
/// A key is told of for so long after its last large transfer.
pub const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// Keys on a worker's list.
pub const LISTED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn note(keys: &mut BigKeys, name: usize, bytes: usize, now: Instant) {
        let name_text = name.to_string();
        let key = name_text.as_bytes().into();
        let hash = name as u64;
        let transfer = Transfer { key, hash, shard: 0, command: "get", bytes, stands_for: 2.0 };
        keys.note(&transfer, 1.0, now);
    }

    fn largest(keys: &BigKeys, now: Instant) -> Vec<usize> {
        let mut found: Vec<usize> = keys.listed(now).map(|big| big.largest).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn the_largest_stay_however_many_come() {
        let (mut keys, now) = (BigKeys::default(), Instant::now());
        for name in 0..10_000 {
            note(&mut keys, name, BIG + (name * 7919) % 10_000, now);
        }
        let most: Vec<usize> = (BIG + 10_000 - LISTED..BIG + 10_000).collect();
        assert_eq!(largest(&keys, now), most);
    }

    #[test]
    fn small_ones_are_none_of_its_business() {
        let (mut keys, now) = (BigKeys::default(), Instant::now());
        note(&mut keys, 1, BIG - 1, now);
        assert_eq!(keys.listed(now).count(), 0);
    }

    #[test]
    fn a_key_that_was_not_seen_for_long_makes_room() {
        let (mut keys, start) = (BigKeys::default(), Instant::now());
        for name in 0..LISTED {
            note(&mut keys, name, BIG * 100, start);
        }
        let later = start + REMEMBERED + Duration::from_secs(1);
        assert_eq!(keys.listed(later).count(), 0);
        note(&mut keys, LISTED, BIG, later);
        assert_eq!(largest(&keys, later), [BIG]);
    }

    #[test]
    fn a_keys_largest_last_and_sum_are_told_apart() {
        let (mut keys, now) = (BigKeys::default(), Instant::now());
        for bytes in [BIG, BIG * 3, BIG * 2] {
            note(&mut keys, 1, bytes, now);
        }
        let big = keys.listed(now).next().expect("it is there");
        assert_eq!((big.largest, big.last), (BIG * 3, BIG * 2));
        assert_eq!(big.bytes, (BIG * 6 * 2) as f32);
    }
}
