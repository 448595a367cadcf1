//! The command table: one line a command, read from `table.txt` at first use.

use std::sync::LazyLock;

use super::bits::{Categories, Flags, KeyFlags};
use super::parse;

/// What the table says of one command or subcommand.
#[derive(Debug)]
pub struct Spec {
    /// The name in lower case; `client|setname` for a subcommand.
    pub name: &'static str,
    /// The command's place among all commands and subcommands: below [`count`], for statistics.
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
    /// Sent to one shard, any.
    AnyShard,
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

/// What circlet answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Local {
    Ping,
    Echo,
    Time,
    Hello,
    Auth,
    Select,
    Quit,
    Reset,
    Info,
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
    ClientHelp,
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

/// The command called `name`, in any case.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Spec> {
    let table: &'static Table = &TABLE;
    let mut slot = slot_of(name);
    loop {
        let spec = table.specs.get(usize::from(table.slots[slot]))?;
        if spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(spec);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The commands, containers included, without their subcommands; in alphabetical order.
pub fn commands() -> &'static [Spec] {
    &TABLE.specs
}

/// Every command and subcommand, in the order of [`Spec::id`].
pub fn all() -> impl Iterator<Item = &'static Spec> {
    commands().iter().flat_map(|spec| std::iter::once(spec).chain(&spec.subcommands))
}

/// How many commands and subcommands there are; every [`Spec::id`] is below.
pub fn count() -> usize {
    TABLE.count
}

/// The command or subcommand called `name` in COMMAND INFO's way: `get`, `client|setname`.
pub fn lookup_full(name: &[u8]) -> Option<&'static Spec> {
    match name.iter().position(|&byte| byte == b'|') {
        None => lookup(name),
        Some(bar) => lookup(&name[..bar])?.subcommand(&name[bar + 1..]),
    }
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let specs = parse::table(include_str!("table.txt")).expect("table.txt is read by every test");
    Table::new(specs)
});

/// The commands, and a hash table of their names: open addressing, a quarter full.
struct Table {
    specs: Vec<Spec>,
    slots: Box<[u16; SLOTS]>,
    count: usize,
}

impl Table {
    fn new(specs: Vec<Spec>) -> Self {
        let mut slots = Box::new([VACANT; SLOTS]);
        for (index, spec) in specs.iter().enumerate() {
            let mut slot = slot_of(spec.name.as_bytes());
            while slots[slot] != VACANT {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = index as u16;
        }
        let count = specs.iter().map(|spec| 1 + spec.subcommands.len()).sum();
        Self { specs, slots, count }
    }
}

/// Where the search for `name` starts. Bit 0x20 is set in every byte: letters hash alike in both
/// cases, and what else that mixes up, the comparison tells apart.
#[inline]
fn slot_of(name: &[u8]) -> usize {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => short(name),
    };
    let mixed = (head | LOWER) ^ (tail | LOWER).rotate_left(32) ^ name.len() as u64;
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOTS.ilog2())) as usize
}

/// All bytes of a name of fewer than eight.
#[inline]
fn short(name: &[u8]) -> (u64, u64) {
    match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(head), Some(tail)) => {
            (u32::from_le_bytes(*head).into(), u32::from_le_bytes(*tail).into())
        }
        _ => (name.iter().fold(0, |packed, &byte| packed << 8 | u64::from(byte)), 0),
    }
}

const SLOTS: usize = 1024;
const VACANT: u16 = u16::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for spec in commands() {
            assert_eq!(lookup(spec.name.as_bytes()).unwrap().name, spec.name);
            assert_eq!(lookup(spec.name.to_uppercase().as_bytes()).unwrap().name, spec.name);
        }
    }

    #[test]
    fn what_no_command_is_called_is_not_found() {
        for name in ["", "g", "gets", "get\0", "GET ", "client|id", "hgetallhgetallhgetall"] {
            assert!(lookup(name.as_bytes()).is_none(), "{name:?}");
        }
        // 0x7f differs from '_' only in the bit that hashing ignores.
        assert_eq!(slot_of(b"sort\x7fro"), slot_of(b"sort_ro"));
        assert!(lookup(b"sort_ro").is_some() && lookup(b"sort\x7fro").is_none());
    }

    #[test]
    fn ids_count_commands_and_subcommands() {
        assert!(all().enumerate().all(|(index, spec)| usize::from(spec.id) == index));
        assert_eq!(all().count(), count());
    }

    #[test]
    fn search_for_a_name_ends_after_few_steps() {
        let longest = commands().iter().map(|spec| {
            let found = TABLE.slots.iter().position(|&index| {
                TABLE.specs.get(usize::from(index)).is_some_and(|at| at.name == spec.name)
            });
            (found.unwrap() + SLOTS - slot_of(spec.name.as_bytes())) % SLOTS
        });
        assert!(longest.max().unwrap() <= 4);
    }
}
