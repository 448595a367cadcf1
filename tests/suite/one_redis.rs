//! Through circlet over three shards, the same replies as from one Redis.
