//! Which shard a key lives on: hash functions, distributions, the ring.

pub mod ring;
