//! Commands by what they are about, as few as statistics can be told apart by.

/// Declares the families with the groups of Redis's documentation that they are.
macro_rules! families {
    ($($name:ident $group:literal $label:literal,)*) => {
        /// A group of Redis's documentation; [`Family::Other`] for what the command table lacks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Family { $($name,)* #[default] Other }

        impl Family {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)* Self::Other];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The family of a group of the command table.
            pub fn of_group(group: &str) -> Self {
                match group {
                    $($group => Self::$name,)*
                    _ => Self::Other,
                }
            }

            /// What statistics call it.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                    Self::Other => "other",
                }
            }
        }
    };
}

families! {
    String "string" "string",
    Hash "hash" "hash",
    List "list" "list",
    Set "set" "set",
    SortedSet "sorted-set" "sorted_set",
    Stream "stream" "stream",
    Bitmap "bitmap" "bitmap",
    HyperLogLog "hyperloglog" "hyperloglog",
    Geo "geo" "geo",
    Keyspace "generic" "keyspace",
    Scripting "scripting" "scripting",
    PubSub "pubsub" "pubsub",
    Transactions "transactions" "transactions",
    Connection "connection" "connection",
    Server "server" "server",
    Cluster "cluster" "cluster",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table;

    #[test]
    fn every_command_of_the_table_has_a_family() {
        assert!(table::all().all(|spec| spec.family != Family::Other));
        assert_eq!(table::lookup(b"zadd").unwrap().family.label(), "sorted_set");
        assert_eq!(table::lookup(b"del").unwrap().family.label(), "keyspace");
    }

    #[test]
    fn numbers_follow_the_order() {
        let numbers = Family::ALL.iter().map(|&family| family as usize);
        assert!(numbers.eq(0..Family::COUNT));
    }
}
