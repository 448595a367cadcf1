//! The scripts and libraries of functions that clients loaded, kept so that a shard which lacks one
//! gets it from circlet: one that was restarted, replaced, or out when it was loaded.
//!
//! ```text
//!   EVALSHA sha ─► loaded over this connection? ─ yes ─► EVALSHA
//!                    └ no ─► in the cache? ─ yes ─► SCRIPT LOAD, EVALSHA
//!                                            └ no ─► EVALSHA, and the shard says what it knows
//! ```
//!
//! A connection that is new knows nothing, whatever its shard may know: to load a script twice does
//! no harm. So no restart of a shard can go unnoticed.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use dashmap::DashMap;
use sha1::{Digest, Sha1};

/// What EVALSHA names a script by.
pub type Sha = [u8; 20];

/// The scripts of one pool, shared by all workers.
#[derive(Debug)]
pub struct ScriptCache {
    scripts: DashMap<Sha, Script>,
    ages: Mutex<Ages>,
    limit: AtomicUsize,
    flushes: AtomicU64,
    losses: AtomicU64,
    /// Its libraries of functions.
    pub libraries: Libraries,
}

#[derive(Debug)]
struct Script {
    body: Bytes,
    /// A shard has taken it: it is a script and not just the argument of some EVAL.
    is_proven: bool,
}

/// The scripts, oldest first, and their bytes in total.
#[derive(Debug, Default)]
struct Ages {
    oldest_first: VecDeque<Sha>,
    bytes: usize,
}

impl ScriptCache {
    /// An empty one for so many bytes of scripts.
    pub fn new(limit: u64) -> Self {
        Self {
            scripts: DashMap::new(),
            ages: Mutex::default(),
            limit: AtomicUsize::new(limit as usize),
            flushes: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            libraries: Libraries::default(),
        }
    }

