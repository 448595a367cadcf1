//! The monitor over real shards that are killed, stopped, slowed, locked, and brought back.
