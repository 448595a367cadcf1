//! What a whole frame of a shard says, for replies that are taken apart.

/// Whether it is an error.
pub fn is_error(frame: &[u8]) -> bool {
    matches!(frame.first(), Some(b'-' | b'!'))
}

/// Whether it is null, in either version of RESP.
pub fn is_null(frame: &[u8]) -> bool {
    matches!(frame, b"$-1\r\n" | b"*-1\r\n" | b"_\r\n")
}

/// The bytes of a bulk, verbatim or simple string, or of an error without its `-`.
pub fn text(frame: &[u8]) -> Option<&[u8]> {
    let line = line(frame)?;
    let body = || frame.get(line.len() + 3..frame.len().checked_sub(2)?);
    match frame.first()? {
        b'+' | b'-' => Some(line),
        b'$' | b'!' => body(),
        b'=' => body()?.get(4..),
        _ => None,
    }
}

/// The bytes of a bulk or verbatim string.
pub fn bulk(frame: &[u8]) -> Option<&[u8]> {
    match frame.first()? {
        b'$' | b'=' => text(frame),
        _ => None,
    }
}

/// The number that an integer frame is.
pub fn integer(frame: &[u8]) -> Option<i64> {
    match frame.first()? {
        b':' => std::str::from_utf8(line(frame)?).ok()?.parse().ok(),
        _ => None,
    }
}

/// The number that an integer, a double or, as RESP2 has no doubles, a string is.
pub fn number(frame: &[u8]) -> Option<f64> {
    let digits = match frame.first()? {
        b':' | b',' => line(frame)?,
        _ => text(frame)?,
    };
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What stands between the type byte and the first line end.
fn line(frame: &[u8]) -> Option<&[u8]> {
    let end = frame.iter().position(|&byte| byte == b'\r')?;
    frame.get(1..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_in_all_their_forms() {
        for frame in ["+abc\r\n", "-abc\r\n", "$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n", "!3\r\nabc\r\n"]
        {
            assert_eq!(text(frame.as_bytes()), Some(&b"abc"[..]), "{frame:?}");
        }
        assert_eq!(text(b"$0\r\n\r\n"), Some(&b""[..]));
        assert_eq!(bulk(b"=7\r\ntxt:abc\r\n"), Some(&b"abc"[..]));
        assert_eq!((bulk(b"-abc\r\n"), bulk(b"+abc\r\n"), bulk(b"$-1\r\n")), (None, None, None));
        for frame in ["$-1\r\n", "_\r\n", ":1\r\n", "*0\r\n", "", "$"] {
            assert_eq!(text(frame.as_bytes()), None, "{frame:?}");
        }
    }

    #[test]
    fn numbers_are_read_in_both_versions() {
        assert_eq!(integer(b":-5\r\n"), Some(-5));
        assert_eq!(integer(b"$1\r\n5\r\n"), None);
        assert_eq!(number(b",1.5\r\n"), Some(1.5));
        assert_eq!(number(b"$3\r\n1.5\r\n"), Some(1.5));
        assert_eq!(number(b":15\r\n"), Some(15.0));
        assert_eq!(number(b"$1\r\nx\r\n"), None);
    }
}
