use super::*;

const A: &str = "# Server\r\nredis_version:7.0.15\r\nprocess_id:11\r\nexecutable:/a\r\n\r\n\
    # Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\nused_memory_rss:3145728\r\n\
    used_memory_peak:2097152\r\nused_memory_peak_perc:50.00%\r\nmaxmemory:100\r\n\
    mem_fragmentation_ratio:3.00\r\n\r\n\
    # Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nslave0:ip=1,port=2\r\n\
    master_repl_offset:5\r\n\r\n\
    # Modules\r\nmodule:name=bf,ver=1\r\nmodule:name=json,ver=2\r\n\r\n\
    # Commandstats\r\ncmdstat_get:calls=1,usec=10,usec_per_call=10.00\r\n\r\n\
    # Keyspace\r\ndb0:keys=4,expires=1,avg_ttl=100\r\ndb11:keys=1,expires=0,avg_ttl=0\r\n";
const B: &str = "# Server\r\nredis_version:6.2.1\r\nprocess_id:12\r\n\r\n\
    # Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\nused_memory_rss:1048576\r\n\
    used_memory_peak:1048576\r\nused_memory_peak_perc:99.00%\r\nmaxmemory:0\r\n\
    mem_fragmentation_ratio:1.00\r\nnew_counter:3\r\n\r\n\
    # Replication\r\nrole:master\r\nmaster_repl_offset:7\r\n\r\n\
    # Modules\r\nmodule:name=json,ver=2\r\n\r\n\
    # Commandstats\r\ncmdstat_get:calls=1,usec=2,usec_per_call=2.00\r\n\r\n\
    # Search\r\nsearch_used_memory:2048\r\nsearch_used_memory_human:2.00K\r\n\r\n\
    # Keyspace\r\ndb2:keys=3,expires=1,avg_ttl=300\r\ndb0:keys=6,expires=1,avg_ttl=300\r\n";

fn own() -> Own {
    vec![
        ("server", "redis_mode".into(), "standalone".into()),
        ("server", "process_id".into(), "99".into()),
        ("clients", "connected_clients".into(), "3".into()),
        ("replication", "role".into(), "master".into()),
        ("cluster", "cluster_enabled".into(), "0".into()),
    ]
}

fn all() -> Wanted {
    Wanted::new(std::iter::empty())
}

#[test]
fn two_shards_look_like_one_redis() {
    let merged = merge(&[A, B], &own(), &all());
    let expected = "# Server\r\nredis_version:6.2.1\r\nprocess_id:99\r\nredis_mode:standalone\r\n\r\n\
        # Clients\r\nconnected_clients:3\r\n\r\n\
        # Memory\r\nused_memory:2097152\r\nused_memory_human:2.00M\r\nused_memory_rss:4194304\r\n\
        used_memory_peak:3145728\r\nused_memory_peak_perc:66.67%\r\nmaxmemory:0\r\n\
        mem_fragmentation_ratio:2.00\r\nnew_counter:3\r\n\r\n\
        # Replication\r\nrole:master\r\nmaster_repl_offset:12\r\n\r\n\
        # Modules\r\nmodule:name=json,ver=2\r\n\r\n\
        # Commandstats\r\ncmdstat_get:calls=2,usec=12,usec_per_call=6.00\r\n\r\n\
        # Cluster\r\ncluster_enabled:0\r\n\r\n\
        # Keyspace\r\ndb0:keys=10,expires=2,avg_ttl=200\r\ndb2:keys=3,expires=1,avg_ttl=300\r\n\
        db11:keys=1,expires=0,avg_ttl=0\r\n\r\n\
        # Search\r\nsearch_used_memory:2048\r\nsearch_used_memory_human:2.00K\r\n";
    assert_eq!(merged, expected);
}

#[test]
fn own_sections_come_only_when_wanted() {
    let wanted = |names: &[&str]| Wanted::new(names.iter().map(|name| name.as_bytes()));
    assert_eq!(merge(&[], &own(), &wanted(&["CLUSTER"])), "# Cluster\r\ncluster_enabled:0\r\n");
    assert_eq!(merge(&["", ""], &own(), &wanted(&["nosuch"])), "");
    assert!(merge(&[], &own(), &wanted(&["everything"])).contains("redis_mode:standalone"));
    assert!(wanted(&["circlet", "CIRCLET"]).is_within(&["circlet"]));
    assert!(
        !wanted(&["circlet", "server"]).is_within(&["circlet"]) && !all().is_within(&["circlet"])
    );
}

#[test]
fn one_shard_alone_keeps_its_numbers() {
    let text = "# CPU\r\nused_cpu_sys:0.004276\r\n\r\n# Errorstats\r\nerrorstat_ERR:count=2\r\n";
    assert_eq!(merge(&[text], &Vec::new(), &all()), text);
}

#[test]
fn a_derived_field_without_its_sources_keeps_what_the_shards_say() {
    let text = "# Memory\r\nodd_human:1.00K\r\nmem_fragmentation_ratio:1.50\r\n";
    assert_eq!(merge(&[text, text], &Vec::new(), &all()), text);
}
