//! The words in which the configuration speaks of what it has chosen.

use super::{Distribution, Hash};

impl Hash {
    /// As the key `hash` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneAtATime => "one_at_a_time",
            Self::Md5 => "md5",
            Self::Crc16 => "crc16",
            Self::Crc32 => "crc32",
            Self::Crc32a => "crc32a",
            Self::Fnv1_64 => "fnv1_64",
            Self::Fnv1a64 => "fnv1a_64",
            Self::Fnv1_32 => "fnv1_32",
            Self::Fnv1a32 => "fnv1a_32",
            Self::Hsieh => "hsieh",
            Self::Murmur => "murmur",
            Self::Jenkins => "jenkins",
        }
    }
}

impl Distribution {
    /// As the key `distribution` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ketama => "ketama",
            Self::Modula => "modula",
            Self::Random => "random",
            Self::Rendezvous => "rendezvous",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, parse};

    #[test]
    fn the_words_are_those_that_the_configuration_takes() {
        let hashes = [
            Hash::OneAtATime,
            Hash::Md5,
            Hash::Crc16,
            Hash::Crc32,
            Hash::Crc32a,
            Hash::Fnv1_64,
            Hash::Fnv1a64,
            Hash::Fnv1_32,
            Hash::Fnv1a32,
            Hash::Hsieh,
            Hash::Murmur,
            Hash::Jenkins,
        ];
        let all = [
            Distribution::Ketama,
            Distribution::Modula,
            Distribution::Random,
            Distribution::Rendezvous,
        ];
        for (hash, distribution) in hashes.into_iter().zip(all.into_iter().cycle()) {
            let text = format!(
                "a:\n  listen: 127.0.0.1:1\n  redis: true\n  hash: {}\n  distribution: {}\n  \
                 servers:\n   - 127.0.0.1:2:1\n",
                hash.name(),
                distribution.name()
            );
            let pool = &parse(&text, Format::Yaml, "test").unwrap().pools[0];
            assert_eq!((pool.hash, pool.distribution), (hash, distribution));
        }
    }
}