    /// There is room for so many bytes from now on; what is too much goes with the next script.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit as usize, Ordering::Relaxed);
    }

    /// Keeps a script, and drops the oldest where it needs their room. `is_proven` says that a
    /// shard has taken it.
    pub fn keep(&self, sha: Sha, body: &[u8], is_proven: bool) {
        let limit = self.limit.load(Ordering::Relaxed);
        if body.len() > limit {
            return;
        }
        let mut ages = lock(&self.ages);
        if let Some(mut known) = self.scripts.get_mut(&sha) {
            known.is_proven |= is_proven;
            return;
        }
        let body = Bytes::copy_from_slice(body);
        ages.bytes += body.len() + OVERHEAD;
        ages.oldest_first.push_back(sha);
        self.scripts.insert(sha, Script { body, is_proven });
        while ages.bytes > limit {
            let Some(oldest) = ages.oldest_first.pop_front() else { break };
            if let Some((_, script)) = self.scripts.remove(&oldest) {
                ages.bytes -= script.body.len() + OVERHEAD;
                self.losses.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// The script, if it is kept.
    pub fn body(&self, sha: &Sha) -> Option<Bytes> {
        self.scripts.get(sha).map(|script| script.body.clone())
    }

    /// Whether the script is kept, and if so whether a shard has taken it.
    pub fn is_proven(&self, sha: &Sha) -> Option<bool> {
        self.scripts.get(sha).map(|script| script.is_proven)
    }

    /// Forgets all scripts, and that any connection has loaded any.
    pub fn flush(&self) {
        let mut ages = lock(&self.ages);
        self.scripts.clear();
        *ages = Ages::default();
        self.flushes.fetch_add(1, Ordering::Release);
        self.losses.fetch_add(1, Ordering::Release);
    }

    /// How often all was forgotten.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }
}

/// The libraries of functions that clients loaded.
#[derive(Debug, Default)]
pub struct Libraries {
    code: Mutex<BTreeMap<Vec<u8>, Bytes>>,
    version: AtomicU64,
}

impl Libraries {
    /// A shard has taken the library.
    pub fn keep(&self, name: &[u8], code: &[u8]) {
        lock(&self.code).insert(name.to_vec(), Bytes::copy_from_slice(code));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The library is to be deleted.
    pub fn forget(&self, name: &[u8]) {
        lock(&self.code).remove(name);
    }

    /// All libraries are to be deleted.
    pub fn clear(&self) {
        lock(&self.code).clear();
    }

    /// Changes with each library that is kept; 0 at first.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The code of all.
    pub fn all(&self) -> Vec<Bytes> {
        lock(&self.code).values().cloned().collect()
    }
}

/// What was loaded over one connection.
#[derive(Debug, Default)]
pub struct Loaded {
    scripts: HashSet<Sha>,
    /// The cache's `flushes` when the first of them was loaded.
    flushes: u64,
    /// The version of the libraries that were loaded.
    pub libraries: u64,
}

impl Loaded {
    /// Whether the script was loaded since all were flushed for the last time.
    pub fn has(&self, sha: &Sha, flushes: u64) -> bool {
        self.flushes == flushes && self.scripts.contains(sha)
    }

    /// Takes note of a script that was loaded.
    pub fn add(&mut self, sha: Sha, flushes: u64) {
        if self.flushes != flushes {
            self.scripts.clear();
            self.flushes = flushes;
        }
        self.scripts.insert(sha);
    }
}

/// The scripts that a worker has seen in EVAL: known ones are told from new ones by a hash that
/// costs a fraction of SHA-1.
#[derive(Debug, Default)]
pub struct Seen {
    hashes: HashSet<u64>,
    hasher: RandomState,
    losses: u64,
}

impl Seen {
    /// Keeps the script in the cache when it is new.
    pub fn see(&mut self, body: &[u8], cache: &ScriptCache) {
        if body.len() > cache.limit.load(Ordering::Relaxed) {
            return;
        }
        let losses = cache.losses.load(Ordering::Acquire);
        if self.losses != losses || self.hashes.len() >= MOST_SEEN {
            self.hashes.clear();
            self.losses = losses;
        }
        if self.hashes.insert(self.hasher.hash_one(body)) {
            cache.keep(Sha1::digest(body).into(), body, false);
        }
    }
}

/// Reads the forty hexadecimal digits, in any case, that EVALSHA is given.
pub fn parse_sha(digits: &[u8]) -> Option<Sha> {
    let mut sha = Sha::default();
    if digits.len() != 2 * sha.len() {
        return None;
    }
    for (byte, pair) in sha.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    Some(sha)
}

/// A thread that panicked left nothing half done: the maps are changed by single calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What a script costs beside its bytes.
const OVERHEAD: usize = 128;
/// After this many different scripts a worker starts over: whoever makes a new script for every call
/// must not make it grow for ever.
const MOST_SEEN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(body: &[u8]) -> Sha {
        Sha1::digest(body).into()
    }

    #[test]
    fn shas_are_read_in_any_case() {
        let digits = b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        assert_eq!(parse_sha(digits), Some(sha(b"return 1")));
        assert_eq!(parse_sha(&digits.to_ascii_uppercase()), Some(sha(b"return 1")));
        for bad in [&digits[1..], &b"g0e1f9fabfc9d4800c877a703b823ac0578ff8db"[..], b""] {
            assert_eq!(parse_sha(bad), None);
        }
    }

    #[test]
    fn the_oldest_are_dropped_past_the_limit() {
        let cache = ScriptCache::new(3 * (1000 + OVERHEAD as u64));
        let body = |number: u8| vec![number; 1000];
        (0..5).for_each(|number| cache.keep([number; 20], &body(number), true));
        let kept: Vec<bool> = (0..5).map(|number| cache.body(&[number; 20]).is_some()).collect();
        assert_eq!(kept, [false, false, true, true, true]);
        cache.keep([9; 20], &vec![0; 5000], true);
        assert_eq!(cache.body(&[9; 20]), None, "larger than the limit");
        assert!(cache.body(&[4; 20]).is_some(), "and nothing was dropped for it");
        assert_eq!(lock(&cache.ages).bytes, 3 * (1000 + OVERHEAD));
        cache.flush();
        assert_eq!((cache.scripts.len(), lock(&cache.ages).bytes), (0, 0));
    }

    #[test]
    fn a_script_that_was_dropped_is_kept_again_when_it_is_seen_again() {
        let cache = ScriptCache::new(1000);
        let mut seen = Seen::default();
        seen.see(b"return 1", &cache);
        assert_eq!(cache.is_proven(&sha(b"return 1")), Some(false));
        cache.keep([7; 20], &[0; 800], true);
        assert_eq!(cache.is_proven(&sha(b"return 1")), None);
        seen.see(b"return 1", &cache);
        assert!(cache.body(&sha(b"return 1")).is_some());
        cache.flush();
        seen.see(b"return 1", &cache);
        assert!(cache.body(&sha(b"return 1")).is_some());
    }

    #[test]
    fn a_flush_makes_every_connection_forget() {
        let mut loaded = Loaded::default();
        loaded.add([1; 20], 0);
        assert!(loaded.has(&[1; 20], 0) && !loaded.has(&[1; 20], 1));
        loaded.add([2; 20], 1);
        assert!(loaded.has(&[2; 20], 1) && !loaded.has(&[1; 20], 1));
    }
}
