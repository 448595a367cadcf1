//! Health: who is in, who is out, and what an operator sees of it.

mod fakes;
mod fleet;
mod rules;
mod shards;
mod stats;
mod watch;
