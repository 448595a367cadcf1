//! What an operator should hear of a ring before its keys do: servers without keys, servers with
//! too many, names that twemproxy cannot place.

use super::ring::Ring;
use crate::config::{Distribution, Hash, Pool};

/// A server may have this many times the keys that its weight asks for before we warn. Ketama's
/// 160 points spread by about 8 %, so that equal servers stay below it.
const MOST_OF_ITS_WEIGHT: f64 = 1.3;

/// twemproxy writes `<name>-<number>` into 86 bytes and hashes past them when it is longer.
const LONGEST_NAME: usize = 80;

/// How many names a warning lists.
const NAMES_LISTED: usize = 3;

impl Ring {
    /// What is wrong with how the pool's servers share the keys, a sentence or two for each
    /// fault, with pool, server, figure and remedy.
    pub fn warnings(pool: &Pool) -> Vec<String> {
        Ring::new(pool).warnings_for(&pool.name)
    }

    /// The warnings of this ring, for a pool of that name.
    ///
    /// They are: servers that no key can live on; the server with the most keys for its weight
    /// (its share of the hash's values over its share of the weights) where that is over 1.3;
    /// names under ketama that twemproxy itself places by chance.
    pub fn warnings_for(&self, pool: &str) -> Vec<String> {
        [self.keyless(), self.heaviest(), self.overlong()]
            .into_iter()
            .flatten()
            .map(|fault| format!("pool {pool}: {fault}"))
            .collect()
    }

    /// How many times the part that its weight asks for the fullest shard has, among those that have
    /// keys now; for equal weights the peak over the mean. 0 when no shard is in.
    pub fn peak_to_mean(&self) -> f64 {
        let shares = self.shares();
        let weights = self.placed().iter().map(|server| f64::from(server.weight));
        let with_keys: Vec<(f64, f64)> =
            shares.into_iter().zip(weights).filter(|(share, _)| *share > 0.0).collect();
        let total: f64 = with_keys.iter().map(|(_, weight)| weight).sum();
        with_keys.iter().map(|(share, weight)| share * total / weight).fold(0.0, f64::max)
    }

    fn keyless(&self) -> Option<String> {
        let shares = self.shares();
        let servers = self.placed().iter().zip(&shares);
        let names: Vec<&str> =
            servers.filter(|&(_, &share)| share == 0.0).map(|(server, _)| &*server.name).collect();
        let remedy = self.remedy();
        (!names.is_empty()).then(|| format!("no key can live on {}: {remedy}", listed(&names)))
    }

    fn heaviest(&self) -> Option<String> {
        let (shares, servers) = (self.shares(), self.placed());
        let total: f64 = servers.iter().map(|server| f64::from(server.weight)).sum();
        let load = |shard: usize| shares[shard] * total / f64::from(servers[shard].weight);
        let worst = (0..servers.len()).max_by(|&a, &b| load(a).total_cmp(&load(b)))?;
        (load(worst) > MOST_OF_ITS_WEIGHT).then(|| {
            let (name, share) = (&servers[worst].name, shares[worst] * 100.0);
            let weight = f64::from(servers[worst].weight) / total * 100.0;
            let (load, remedy) = (load(worst), self.remedy());
            format!(
                "{name} has {share:.1} % of the keys for {weight:.1} % of the weight, \
                 {load:.2} times its part: {remedy}"
            )
        })
    }

    fn overlong(&self) -> Option<String> {
        let is_long = |name: &&str| name.len() > LONGEST_NAME;
        let names: Vec<&str> =
            self.placed().iter().map(|server| &*server.name).filter(is_long).collect();
        let matters = self.method().0 == Distribution::Ketama && !names.is_empty();
        matters.then(|| {
            format!(
                "twemproxy hashes past its buffer for names of more than {LONGEST_NAME} bytes, \
                 so no placement can be told to match its: {}; give shorter names after the \
                 weights",
                listed(&names)
            )
        })
    }

    fn remedy(&self) -> &'static str {
        match self.method() {
            (_, Hash::Crc32) => {
                "crc32 has only 32768 values; `hash: fnv1a_32` or `hash: md5` has 2^32, but \
                 changing the hash moves keys"
            }
            (Distribution::Random, _) => {
                "random ignores weights; use `distribution: rendezvous` or make the weights equal"
            }
            (Distribution::Ketama, _) => {
                "ketama rounds to about 160 points a server; bring the weights closer together, \
                 or use `distribution: rendezvous`, which takes them exactly, but changing the \
                 distribution moves keys"
            }
            (Distribution::Modula | Distribution::Rendezvous, _) => {
                "there are too few slots for so many servers or so small a weight; use fewer \
                 servers or bring the weights closer together"
            }
        }
    }
}

fn listed(names: &[&str]) -> String {
    let first = names[..names.len().min(NAMES_LISTED)].join(", ");
    match names.len().saturating_sub(NAMES_LISTED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Distribution, Hash};
    use crate::route::RingSpec;

    fn warnings(servers: &[(&str, u32)], hash: Hash, distribution: Distribution) -> Vec<String> {
        RingSpec { hash, distribution, ..RingSpec::new(servers) }.build().warnings_for("alpha")
    }

    #[test]
    fn a_server_without_points_is_named() {
        let servers = [("a:1", 1000), ("b:1", 1000), ("c:1", 1)];
        let warnings = warnings(&servers, Hash::Fnv1a64, Distribution::Ketama);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("pool alpha: no key can live on c:1: "), "{warnings:?}");
        assert!(warnings[0].contains("rendezvous"), "{warnings:?}");
    }

    #[test]
    fn many_servers_without_keys_are_counted() {
        let servers = [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)];
        let warnings = warnings(&servers, Hash::Crc32, Distribution::Ketama);
        assert!(warnings[0].contains(" and 1 more: crc32 has only 32768 values"), "{warnings:?}");
        assert!(warnings[1].contains("100.0 % of the keys for 20.0 % of the weight, 5.00 times"));
    }

    #[test]
    fn random_with_weights_is_told_that_they_have_no_effect() {
        let warnings = warnings(&[("a", 1), ("b", 9)], Hash::Md5, Distribution::Random);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("a has 50.0 % of the keys for 10.0 % of the weight"));
        assert!(warnings[0].contains("random ignores weights"));
    }

    #[test]
    fn a_name_that_twemproxy_cannot_place_is_named() {
        let (long, fits) = ("x".repeat(81), "y".repeat(80));
        let servers = [(fits.as_str(), 1), (long.as_str(), 1)];
        let ketama = warnings(&servers, Hash::Md5, Distribution::Ketama);
        assert!(ketama.len() == 1 && ketama[0].contains(&long) && !ketama[0].contains(&fits));
        assert!(warnings(&servers, Hash::Md5, Distribution::Rendezvous).is_empty());
    }

    #[test]
    fn a_sound_pool_has_no_warnings() {
        let names: Vec<String> = (0..50).map(|n| format!("10.0.0.{n}:6379")).collect();
        let equal: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        for distribution in [
            Distribution::Ketama,
            Distribution::Modula,
            Distribution::Random,
            Distribution::Rendezvous,
        ] {
            assert_eq!(warnings(&equal, Hash::Fnv1a64, distribution), [""; 0], "{distribution:?}");
        }
        let weighted = [("a", 1), ("b", 2), ("c", 5)];
        assert_eq!(warnings(&weighted, Hash::Md5, Distribution::Ketama), [""; 0]);
        assert_eq!(warnings(&[("a", 7)], Hash::Crc32, Distribution::Ketama), [""; 0]);
    }
}
