//! Which arguments of a command are keys.

use smallvec::SmallVec;

use super::bits::KeyFlags;
use super::search;
use super::spec::{Keys, Search, Spec};
use crate::resp::Request;

/// Indices of the arguments that are keys, in the order of the command.
pub type KeyPositions = SmallVec<[u32; 16]>;

/// Why a command's keys cannot be told; `Display` is Redis's own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The number of keys is no number.
    #[error("ERR value is not an integer or out of range")]
    NotANumber,
    /// FCALL's words for the same.
    #[error("ERR Bad number of keys provided")]
    BadNumber,
    /// Fewer than no keys.
    #[error("ERR Number of keys can't be negative")]
    Negative,
    /// More keys than arguments.
    #[error("ERR Number of keys can't be greater than number of args")]
    TooMany,
    /// LMPOP's kind: no number, or none above zero.
    #[error("ERR numkeys should be greater than 0")]
    NotPositive,
    /// ZUNION's kind: no key at all.
    #[error("ERR at least 1 input key is needed for '{0}' command")]
    NoInputKey(&'static str),
    /// The arguments are not in an order that has keys.
    #[error("ERR syntax error")]
    Syntax,
    /// XREAD: keys and ids do not pair up.
    #[error(
        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
    )]
    Unbalanced,
    /// A key lacks its value.
    #[error("ERR wrong number of arguments for '{0}' command")]
    WrongArity(&'static str),
}

/// Appends the positions of `request`'s keys to `positions`. Arity has been checked.
///
/// A command that has keys but for which none are told (EVAL with `numkeys` 0) leaves `positions`
/// empty. A malformed command is an error where no shard, and else left to its shard, to say so.
#[inline]
pub fn find(
    spec: &Spec,
    request: &Request<'_>,
    positions: &mut KeyPositions,
) -> Result<(), KeyError> {
    match spec.keys {
        Keys::None => Ok(()),
        Keys::At(index) => {
            positions.push(index as u32);
            Ok(())
        }
        Keys::Range { first, last, step } => {
            let end = if last < 0 { request.len() as i32 + last } else { last } as usize;
            if step > 1 && !(request.len() - first).is_multiple_of(step) {
                return Err(KeyError::WrongArity(spec.name));
            }
            positions.extend((first as u32..=end as u32).step_by(step));
            Ok(())
        }
        Keys::Search(_) => search::strict(spec, request, positions),
    }
}

/// The positions of `request`'s keys with what the command does with each, as COMMAND
/// GETKEYSANDFLAGS tells them: more lenient with malformed commands than [`find`].
pub fn find_with_flags(
    spec: &Spec,
    request: &Request<'_>,
) -> Result<Vec<(usize, KeyFlags)>, KeyError> {
    let mut keys = Vec::new();
    let mut add = |position, flags| keys.push((position, flags));
    match spec.keys {
        Keys::Search(Search::Sort) => search::sort(request, &mut add),
        Keys::Search(Search::Migrate) => search::migrate(request, &mut add),
        _ => search::specs(spec, request, &mut add)?,
    }
    for (_, flags) in keys.iter_mut().filter(|key| key.1.contains(KeyFlags::VARIABLE_FLAGS)) {
        *flags = search::variable_flags(spec, request);
    }
    Ok(keys)
}

/// Whether XREAD or XREADGROUP waits: carries BLOCK among its options.
pub fn blocks(request: &Request<'_>) -> bool {
    let mut index = 1;
    while index < request.len() {
        let option = request.arg(index);
        index += match () {
            _ if option.eq_ignore_ascii_case(b"block") => return true,
            _ if option.eq_ignore_ascii_case(b"streams") => return false,
            _ if option.eq_ignore_ascii_case(b"count") => 2,
            _ if option.eq_ignore_ascii_case(b"group") => 3,
            _ => 1,
        };
    }
    false
}

/// The arguments of SORT and SORT_RO that name keys by a pattern: BY's and GET's that hold a `*`.
pub fn patterns(request: &Request<'_>) -> KeyPositions {
    let mut positions = KeyPositions::new();
    let mut index = 2;
    while index + 1 < request.len() {
        let option = request.arg(index);
        index += match () {
            _ if option.eq_ignore_ascii_case(b"limit") => 3,
            _ if option.eq_ignore_ascii_case(b"store") => 2,
            _ if option.eq_ignore_ascii_case(b"by") || option.eq_ignore_ascii_case(b"get") => {
                if request.arg(index + 1).contains(&b'*') {
                    positions.push(index as u32 + 1);
                }
                2
            }
            _ => 1,
        };
    }
    positions
}

/// The part of `pattern` before its first `*`, if its hash tag is in there: then all keys that the
/// pattern can name live where that part does. After the star no tag is safe, for what replaces
/// the star may hold another.
pub fn pinned_part(pattern: &[u8], tag: Option<[u8; 2]>) -> Option<&[u8]> {
    let [open, close] = tag?;
    let part = pattern.split(|&byte| byte == b'*').next()?;
    let start = part.iter().position(|&byte| byte == open)? + 1;
    let length = part[start..].iter().position(|&byte| byte == close)?;
    (length > 0).then_some(part)
}
