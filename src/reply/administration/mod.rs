//! How the replies of all shards to CONFIG GET, SLOWLOG GET, LATENCY, MEMORY, MODULE LIST and
//! ROLE become one.
//!
//! Pure: whole frames in, a frame out. A function here that returns `None` has met a reply of
//! another shape than Redis's, and what it wrote so far is to be thrown away.

mod config;
mod latency;
mod memory;
mod modules;
mod role;
mod slowlog;
mod texts;

pub use config::config_get;
pub use latency::{latency_histogram, latency_history, latency_latest};
pub use memory::memory_stats;
pub use modules::module_list;
pub use role::role;
pub use slowlog::slowlog_get;
pub use texts::{TextOf, texts};

use super::frame;
use super::merge::write_mismatch;
use crate::resp::reply::{Elements, elements};
use crate::resp::{Protocol, Writer};

/// The merged reply. An error of a shard is the answer, whatever the others said.
pub fn merged(
    replies: &[&[u8]],
    protocol: Protocol,
    merge: impl FnOnce(&[&[u8]], &mut Writer<'_>) -> Option<()>,
) -> Vec<u8> {
    if let Some(error) = replies.iter().find(|reply| frame::is_error(reply)) {
        return error.to_vec();
    }
    let mut out = Vec::new();
    if merge(replies, &mut Writer::new(&mut out, protocol)).is_none() {
        out.clear();
        write_mismatch(&mut out, replies.first().copied().unwrap_or_default());
    }
    out
}

/// The pairs of a map, or of an array that is one in RESP2.
fn pairs(reply: &[u8]) -> Option<impl Iterator<Item = (&[u8], &[u8])>> {
    let mut elements: Elements<'_> = elements(reply)?;
    Some(std::iter::from_fn(move || Some((elements.next()?, elements.next()?))))
}

/// The integers of an array.
fn integers(reply: &[u8]) -> Option<Vec<i64>> {
    elements(reply)?.map(frame::integer).collect()
}

#[cfg(test)]
mod tests;
