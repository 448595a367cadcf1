//! The words in which the configuration speaks of what it has chosen.

use super::{Distribution, Hash};

impl Hash {
    /// All of them, as twemproxy lists them.
    pub const ALL: [Self; 12] = [
        Self::OneAtATime,
        Self::Md5,
        Self::Crc16,
        Self::Crc32,
        Self::Crc32a,
        Self::Fnv1_64,
        Self::Fnv1a64,
        Self::Fnv1_32,
        Self::Fnv1a32,
        Self::Hsieh,
        Self::Murmur,
        Self::Jenkins,
    ];

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
        let all = [
            Distribution::Ketama,
            Distribution::Modula,
            Distribution::Random,
            Distribution::Rendezvous,
        ];
        for (hash, distribution) in Hash::ALL.into_iter().zip(all.into_iter().cycle()) {
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
