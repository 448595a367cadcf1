//! Health: who is in, who is out, and what an operator sees of it.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used)]

mod fakes;
mod fleet;
mod rules;
mod shards;
mod stats;
mod watch;
