//! The command table: one line a command, read from `table.txt` at first use.

use std::sync::LazyLock;

use super::parse;
use super::spec::Spec;

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
