//! Lines within replies: where they end, and what may stand in them.

use crate::resp::effort;

/// Where the first CR or LF of `bytes` stands, looking from `from` on; `bytes.len()` when there
/// is none.
#[inline]
pub(super) fn end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let found = rest.iter().position(|&byte| matches!(byte, b'\r' | b'\n'));
    effort::spend(found.unwrap_or(rest.len()));
    found.map_or(bytes.len(), |at| from + at)
}

/// Whether `text` may follow the type byte `kind` of a reply that is a line.
pub(super) fn is_value(kind: u8, text: &[u8]) -> bool {
    match kind {
        b':' | b'(' => is_integer(text),
        b'#' => matches!(text, b"t" | b"f"),
        b'_' => text.is_empty(),
        b',' => is_double(text),
        _ => true,
    }
}

fn is_integer(text: &[u8]) -> bool {
    let digits = unsigned(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// Not the grammar to the letter but its alphabet; `-nan`, too, since Redis before 7.2 sends it.
fn is_double(text: &[u8]) -> bool {
    let digits = unsigned(text);
    let named = digits.eq_ignore_ascii_case(b"inf") || digits.eq_ignore_ascii_case(b"nan");
    let numeric = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
    named || (digits.iter().any(u8::is_ascii_digit) && digits.iter().all(numeric))
}

fn unsigned(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text)
}
