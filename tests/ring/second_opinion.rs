//! The `ketama` crate agrees where it follows twemproxy: equal weights, md5, up to 24 servers.

use circlet::config::{Distribution, Hash};
use circlet::route::RingSpec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn equal_servers_under_md5(
        names in proptest::collection::btree_set("[a-z0-9.:/]{1,24}", 1..=24),
        keys in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 100),
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let servers: Vec<(&str, u32)> = names.iter().map(|&name| (name, 1)).collect();
        let ours = RingSpec {
            hash: Hash::Md5,
            distribution: Distribution::Ketama,
            ..RingSpec::new(&servers)
        }
        .build();
        let theirs = ketama::Ring::build(&names);
        for key in keys {
            prop_assert_eq!(ours.shard(&key), Some(theirs.route(&key)));
        }
    }
}
