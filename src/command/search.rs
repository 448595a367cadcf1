//! Keys that have to be searched: by key specs, or in the ways of SORT and MIGRATE.

use super::bits::KeyFlags;
use super::keys::{KeyError, KeyPositions};
use super::spec::{BeginSearch, FindKeys, KeySpec, Keys, Search, Spec};
use crate::resp::Request;

/// What a search calls with each key it finds.
type Add<'a> = &'a mut dyn FnMut(usize, KeyFlags);

/// Appends the keys' positions; an error where Redis would say one and the keys cannot be told.
pub fn strict(
    spec: &Spec,
    request: &Request<'_>,
    positions: &mut KeyPositions,
) -> Result<(), KeyError> {
    if let [KeySpec { begin: BeginSearch::Keyword { keyword, from }, .. }] = &spec.key_specs[..]
        && !spec.is_learned()
    {
        let first = after_keyword(request, keyword, *from).ok_or(KeyError::Syntax)?;
        if !(request.len() - first).is_multiple_of(2) {
            return Err(KeyError::Unbalanced);
        }
    }
    let mut add = |position: usize, _| positions.push(position as u32);
    match spec.keys {
        Keys::Search(Search::Sort) => sort(request, &mut add),
        Keys::Search(Search::Migrate) => migrate(request, &mut add),
        _ => specs(spec, request, &mut add)?,
    }
    Ok(())
}

/// The keys that the key specs tell, in their order.
pub fn specs(spec: &Spec, request: &Request<'_>, add: Add<'_>) -> Result<(), KeyError> {
    for key_spec in &spec.key_specs {
        if key_spec.flags.contains(KeyFlags::NOT_KEY) {
            continue;
        }
        let Some(begin) = begin(&key_spec.begin, request) else { continue };
        match key_spec.find {
            FindKeys::Range { last, step, limit } => {
                let end = range_end(begin, last, limit, request.len());
                if end >= request.len() || end < begin {
                    // GEORADIUS … STORE without a destination: its shard will say so.
                    if last == 0 || spec.is_learned() {
                        continue;
                    }
                    return Err(KeyError::Syntax);
                }
                (begin..=end).step_by(step).for_each(|index| add(index, key_spec.flags));
            }
            FindKeys::Count { at, first, step } => {
                let count = count(spec, request, begin + at, begin + first, step)?;
                let keys = (begin + first..).step_by(step).take(count);
                keys.for_each(|index| add(index, key_spec.flags));
            }
            FindKeys::Unknown => {}
        }
    }
    Ok(())
}

/// SORT: the key, and where the result goes. The last STORE counts, as in Redis.
pub fn sort(request: &Request<'_>, add: Add<'_>) {
    add(1, KeyFlags::RO.with(KeyFlags::ACCESS));
    let mut destination = None;
    let mut index = 2;
    while index < request.len() {
        let option = request.arg(index);
        index += match () {
            _ if option.eq_ignore_ascii_case(b"limit") => 3,
            _ if option.eq_ignore_ascii_case(b"get") || option.eq_ignore_ascii_case(b"by") => 2,
            _ if option.eq_ignore_ascii_case(b"store") && index + 1 < request.len() => {
                destination = Some(index + 1);
                1
            }
            _ => 1,
        };
    }
    if let Some(index) = destination {
        add(index, KeyFlags::OW.with(KeyFlags::UPDATE));
    }
}

/// MIGRATE: argument 3, or everything after KEYS, which wants that to be empty.
pub fn migrate(request: &Request<'_>, add: Add<'_>) {
    let flags = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE);
    let mut index = 6;
    while index < request.len() {
        let option = request.arg(index);
        index += match () {
            _ if option.eq_ignore_ascii_case(b"keys") => {
                if request.arg(3).is_empty() {
                    (index + 1..request.len()).for_each(|key| add(key, flags));
                }
                return;
            }
            _ if option.eq_ignore_ascii_case(b"auth") => 2,
            _ if option.eq_ignore_ascii_case(b"auth2") => 3,
            _ => 1,
        };
    }
    add(3, flags);
}

/// What SET and BITFIELD do with their key, which their arguments decide.
pub fn variable_flags(spec: &Spec, request: &Request<'_>) -> KeyFlags {
    let reads_and_writes = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE);
    match spec.name {
        "set" if !request.args().skip(3).any(|arg| arg.eq_ignore_ascii_case(b"get")) => {
            KeyFlags::OW.with(KeyFlags::UPDATE)
        }
        "bitfield" if only_reads(request) => KeyFlags::RO.with(KeyFlags::ACCESS),
        _ => reads_and_writes,
    }
}

