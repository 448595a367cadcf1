//! Shards that die, hang, reset, slow down and return, under load.
