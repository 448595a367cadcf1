//! The fast path: replies that most are, whole and in order. Whatever else it may be is left to the
//! scanner, which says what is missing or wrong.

use super::line;
use crate::resp::number;

/// The length of the reply that `bytes` start with, if it is one of those that most are and is
/// whole.
#[inline]
pub(super) fn simple(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'$' => {
            let Some((length, taken)) = number::header(bytes) else {
                return bytes.starts_with(b"$-1\r\n").then_some(5);
            };
            let end = taken.checked_add(usize::try_from(length).ok()?)?;
            let tail = bytes.get(end..)?;
            tail.starts_with(b"\r\n").then_some(end + 2)
        }
        b'+' | b'-' => {
            let window = &bytes[..bytes.len().min(SIMPLE_LINE)];
            let end = line::end(window, 1);
            bytes[end..].starts_with(b"\r\n").then_some(end + 2)
        }
        b':' => number::header(bytes).map(|(_, taken)| taken),
        _ => None,
    }
}

/// As far as the fast path looks for the end of a simple string.
const SIMPLE_LINE: usize = 64;
