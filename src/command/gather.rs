//! Commands that all shards answer and whose replies only code of their own can make one.

/// Declares them, with reading by name.
macro_rules! gathers {
    ($($name:ident: $how:literal,)*) => {
        /// See the module.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Gather { $($name,)* }

        impl Gather {
            /// The one that the table calls `name`.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What becomes of the replies, for the page of commands.
            pub fn describe(self) -> &'static str {
                match self { $(Self::$name => $how,)* }
            }
        }
    };
}

gathers! {
    Info: "field by field, with what circlet says of itself",
    ConfigGet: "what every shard keeps",
    MemoryStats: "sums, and ratios of them",
    MemoryDoctor: "one text a shard",
    MemoryMallocStats: "one text a shard",
    LatencyLatest: "the latest and longest by event",
    LatencyHistory: "all, the oldest first",
    LatencyHistogram: "sums by command",
    LatencyDoctor: "one text a shard",
    LatencyGraph: "one text a shard",
    SlowlogGet: "the newest of all",
    ModuleList: "modules that all have",
    Role: "one master without replicas",
    RandomKey: "a key of one shard, chosen by how many it has",
}
