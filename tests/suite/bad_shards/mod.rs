//! What shards send that they should not, and who is told.
