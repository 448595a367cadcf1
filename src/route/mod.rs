//! Which shard a key lives on.
//!
//! ```text
//! key ─ tag ─▶ the bytes that count ─ hash ─▶ u32 ─ ketama | modula | random | rendezvous ─▶ shard
//! ```
//!
//! [`Ring`](ring::Ring) is the whole way; the modules are its stations. Nothing here knows a
//! socket, and nothing here is specific to Redis: [`RingSpec`](ring::RingSpec) places anything
//! that has a name and a weight.

mod balance;
pub mod cursor;
pub mod flows;
pub mod hash;
mod ketama;
mod modula;
mod permutation;
mod placement;
mod rendezvous;
pub mod ring;
pub mod tag;

pub use ring::{MAX_SERVERS, Ring, RingSpec};
