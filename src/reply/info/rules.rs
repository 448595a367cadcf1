//! What each field of INFO means for several shards: one table.

/// How the values that the shards have for a field become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// By shape: integers and decimals are added, lists of `name=number` too; texts are `Text`.
    ByShape,
    /// The greatest number.
    Max,
    /// The least number.
    Min,
    /// The text that all have, or the different ones with `|` between.
    Text,
    /// The least version: what works on it works on all.
    Version,
    /// `ok` only when all say so, else what the others say.
    Worst,
    /// The sum of limits, 0 (none) when any has none.
    Limit,
    /// What circlet says of itself; left out when it says nothing.
    Own,
    /// The bytes of the field without `_human`, for people.
    Human,
    /// One merged field by another, two decimals.
    Ratio(&'static str, &'static str),
    /// One merged field as a share of another, with `%`; from the other the third is taken away.
    Share(&'static str, &'static str, &'static str),
    /// `calls=…,usec=…,usec_per_call=…`: added, the quotient anew.
    Calls,
    /// `keys=…,expires=…,avg_ttl=…`: added, the mean weighted by `expires`.
    Keyspace,
    /// `p50=…,p99=…`: the worst shard's, for percentiles do not add up.
    Percentiles,
    /// One line a module: those that all shards have.
    Modules,
    /// Not shown: it is about one server's own peers.
    Drop,
}

/// The rule of a field.
pub fn rule(section: &str, field: &str) -> Rule {
    let fits = |name: &str| match name.strip_suffix('*') {
        Some(prefix) => field.starts_with(prefix),
        None => field == name,
    };
    let listed = RULES
        .iter()
        .find(|(of, names, _)| (of.is_empty() || *of == section) && names.split(' ').any(fits));
    match listed {
        Some((_, _, rule)) => *rule,
        None if field.ends_with("_human") => Rule::Human,
        None => Rule::ByShape,
    }
}

/// Section (empty: any), fields (`*` ends a prefix), rule; the first line that fits counts. What is
/// not listed is `Human` when its name ends so, else `ByShape`.
const RULES: &[(&str, &str, Rule)] = &[
    ("server", "redis_version valkey_version", Rule::Version),
    ("server", "arch_bits hz configured_hz server_name availability_zone", Rule::Text),
    ("server", "io_threads_active", Rule::Max),
    ("server", "redis_git_* redis_build_id monotonic_clock multiplexing_api", Rule::Text),
    ("server", "atomicvar_api gcc_version os", Rule::Text),
    // Whatever else a server says of itself is not true of circlet.
    ("server", "*", Rule::Own),
    ("clients", "connected_clients maxclients cluster_connections blocked_clients", Rule::Own),
    ("clients", "client_recent_max_*", Rule::Max),
    ("memory", "used_memory_peak_perc", Rule::Share("used_memory", "used_memory_peak", "")),
    (
        "memory",
        "used_memory_dataset_perc",
        Rule::Share("used_memory_dataset", "used_memory", "used_memory_startup"),
    ),
    // Shards may share a machine.
    ("memory", "total_system_memory", Rule::Max),
    ("memory", "maxmemory", Rule::Limit),
    ("memory", "allocator_frag_ratio", Rule::Ratio("allocator_active", "allocator_allocated")),
    ("memory", "allocator_rss_ratio", Rule::Ratio("allocator_resident", "allocator_active")),
    ("memory", "rss_overhead_ratio", Rule::Ratio("used_memory_rss", "allocator_resident")),
    ("memory", "mem_fragmentation_ratio", Rule::Ratio("used_memory_rss", "used_memory")),
    // Every shard has the same scripts and functions.
    ("memory", "number_of_*", Rule::Max),
    ("memory", "active_defrag_running", Rule::Max),
    // A client that waits for the end of loading can use the shards that have loaded.
    ("persistence", "loading loading_loaded_perc", Rule::Min),
    ("persistence", "async_loading loading_eta_seconds", Rule::Max),
    ("persistence", "rdb_last_save_time loading_start_time aof_enabled", Rule::Min),
    ("persistence", "rdb_saves rdb_changes_since_last_save", Rule::ByShape),
    ("persistence", "rdb_last_bgsave_status aof_last_bgrewrite_status", Rule::Worst),
    ("persistence", "aof_last_write_status", Rule::Worst),
    ("persistence", "rdb_bgsave_in_progress aof_rewrite_in_progress", Rule::Max),
    ("persistence", "aof_rewrite_scheduled module_fork_in_progress", Rule::Max),
    ("persistence", "rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec", Rule::Max),
    ("persistence", "aof_last_rewrite_time_sec aof_current_rewrite_time_sec", Rule::Max),
    ("persistence", "aof_rewrites_consecutive_failures current_cow_size_age", Rule::Max),
    ("persistence", "current_fork_perc aof_pending_rewrite", Rule::Max),
    ("stats", "total_connections_received", Rule::Own),
    ("stats", "expired_stale_perc latest_fork_usec", Rule::Max),
    ("stats", "current_eviction_exceeded_time current_active_defrag_time", Rule::Max),
    // A pattern listens on every shard.
    ("stats", "pubsub_patterns", Rule::Max),
    ("replication", "master_repl_offset repl_backlog_size repl_backlog_histlen", Rule::ByShape),
    ("replication", "repl_backlog_active", Rule::Max),
    (
        "replication",
        "role connected_slaves master_failover_state master_replid master_replid2",
        Rule::Own,
    ),
    ("replication", "second_repl_offset repl_backlog_first_byte_offset", Rule::Own),
    ("replication", "*", Rule::Drop),
    ("modules", "module", Rule::Modules),
    ("commandstats", "*", Rule::Calls),
    ("latencystats", "*", Rule::Percentiles),
    ("cluster", "*", Rule::Own),
    ("keyspace", "*", Rule::Keyspace),
];

/// The sections of Redis 7.0, as its INFO orders them.
pub const SECTIONS: &[&str] = &[
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "modules",
    "commandstats",
    "errorstats",
    "latencystats",
    "cluster",
    "keyspace",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        assert_eq!(rule("server", "redis_version"), Rule::Version);
        assert_eq!(rule("server", "redis_mode"), Rule::Own);
        assert_eq!(rule("memory", "used_memory"), Rule::ByShape);
        assert_eq!(rule("memory", "used_memory_human"), Rule::Human);
        assert_eq!(rule("memory", "number_of_functions"), Rule::Max);
        assert_eq!(rule("replication", "slave0"), Rule::Drop);
        assert_eq!(rule("search", "search_used_memory_human"), Rule::Human);
    }

    #[test]
    fn sections_of_the_table_exist() {
        for (section, _, _) in RULES {
            assert!(section.is_empty() || SECTIONS.contains(section), "{section}");
        }
    }
}
