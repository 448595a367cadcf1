//! What is known of a command.

use super::bits::{Categories, Flags, KeyFlags};
use super::family::Family;
use super::gather::Gather;
use super::script::Script;

/// What the table says of one command or subcommand.
#[derive(Debug, PartialEq)]
pub struct Spec {
    /// The name in lower case; `client|setname` for a subcommand.
    pub name: &'static str,
    /// The command's place among all commands and subcommands: below [`super::table::count`], for
    /// statistics. [`Spec::LEARNED`] for one that the table lacks.
    pub id: u16,
    /// As in COMMAND INFO: the exact number of arguments, or, negative, the least.
    pub arity: i32,
    /// Where the keys are.
    pub keys: Keys,
    /// How the proxy handles it.
    pub handling: Handling,
    /// Redis's command tip: to which shards it goes.
    pub request_policy: RequestPolicy,
    /// How several replies become one: Redis's command tip, or circlet's own choice where Redis
    /// has none.
    pub response_policy: ResponsePolicy,
    /// Command flags.
    pub flags: Flags,
    /// ACL categories.
    pub categories: Categories,
    /// The group Redis's documentation puts it in.
    pub group: &'static str,
    /// The same for statistics.
    pub family: Family,
    /// The first version of Redis, or from 7.2.4 on of Valkey, that has it.
    pub since: &'static str,
    /// Redis's command tips, as in COMMAND INFO.
    pub tips: Vec<&'static str>,
    /// Redis's key specs, as in COMMAND INFO.
    pub key_specs: Vec<KeySpec>,
    /// First key, last key and step as in COMMAND INFO, where key specs may know better.
    pub legacy_range: (i32, i32, i32),
    /// The subcommands, for a container command.
    pub subcommands: Vec<Spec>,
}

impl Spec {
    /// The [`Spec::id`] of every command that was learned from a shard.
    pub const LEARNED: u16 = u16::MAX;

    /// Whether a shard told of the command and the table does not know it.
    pub fn is_learned(&self) -> bool {
        self.id == Self::LEARNED
    }

    /// Whether a command of `count` arguments, its name included, has enough of them.
    #[inline]
    pub fn accepts(&self, count: usize) -> bool {
        let least = self.arity.unsigned_abs() as usize;
        count == least || (self.arity < 0 && count > least)
    }

    /// The subcommand called `name`, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&Spec> {
        let prefix = self.name.len() + 1;
        self.subcommands
            .iter()
            .find(|spec| spec.name.as_bytes()[prefix..].eq_ignore_ascii_case(name))
    }
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
    /// Found by looking at the arguments.
    Search(Search),
}

/// How keys are searched that key specs, or not they alone, can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// By the command's key specs.
    Specs,
    /// SORT: the key, and the destination that follows the last STORE.
    Sort,
    /// MIGRATE: one key, or all that follow KEYS.
    Migrate,
}

/// One of Redis's key specs; see <https://redis.io/docs/latest/develop/reference/key-specs/>.
#[derive(Debug, Clone, PartialEq)]
pub struct KeySpec {
    /// What the command does with these keys.
    pub flags: KeyFlags,
    /// Where the search begins.
    pub begin: BeginSearch,
    /// Which arguments from there on are keys.
    pub find: FindKeys,
}

/// Where a key spec's search begins.
#[derive(Debug, Clone, PartialEq)]
pub enum BeginSearch {
    /// At this argument.
    Index(usize),
    /// At the argument that follows `keyword`, looked for from argument `from` on; negative: from
    /// the end, backwards.
    Keyword {
        /// The keyword, in upper case.
        keyword: &'static str,
        /// Where the search starts.
        from: i32,
    },
    /// The spec cannot say.
    Unknown,
}

/// Which arguments are keys, from where a key spec's search began.
#[derive(Debug, Clone, PartialEq)]
pub enum FindKeys {
    /// Every `step`-th.
    Range {
        /// The last key, relative to the first; negative: from the command's end.
        last: i32,
        /// The distance between two keys.
        step: usize,
        /// With `last` −1: only the first 1/`limit` of the arguments that are left; 0 and 1 mean
        /// all.
        limit: usize,
    },
    /// As many as an argument says.
    Count {
        /// Where the count stands.
        at: usize,
        /// Where the first key stands.
        first: usize,
        /// The distance between two keys.
        step: usize,
    },
    /// The spec cannot say.
    Unknown,
}

/// How the proxy handles a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Sent to the shard of its keys; refused with CROSSSLOT when they live on several.
    Keyed,
    /// `Keyed`, unless it carries BLOCK: then it is `Blocking`. [`super::keys::blocks`] tells.
    KeyedUnlessBlocking,
    /// `Keyed`, when the keys that BY and GET name, which only the shard can list, live with the
    /// sorted key. [`super::keys::patterns`] tells which patterns there are.
    Sort,
    /// Split by key over the shards when its keys live on several, and merged.
    Split,
    /// Sent to all shards and merged by the response policy.
    FanOut,
    /// Sent to all shards; circlet makes one reply of theirs.
    Gather(Gather),
    /// Sent to one shard, any.
    AnyShard,
    /// Runs or keeps scripts and functions.
    Script(Script),
    /// Answered by circlet.
    Local(Local),
    /// Opens, fills or ends a transaction.
    Transaction,
    /// May hold up its connection until something happens.
    Blocking,
    /// Publishes, subscribes, or asks about subscriptions.
    Subscription,
    /// SCAN: a cursor over all shards.
    Scan,
    /// Known and not served; the text after `-ERR ` says why.
    Refused(&'static str),
}

/// Declares what circlet answers itself, with reading by name.
macro_rules! locals {
    ($($name:ident,)*) => {
        /// What circlet answers itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Local { $($name,)* }

        impl Local {
            /// The one that the table calls `name`.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

locals! {
    Ping,
    Echo,
    Time,
    Hello,
    Auth,
    Select,
    Quit,
    Reset,
    Command,
    CommandCount,
    CommandList,
    CommandInfo,
    CommandDocs,
    CommandGetKeys,
    CommandGetKeysAndFlags,
    CommandHelp,
    ClientId,
    ClientGetName,
    ClientSetName,
    ClientSetInfo,
    ClientInfo,
    ClientList,
    ClientCapa,
    ClientUnblock,
    ClientHelp,
    Cluster,
    ClusterMode,
    ClientKill,
    ClientReply,
    ClientPause,
    ClientUnpause,
    ClientNoEvict,
    ClientNoTouch,
    ClientTracking,
    ClientTrackingInfo,
    ClientCaching,
    ClientGetRedir,
    Monitor,
    AclWhoAmI,
    AclLog,
    AclAsk,
    AclChange,
    Proxy,
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

/// Redis's response_policy command tip, and `Concat`, which Redis describes but does not name.
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
    /// The arrays of all shards, one after the other.
    Concat,
    Special,
}
