//! The words Redis says of commands and keys, as sets of bits that print in Redis's order.

/// Declares a set of words: a constant a word, reading by name, and names in declaration order.
macro_rules! words {
    ($(#[$doc:meta])* $set:ident { $($word:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $set(u32);

        impl $set {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $word: Self = Self(1 << Position::$word as u32);
            )*

            const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$word)),*];

            /// The set of the one word `name`.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|entry| entry.1)
            }

            /// Whether every word of `other` is in the set.
            #[inline]
            pub fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The set with the words of `other` added.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The set with the words of `other` taken away.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// How many words are in the set.
            pub fn count(self) -> usize {
                self.0.count_ones() as usize
            }

            /// The words in the set, in the order in which Redis lists them.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().filter(move |(_, word)| self.contains(*word)).map(|entry| entry.0)
            }
        }

        const _: () = assert!(Position::End as u32 <= 32);

        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy)]
        enum Position { $($word,)* End }
    };
}

pub use categories::Categories;
pub use flags::Flags;
pub use key_flags::KeyFlags;

mod flags {
    words! {
        /// Command flags, as in COMMAND INFO.
        Flags {
            WRITE = "write",
            READONLY = "readonly",
            DENYOOM = "denyoom",
            MODULE = "module",
            ADMIN = "admin",
            PUBSUB = "pubsub",
            NOSCRIPT = "noscript",
            BLOCKING = "blocking",
            LOADING = "loading",
            STALE = "stale",
            SKIP_MONITOR = "skip_monitor",
            SKIP_SLOWLOG = "skip_slowlog",
            ASKING = "asking",
            FAST = "fast",
            NO_AUTH = "no_auth",
            NO_MANDATORY_KEYS = "no_mandatory_keys",
            NO_ASYNC_LOADING = "no_async_loading",
            NO_MULTI = "no_multi",
            MOVABLEKEYS = "movablekeys",
            ALLOW_BUSY = "allow_busy",
        }
    }
}

mod categories {
    words! {
        /// ACL categories, without the `@`.
        Categories {
            KEYSPACE = "keyspace",
            READ = "read",
            WRITE = "write",
            SET = "set",
            SORTEDSET = "sortedset",
            LIST = "list",
            HASH = "hash",
            STRING = "string",
            BITMAP = "bitmap",
            HYPERLOGLOG = "hyperloglog",
            GEO = "geo",
            STREAM = "stream",
            PUBSUB = "pubsub",
            ADMIN = "admin",
            FAST = "fast",
            SLOW = "slow",
            BLOCKING = "blocking",
            DANGEROUS = "dangerous",
            CONNECTION = "connection",
            TRANSACTION = "transaction",
            SCRIPTING = "scripting",
        }
    }
}

mod key_flags {
    words! {
        /// What a command does with a key, as in COMMAND GETKEYSANDFLAGS.
        KeyFlags {
            RO = "RO",
            RW = "RW",
            OW = "OW",
            RM = "RM",
            ACCESS = "access",
            UPDATE = "update",
            INSERT = "insert",
            DELETE = "delete",
            NOT_KEY = "not_key",
            INCOMPLETE = "incomplete",
            VARIABLE_FLAGS = "variable_flags",
        }
    }
}
