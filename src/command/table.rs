//! The command table: one line a command, read from `table.txt` at first use.

use std::sync::LazyLock;

use super::parse;
use super::spec::Spec;

/// The command called `name`, in any case.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Spec> {
    let table: &'static Table = &TABLE;
    let folded = Folded::new(name);
    let mut at = folded.slot();
    loop {
        let slot = &table.slots[at];
        let spec = table.specs.get(usize::from(slot.index))?;
        // Two words hold all of a name of up to 16 bytes.
        if slot.name == folded
            && (name.len() <= 16 || spec.name.as_bytes().eq_ignore_ascii_case(name))
        {
            return Some(spec);
        }
        at = (at + 1) % SLOTS;
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
    slots: Box<[Slot; SLOTS]>,
    count: usize,
}

/// A name, and where its command stands among the table's.
#[derive(Clone, Copy)]
struct Slot {
    name: Folded,
    index: u16,
}

impl Table {
    fn new(specs: Vec<Spec>) -> Self {
        let mut slots = Box::new([Slot { name: Folded::default(), index: VACANT }; SLOTS]);
        for (index, spec) in specs.iter().enumerate() {
            let name = Folded::new(spec.name.as_bytes());
            let mut at = name.slot();
            while slots[at].index != VACANT {
                at = (at + 1) % SLOTS;
            }
            slots[at] = Slot { name, index: index as u16 };
        }
        let count = specs.iter().map(|spec| 1 + spec.subcommands.len()).sum();
        Self { specs, slots, count }
    }
}

/// A name's first and last bytes in lower case, and its length: what is hashed and compared.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Folded {
    head: u64,
    tail: u64,
    length: usize,
}

impl Folded {
    #[inline]
    fn new(name: &[u8]) -> Self {
        let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => short(name),
        };
        Self { head: lower(head), tail: lower(tail), length: name.len() }
    }

    /// Where the search for the name starts.
    #[inline]
    fn slot(self) -> usize {
        let mixed = self.head ^ self.tail.rotate_left(32) ^ self.length as u64;
        (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOTS.ilog2())) as usize
    }
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

/// Eight bytes at once to lower case, ASCII letters alone: the sums set a byte's highest bit where
/// it is at least `A`, and above `Z`.
#[inline]
fn lower(bytes: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low_bits = bytes & (0x7f * EACH);
    let from_a = low_bits + (0x80 - u64::from(b'A')) * EACH;
    let past_z = low_bits + (0x7f - u64::from(b'Z')) * EACH;
    let upper = (from_a ^ past_z) & !bytes & (0x80 * EACH);
    bytes | upper >> 2
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
        // Only letters have a case: `_` with its bit 0x20 set is another byte.
        assert!(lookup(b"sort_ro").is_some() && lookup(b"sort\x7fro").is_none());
        // Past 16 bytes the two words alone do not tell names apart.
        assert!(lookup(b"georadiusbymember_ro").is_some());
        assert!(
            lookup(b"georadiuXXXXmember_ro").is_none() && lookup(b"georadiuXXXXember_ro").is_none()
        );
    }

    #[test]
    fn lower_case_is_that_of_each_byte() {
        for byte in 0..=u8::MAX {
            for bytes in [[byte; 8], [b'Z', byte, b'@', byte, 0xff, byte, 0, byte]] {
                let expected = u64::from_le_bytes(bytes.map(|byte| byte.to_ascii_lowercase()));
                assert_eq!(lower(u64::from_le_bytes(bytes)), expected, "{bytes:?}");
            }
        }
    }

    #[test]
    fn ids_count_commands_and_subcommands() {
        assert!(all().enumerate().all(|(index, spec)| usize::from(spec.id) == index));
        assert_eq!(all().count(), count());
    }

    #[test]
    fn search_for_a_name_ends_after_few_steps() {
        let longest = commands().iter().map(|spec| {
            let found = TABLE.slots.iter().position(|slot| {
                TABLE.specs.get(usize::from(slot.index)).is_some_and(|at| at.name == spec.name)
            });
            (found.unwrap() + SLOTS - Folded::new(spec.name.as_bytes()).slot()) % SLOTS
        });
        assert!(longest.max().unwrap() <= 4);
    }
}
