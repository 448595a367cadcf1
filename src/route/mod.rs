//! Which shard a key lives on.
//!
//! ```text
//! key ─ tag ─▶ the bytes that count ─ hash ─▶ u32 ─ ketama | modula | random | rendezvous ─▶ shard
//! ```
//!
//! [`Ring`](ring::Ring) is the whole way; the modules are its stations. Nothing here knows a
//! socket, and nothing here is specific to Redis: [`RingSpec`](ring::RingSpec) places anything
//! that has a name and a weight.

mod arcs;
mod balance;
pub mod cursor;
pub mod explain;
pub mod hash;
mod ketama;
mod modula;
pub mod moves;
mod permutation;
pub mod picture;
mod placement;
mod rendezvous;
pub mod ring;
pub mod tag;

pub use explain::{Explanation, Spot};
pub use moves::Moves;
pub use ring::{MAX_SERVERS, Ring, RingSpec};
