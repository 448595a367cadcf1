//! Two proxies over the same shards, and one outage.
