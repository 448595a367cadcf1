//! What clients send that they should not, and what they read.

pub mod crowds;
mod excess;
mod protocol;
mod silence;

/// A shard that is stopped, or a machine that is busy, is not down for these tests.
const PATIENT: &str = "heartbeat_timeout: 60000";
