//! Where learned specs and their words live: as long as the process, each once.
//!
//! A fleet has one set of commands, however many shards tell of it and however often, so what is
//! kept does not grow with time. A peer that makes up new ones for ever meets the limit.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::command::spec::{KeySpec, Spec};

/// What all pools of the process may have learned, in bytes: some 10,000 commands. The biggest
/// modules have a hundred.
const MAX_KEPT: usize = 8 * 1024 * 1024;

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Kept {
    texts: HashSet<&'static str>,
    /// By name: one name may stand for different commands in different pools.
    specs: HashMap<&'static str, Vec<&'static Spec>>,
    bytes: usize,
}

/// `text` for as long as the process lives; `None` past the limit.
pub fn text(text: &str) -> Option<&'static str> {
    let mut kept = kept();
    if let Some(known) = kept.texts.get(text) {
        return Some(known);
    }
    kept.pay(text.len() + ENTRY)?;
    let text: &'static str = Box::leak(text.into());
    kept.texts.insert(text);
    Some(text)
}

/// `spec` for as long as the process lives; `None` past the limit.
pub fn spec(spec: Spec) -> Option<&'static Spec> {
    let mut kept = kept();
    let known = kept.specs.get(spec.name).and_then(|known| known.iter().find(|one| ***one == spec));
    if let Some(known) = known {
        return Some(known);
    }
    kept.pay(size(&spec))?;
    let spec: &'static Spec = Box::leak(Box::new(spec));
    kept.specs.entry(spec.name).or_default().push(spec);
    Some(spec)
}

impl Kept {
    fn pay(&mut self, bytes: usize) -> Option<()> {
        self.bytes = self.bytes.checked_add(bytes).filter(|sum| *sum <= MAX_KEPT)?;
        Some(())
    }
}

fn kept() -> MutexGuard<'static, Kept> {
    // Nothing that is done under the lock leaves it half done.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size(spec: &Spec) -> usize {
    let own = size_of::<Spec>() + ENTRY;
    let keys = spec.key_specs.len() * size_of::<KeySpec>();
    let tips = spec.tips.len() * size_of::<&str>();
    own + keys + tips + spec.subcommands.iter().map(size).sum::<usize>()
}

/// What a place in a hash table costs, about.
const ENTRY: usize = 48;
