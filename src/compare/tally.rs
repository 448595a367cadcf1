//! Two opinions on where keys are, counted.

use std::collections::BTreeMap;

use super::keys::Key;
use super::places::Place;

/// How far two agree on the places of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many keys both look for on the same shard, by shard.
    pub agree: BTreeMap<usize, usize>,
    /// The others, by where the proxy looks and where the other does.
    pub disagree: BTreeMap<Pair, Examples>,
    /// Keys of which it cannot be told.
    pub unknown: usize,
    /// Keys for which the proxy had an error instead, and the errors.
    pub failed: BTreeMap<String, usize>,
}

/// Where the proxy looks for a key, and where it is expected to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Where the proxy looks.
    pub seen: Seen,
    /// The shard where it is expected to.
    pub expected: usize,
}

/// Where a proxy looks, of which it is known that it is elsewhere than expected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// On this shard.
    At(usize),
    /// On a server that is no shard of the file; its `run_id`, if that is known.
    Stranger(String),
    /// Somewhere else.
    Elsewhere,
}

/// Keys of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    /// How many.
    pub count: usize,
    /// The first few.
    pub keys: Vec<Vec<u8>>,
}

impl Tally {
    /// Compares the places where a proxy looks with the shards that are expected, key by key.
    pub fn new(keys: &[Key], places: &[Place], expected: &[Option<usize>]) -> Self {
        let mut tally = Self::default();
        for ((key, place), expected) in keys.iter().zip(places).zip(expected) {
            match expected {
                Some(expected) => tally.count(&key.bytes, place, *expected),
                None => tally.unknown += 1,
            }
        }
        tally
    }

    /// Keys that were compared.
    pub fn compared(&self) -> usize {
        self.agreeing() + self.disagreeing()
    }

    /// Keys that both look for on the same shard.
    pub fn agreeing(&self) -> usize {
        self.agree.values().sum()
    }

    /// Keys that the two look for on different shards.
    pub fn disagreeing(&self) -> usize {
        self.disagree.values().map(|examples| examples.count).sum()
    }

    /// Keys for which the proxy had an error.
    pub fn failing(&self) -> usize {
        self.failed.values().sum()
    }

    fn count(&mut self, key: &[u8], place: &Place, expected: usize) {
        let seen = match place {
            Place::At(shard) if *shard == expected => {
                *self.agree.entry(expected).or_default() += 1;
                return;
            }
            Place::At(shard) => Seen::At(*shard),
            Place::Stranger(id) => Seen::Stranger(id.clone()),
            Place::NotAt(holders) if holders.contains(&expected) => Seen::Elsewhere,
            Place::NotAt(_) | Place::Unknown => {
                self.unknown += 1;
                return;
            }
            Place::Failed(error) => {
                *self.failed.entry(error.clone()).or_default() += 1;
                return;
            }
        };
        self.disagree.entry(Pair { seen, expected }).or_default().add(key);
    }
}

impl Examples {
    /// Counts one more.
    pub fn add(&mut self, key: &[u8]) {
        self.count += 1;
        if self.keys.len() < SHOWN {
            self.keys.push(key.to_vec());
        }
    }
}

const SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key { bytes: text.into(), found_on: None }
    }

    #[test]
    fn every_key_is_counted_once_and_only_what_is_known_disagrees() {
        let places = [
            Place::At(0),
            Place::At(1),
            Place::Stranger("x".into()),
            Place::NotAt(vec![0]),
            Place::NotAt(vec![1]),
            Place::Unknown,
            Place::Failed("ERR".into()),
        ];
        let keys: Vec<Key> = ["a", "b", "c", "d", "e", "f", "g"].map(key).into();
        let tally = Tally::new(&keys, &places, &[Some(0); 7]);
        assert_eq!((tally.agreeing(), tally.disagreeing(), tally.unknown), (1, 3, 2));
        assert_eq!((tally.compared(), tally.failing()), (4, 1));
        let at_one = &tally.disagree[&Pair { seen: Seen::At(1), expected: 0 }];
        assert_eq!((at_one.count, &at_one.keys[..]), (1, &[b"b".to_vec()][..]));
        assert!(tally.disagree.contains_key(&Pair { seen: Seen::Elsewhere, expected: 0 }));
        let nowhere = Tally::new(&keys[..1], &places[..1], &[None]);
        assert_eq!((nowhere.unknown, nowhere.compared()), (1, 0));
    }
}
