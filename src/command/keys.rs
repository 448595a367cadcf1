//! Which arguments of a command are keys.

use smallvec::SmallVec;

use super::Spec;
use crate::resp::Request;

/// Indices of the arguments that are keys, in the order of the command.
pub type KeyPositions = SmallVec<[u32; 16]>;

/// Why a command's keys cannot be told; `Display` is Redis's own text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// numkeys is no number, or larger than the arguments that follow.
    #[error("ERR value is not an integer or out of range")]
    BadCount,
}

/// Appends the positions of `request`'s keys to `positions`. Arity has been checked.
pub fn find(
    _spec: &Spec,
    _request: &Request<'_>,
    _positions: &mut KeyPositions,
) -> Result<(), KeyError> {
    Ok(())
}
