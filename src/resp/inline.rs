//! Inline commands: a line of words with Redis's quoting rules, turned into RESP.
//!
//! ```text
//!     SET "a key" 'it\'s' "\x01\n"     four words: SET, a key, it's, and the bytes 01 0a
//! ```

use super::{ProtocolError, write};

/// Appends the command in `line` (line end included or not) to `out` as a RESP array of bulk
/// strings. A blank line appends nothing.
///
/// The rules are those of Redis's `sdssplitargs`. A NUL byte is a byte like others here (Redis
/// never finds the end of a line that holds one).
///
/// # Errors
/// [`ProtocolError::UnbalancedQuotes`]; `out` is as it was.
pub fn encode(line: &[u8], out: &mut Vec<u8>) -> Result<(), ProtocolError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut rest = skip_spaces(line);
    while !rest.is_empty() {
        let (word, after) = split_word(rest)?;
        words.push(word);
        rest = skip_spaces(after);
    }
    if !words.is_empty() {
        write::command(out, &words);
    }
    Ok(())
}

fn skip_spaces(text: &[u8]) -> &[u8] {
    let kept = text.iter().position(|&byte| !is_space(byte)).unwrap_or(text.len());
    &text[kept..]
}

/// The first word of `rest`, which does not start with a space, and what follows it.
fn split_word(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), ProtocolError> {
    let mut word = Vec::new();
    loop {
        match *rest {
            // Not is_space: inside a word Redis ends at these four only, so \v and \f belong to it.
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok((word, rest)),
            [quote @ (b'"' | b'\''), ref quoted @ ..] => {
                let after = match quote {
                    b'"' => unquote_double(quoted, &mut word)?,
                    _ => unquote_single(quoted, &mut word)?,
                };
                return match after.first() {
                    Some(&byte) if !is_space(byte) => Err(ProtocolError::UnbalancedQuotes),
                    _ => Ok((word, after)),
                };
            }
            [byte, ref after @ ..] => {
                word.push(byte);
                rest = after;
            }
        }
    }
}

/// Appends the bytes up to the closing `"` to `word`; what is left follows the quote.
fn unquote_double<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, after) = match *rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'"', ref after @ ..] => return Ok(after),
            [b'\\', b'x', high, low, ref after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex(high) << 4 | hex(low), after)
            }
            [b'\\', escaped, ref after @ ..] => (unescape(escaped), after),
            [byte, ref after @ ..] => (byte, after),
        };
        word.push(byte);
        rest = after;
    }
}

/// Appends the bytes up to the closing `'` to `word`; what is left follows the quote.
fn unquote_single<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, after) = match *rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'\'', ref after @ ..] => return Ok(after),
            [b'\\', b'\'', ref after @ ..] => (b'\'', after),
            [byte, ref after @ ..] => (byte, after),
        };
        word.push(byte);
        rest = after;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