fn only_reads(request: &Request<'_>) -> bool {
    let mut index = 2;
    while index < request.len() {
        let (option, left) = (request.arg(index), request.len() - index - 1);
        index += match () {
            _ if option.eq_ignore_ascii_case(b"get") && left >= 2 => 3,
            _ if option.eq_ignore_ascii_case(b"overflow") && left >= 1 => 2,
            _ => return false,
        };
    }
    true
}

fn begin(begin: &BeginSearch, request: &Request<'_>) -> Option<usize> {
    match *begin {
        BeginSearch::Index(index) => Some(index),
        BeginSearch::Keyword { keyword, from } => after_keyword(request, keyword, from),
        BeginSearch::Unknown => None,
    }
}

/// The place after `keyword`, searched from argument `from` on, or backwards from the end.
fn after_keyword(request: &Request<'_>, keyword: &str, from: i32) -> Option<usize> {
    let matches = |index: &usize| request.arg(*index).eq_ignore_ascii_case(keyword.as_bytes());
    let found = match usize::try_from(from) {
        Ok(from) => (from..request.len()).find(matches),
        Err(_) => {
            (1..=request.len().saturating_sub(from.unsigned_abs() as usize)).rev().find(matches)
        }
    };
    found.map(|index| index + 1)
}

/// The last key of a range, inclusive; before `begin` when there is none.
fn range_end(begin: usize, last: i32, limit: usize, count: usize) -> usize {
    match usize::try_from(last) {
        Ok(last) => begin + last,
        Err(_) if limit > 1 => (begin + count.saturating_sub(begin) / limit).saturating_sub(1),
        Err(_) => count.saturating_sub(last.unsigned_abs() as usize),
    }
}

/// How many keys the argument at `at` promises; `first` is where they would start.
fn count(
    spec: &Spec,
    request: &Request<'_>,
    at: usize,
    first: usize,
    step: usize,
) -> Result<usize, KeyError> {
    let family = if spec.is_learned() { Family::Learned } else { Family::of(spec.name) };
    if at >= request.len() {
        return Err(KeyError::Syntax);
    }
    let number = integer(request.arg(at)).ok_or_else(|| family.not_a_number())?;
    if number < 0 || (number == 0 && !family.may_have_none()) {
        return Err(family.too_few(spec.name));
    }
    let room = request.len().saturating_sub(first).div_ceil(step);
    usize::try_from(number).ok().filter(|&keys| keys <= room).ok_or_else(|| family.too_many())
}

/// A decimal integer as Redis reads one: no sign but a minus, no leading zeros, no spaces.
fn integer(digits: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == digits).then_some(number)
}

/// The families of commands that count their keys; each has its own words for a wrong count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Script,
    Function,
    SortedSets,
    Cardinality,
    Pop,
    Learned,
}

impl Family {
    fn of(name: &str) -> Self {
        match name {
            "sintercard" => Self::Cardinality,
            _ if name.starts_with("eval") => Self::Script,
            _ if name.starts_with("fcall") => Self::Function,
            _ if name.starts_with('z') && name != "zmpop" => Self::SortedSets,
            _ => Self::Pop,
        }
    }

    fn may_have_none(self) -> bool {
        matches!(self, Self::Script | Self::Function | Self::Learned)
    }

    fn not_a_number(self) -> KeyError {
        match self {
            Self::Script | Self::SortedSets | Self::Learned => KeyError::NotANumber,
            Self::Function => KeyError::BadNumber,
            Self::Cardinality | Self::Pop => KeyError::NotPositive,
        }
    }

    fn too_few(self, name: &'static str) -> KeyError {
        match self {
            Self::Script | Self::Function | Self::Learned => KeyError::Negative,
            Self::SortedSets => KeyError::NoInputKey(name),
            Self::Cardinality | Self::Pop => KeyError::NotPositive,
        }
    }

    fn too_many(self) -> KeyError {
        match self {
            Self::Script | Self::Function | Self::Cardinality | Self::Learned => KeyError::TooMany,
            Self::SortedSets | Self::Pop => KeyError::Syntax,
        }
    }
}
