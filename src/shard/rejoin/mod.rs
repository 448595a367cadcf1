//! The return of a shard that was out: what was written elsewhere meanwhile must not be forgotten.
//!
//! ```text
//!   out       workers: SADD record key, then the write ──► stand-in       (client/record.rs)
//!   back      rounds:  record ─► taken ─► clean | move ─► carried         traffic goes on
//!   switch    workers hold what concerns the keys, what is in flight drains,
//!             the last round, the new ring is published, the hold ends    milliseconds
//!   after     carried ─► removed from the stand-ins
//! ```
//!
//! The record lives where the values live: in a set on the stand-in, in the database of the write,
//! sent on the same link right before it. So several proxies share it, a proxy that restarts has
//! lost nothing, and where a stand-in dies its record dies with its values. Nobody remembers what he
//! recorded: whoever works on a record may take it away at any moment, and the next write records
//! its key anew.
//!
//! An entry goes from set to set on its stand-in and is never without one before its effect is
//! done; a return that fails anywhere is begun again from the sets ([`carry`]).

mod bounds;
mod carry;
mod course;
mod crew;
pub mod record;
mod returns;
pub mod step;
mod survey;
pub mod suspicion;
mod wire;

pub use returns::{News, Returns};

/// Why a return cannot go on, for a log line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);
