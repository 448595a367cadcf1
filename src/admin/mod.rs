//! What an operator sees: statistics, logs, signals, the process.

pub mod counters;
pub mod describe;
pub mod heap;
pub mod histogram;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod page;
pub mod process;
pub mod signals;
pub mod stats;
pub mod web;
