//! What an operator sees: statistics and logs.

pub mod counters;
pub mod stats;
