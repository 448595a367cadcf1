//! What an operator sees: statistics and logs.

pub mod counters;
