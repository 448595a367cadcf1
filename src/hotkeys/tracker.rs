//! What one worker knows of the keys of one pool.

use super::big::BigKeys;
use super::hitters::{Hitters, Noted};

/// See the module. All counts have the weight of their moment ([`Decay`](super::decay::Decay)).
#[derive(Debug, Default)]
pub struct Tracker {
    /// The weighted seconds that had passed when it was begun.
    pub since: f64,
    /// The keys that came most often.
    pub hitters: Hitters,
    /// Those with the largest transfers.
    pub big: BigKeys,
    /// Commands that had keys.
    pub commands: f32,
    /// Keys of commands, by shard.
    pub keys_of_shards: Vec<f32>,
}

impl Tracker {
    /// A command with keys was looked at; each of them is told with [`Self::key`].
    pub fn command(&mut self, stands_for: f32, weight: f32) {
        self.commands += stands_for * weight;
    }

    /// A key of a command.
    pub fn key(&mut self, noted: &Noted<'_>, weight: f32) {
        if self.keys_of_shards.len() <= noted.shard {
            self.keys_of_shards.resize(noted.shard + 1, 0.0);
        }
        self.keys_of_shards[noted.shard] += noted.stands_for * weight;
        self.hitters.note(noted, weight);
    }

    /// Multiplies all counts.
    pub fn multiply(&mut self, factor: f32) {
        self.hitters.multiply(factor);
        self.big.multiply(factor);
        self.since *= f64::from(factor);
        self.commands *= factor;
        self.keys_of_shards.iter_mut().for_each(|keys| *keys *= factor);
    }
}
