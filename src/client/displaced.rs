//! Keys that live elsewhere than at home, because their shard is out or on its way back.
//!
//! All sessions of a pool carry [`Special::DISPLACED`] while there are such keys, and none else:
//! with all shards in, nobody asks.

use super::session::Special;
use super::split::positions;
use crate::command::Spec;
use crate::resp::Request;
use crate::route::ring::Displaced;
use crate::worker::Worker;

impl Worker {
    /// Takes note of a command's keys that do not live at home.
    #[cold]
    pub(super) fn note_displaced(&mut self, number: u32, spec: &Spec, request: &Request<'_>) {
        if self.displaced_keys(number, spec, request).is_empty() {
            return;
        }
        let pool = usize::from(self.sessions[number as usize].pool);
        self.counters.pools[pool].displaced_requests.add(1);
    }

    /// The command's keys that do not live at home: which argument it is, and where it lives. None
    /// if its keys cannot be told.
    fn displaced_keys(
        &self,
        number: u32,
        spec: &Spec,
        request: &Request<'_>,
    ) -> Vec<(u32, Displaced)> {
        let Ok(keys) = positions(spec, request) else { return Vec::new() };
        let ring = self.ring_of(number);
        let displaced = |&key: &u32| Some((key, ring.displaced(request.arg(key as usize))?));
        keys.iter().filter_map(displaced).collect()
    }

    /// Marks the pool's sessions if any key may live elsewhere than at home, and only then.
    pub(crate) fn mark_displaced(&mut self, pool: usize) {
        let displaces = self.pools[pool].displaces();
        for (_, session) in &mut self.sessions {
            if usize::from(session.pool) != pool {
                continue;
            }
            match displaces {
                true => session.special.set(Special::DISPLACED),
                false => session.special.clear(Special::DISPLACED),
            }
        }
    }
}
