//! How a key that was written elsewhere is remembered: names of sets, and their members.

use crate::command::{Flags, Handling, KeyFlags, Spec};

/// The sets of one home shard on one stand-in. An entry is in one of them until it is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Written there, and nothing was done about it yet. Workers of all proxies add to it.
    Displaced,
    /// Taken up by a round.
    Taken,
    /// Not in the part of the keys that goes home next.
    Later,
    /// Its effect at home is done; the stand-in still serves it.
    Carried,
    /// Home has it; the stand-in's copy is to be removed.
    Returned,
}

impl Stage {
    /// All but the first: what a return leaves behind when it fails.
    pub const UNDER_WAY: [Self; 3] = [Self::Taken, Self::Later, Self::Carried];
    /// All of them.
    pub const EVERY: [Self; 5] =
        [Self::Displaced, Self::Taken, Self::Later, Self::Carried, Self::Returned];

    /// The set's name.
    pub fn set(self, pool: &str, home: &str) -> Vec<u8> {
        let stage = match self {
            Self::Displaced => "displaced",
            Self::Taken => "taken",
            Self::Later => "later",
            Self::Carried => "carried",
            Self::Returned => "returned",
        };
        format!("{PREFIX}{stage}:{pool}:{home}").into_bytes()
    }
}

/// Where a stand-in remembers that a home shard is suspect as a whole.
pub fn suspect_set(pool: &str, home: &str) -> Vec<u8> {
    format!("{PREFIX}suspect:{pool}:{home}").into_bytes()
}

/// Where a home shard remembers which proxy works on its return.
pub fn lock_name(pool: &str, home: &str) -> Vec<u8> {
    format!("{PREFIX}returning:{pool}:{home}").into_bytes()
}

/// Where a stand-in remembers which proxies have a home shard out, each with the moment from which
/// on it does not count, in milliseconds of the stand-in's clock.
pub fn proxies_set(pool: &str, home: &str) -> Vec<u8> {
    format!("{PREFIX}proxies:{pool}:{home}").into_bytes()
}

/// Whether a key is one of circlet's own.
pub fn is_own(key: &[u8]) -> bool {
    key.starts_with(PREFIX.as_bytes())
}

/// What a key that is missing at the stand-in means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// It is gone: what home has of it is old.
    Gone,
    /// Nothing by itself: the command changes only what is there (EXPIRE, LPOP), or is a script.
    Unknown,
}

/// A member of the sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it means when the key is missing.
    pub absence: Absence,
    /// The key.
    pub key: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads a member; `None` for what circlet did not write.
    pub fn read(member: &'a [u8]) -> Option<Self> {
        let absence = match member.first()? {
            b'!' => Absence::Gone,
            b'?' => Absence::Unknown,
            _ => return None,
        };
        Some(Self { absence, key: &member[1..] })
    }

    /// The member that stands for it.
    pub fn member(&self) -> Vec<u8> {
        let mark = match self.absence {
            Absence::Gone => b'!',
            Absence::Unknown => b'?',
        };
        [&[mark], self.key].concat()
    }
}

/// Whether a command may change keys that it names.
pub fn writes(spec: &Spec) -> bool {
    let is_script = matches!(spec.handling, Handling::Script(script) if script.runs());
    spec.flags.contains(Flags::WRITE) || is_script && !spec.flags.contains(Flags::READONLY)
}

/// What it means when a key is missing after this command; `None` when the command only reads it.
///
/// A command that changes only what is there says nothing of a key that was never there: its home
/// may still have it.
pub fn absence_after(spec: &Spec, flags: KeyFlags) -> Option<Absence> {
    let is_script = matches!(spec.handling, Handling::Script(_));
    let needs_it = flags.contains(KeyFlags::RW.with(KeyFlags::DELETE))
        && !REMOVES.contains(&spec.name)
        || NEEDS_IT.contains(&spec.name);
    match () {
        () if flags.contains(KeyFlags::RO) => None,
        () if is_script || needs_it => Some(Absence::Unknown),
        () => Some(Absence::Gone),
    }
}

/// Commands that remove the key itself though Redis marks them as if they took a part of it.
const REMOVES: [&str; 5] = ["getdel", "rename", "renamenx", "migrate", "move"];

/// Commands that change a key that is there and never make one.
const NEEDS_IT: [&str; 24] = [
    "expire",
    "pexpire",
    "expireat",
    "pexpireat",
    "persist",
    "getex",
    "lset",
    "linsert",
    "lpushx",
    "rpushx",
    "xsetid",
    "xack",
    "xclaim",
    "xautoclaim",
    "xreadgroup",
    "hexpire",
    "hpexpire",
    "hexpireat",
    "hpexpireat",
    "hpersist",
    "hgetex",
    "lrem",
    "ltrim",
    "xtrim",
];

const PREFIX: &str = "__circlet:";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::lookup;

    #[test]
    fn a_missing_key_means_what_the_command_could_do_to_it() {
        let after = |name: &str| {
            let spec = lookup(name.as_bytes()).expect("it is in the table");
            absence_after(spec, spec.key_specs[0].flags)
        };
        for name in ["set", "del", "incr", "rpush", "getdel", "hset", "rename", "setnx", "xadd"] {
            assert_eq!(after(name), Some(Absence::Gone), "{name}");
        }
        for name in ["expire", "lpop", "hdel", "srem", "spop", "zrem", "persist", "lpushx", "blpop"]
        {
            assert_eq!(after(name), Some(Absence::Unknown), "{name}");
        }
        assert_eq!(after("get"), None);
        assert_eq!(after("eval"), Some(Absence::Unknown));
        let copy = lookup(b"copy").expect("it is in the table");
        assert_eq!(absence_after(copy, copy.key_specs[0].flags), None);
        assert_eq!(absence_after(copy, copy.key_specs[1].flags), Some(Absence::Gone));
    }

    #[test]
    fn members_read_back() {
        for absence in [Absence::Gone, Absence::Unknown] {
            let entry = Entry { absence, key: b"!k\r\n" };
            assert_eq!(Entry::read(&entry.member()), Some(entry.clone()));
        }
        assert_eq!(Entry::read(b""), None);
        assert_eq!(Entry::read(b"stray"), None);
    }
}
