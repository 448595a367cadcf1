//! The command table: one line a command, read from `table.txt`.

/// What the table says of one command or subcommand.
#[derive(Debug)]
pub struct Spec {
    /// The name in lower case; `client|setname` for a subcommand.
    pub name: &'static str,
    /// As in COMMAND INFO: the exact number of arguments, or, negative, the least.
    pub arity: i32,
    /// Where the keys are.
    pub keys: Keys,
    /// How the proxy handles it.
    pub handling: Handling,
    /// Redis's command tip: to which shards it goes.
    pub request_policy: RequestPolicy,
    /// Redis's command tip: how several replies become one.
    pub response_policy: ResponsePolicy,
    /// The subcommands, for a container command.
    pub subcommands: Vec<Spec>,
}

/// Where a command's keys are. `At` and `Range` are the fast ways; the rest is searched.
#[derive(Debug, Clone, PartialEq)]
pub enum Keys {
    /// The command has none.
    None,
    /// One key, at this argument index.
    At(usize),
    /// Every `step`-th argument from `first` to `last` (negative: from the end).
    Range {
        /// Index of the first key.
        first: usize,
        /// Index of the last key; −1 is the last argument.
        last: i32,
        /// The distance between two keys.
        step: usize,
    },
    /// Found by Redis's key specs (numkeys, keywords).
    Search(Vec<KeySearch>),
}

/// One of Redis's key specs; see <https://redis.io/docs/latest/develop/reference/key-specs/>.
#[derive(Debug, Clone, PartialEq)]
pub struct KeySearch {}

/// How the proxy handles a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Sent to the shard of its keys; refused with CROSSSLOT when they live on several.
    Keyed,
    /// Split by key over the shards when its keys live on several, and merged.
    Split,
    /// Sent to all shards and merged by the response policy.
    FanOut,
    /// Sent to one shard, any.
    AnyShard,
    /// Answered by circlet.
    Local(Local),
    /// Known and not served; the text after `-ERR ` says why.
    Refused(&'static str),
}

/// What circlet answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Local {
    Ping,
    Echo,
}

/// Redis's request_policy command tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum RequestPolicy {
    #[default]
    Default,
    AllNodes,
    AllShards,
    MultiShard,
    Special,
}

/// Redis's response_policy command tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum ResponsePolicy {
    #[default]
    Default,
    OneSucceeded,
    AllSucceeded,
    AggSum,
    AggMin,
    AggMax,
    AggLogicalAnd,
    AggLogicalOr,
    Special,
}

/// The command called `name`, in any case.
pub fn lookup(_name: &[u8]) -> Option<&'static Spec> {
    None
}
