//! What a shard says on a link that subscribes, in RESP2.

use super::Kind;

/// One frame of such a link.
#[derive(Debug, PartialEq)]
pub enum Heard<'a> {
    /// A message to pass on as it is.
    Message {
        /// What it came for.
        kind: Kind,
        /// The channel, or the pattern that matched.
        name: &'a [u8],
    },
    /// The confirmation of one name of a command; the command's name, or `pong`.
    Confirmed(&'a [u8]),
    /// A command failed as a whole; the text of the error.
    Refused(&'a [u8]),
}

/// Reads a whole frame; `None` for what has no business on such a link.
pub fn read(frame: &[u8]) -> Option<Heard<'_>> {
    let rest = match frame.split_first()? {
        (b'-', text) => return Some(Heard::Refused(text.strip_suffix(b"\r\n")?)),
        (b'+', b"PONG\r\n") => return Some(Heard::Confirmed(b"pong")),
        (b'*', rest) => &rest[rest.iter().position(|&byte| byte == b'\n')? + 1..],
        _ => return None,
    };
    let (word, rest) = bulk(rest)?;
    for kind in Kind::ALL {
        if word == kind.message().as_bytes() {
            let (name, _) = bulk(rest)?;
            return Some(Heard::Message { kind, name });
        }
    }
    (word.ends_with(b"subscribe") || word == b"pong").then_some(Heard::Confirmed(word))
}

/// The bulk string at the start of `bytes`, and what follows it.
fn bulk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = bytes.strip_prefix(b"$")?;
    let end = digits.iter().position(|&byte| byte == b'\r')?;
    let mut length = 0_usize;
    for digit in &digits[..end] {
        length = length.checked_mul(10)?.checked_add(usize::from(digit.checked_sub(b'0')?))?;
    }
    let body = digits.get(end + 2..)?;
    Some((body.get(..length)?, body.get(length + 2..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_confirmations_are_told_apart() {
        let message = b"*3\r\n$7\r\nmessage\r\n$2\r\nc1\r\n$3\r\nabc\r\n";
        assert_eq!(read(message), Some(Heard::Message { kind: Kind::Channel, name: b"c1" }));
        let message = b"*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\nc1\r\n$3\r\nabc\r\n";
        assert_eq!(read(message), Some(Heard::Message { kind: Kind::Pattern, name: b"c*" }));
        let message = b"*3\r\n$8\r\nsmessage\r\n$0\r\n\r\n$0\r\n\r\n";
        assert_eq!(read(message), Some(Heard::Message { kind: Kind::Shard, name: b"" }));
        let confirmed = b"*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n";
        assert_eq!(read(confirmed), Some(Heard::Confirmed(b"punsubscribe")));
        // PING is answered by where the link stands.
        assert_eq!(read(b"+PONG\r\n"), Some(Heard::Confirmed(b"pong")));
        assert_eq!(read(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"), Some(Heard::Confirmed(b"pong")));
        assert_eq!(read(b"-NOPERM no\r\n"), Some(Heard::Refused(b"NOPERM no")));
    }

    #[test]
    fn other_frames_are_none() {
        for frame in
            [&b"+OK\r\n"[..], b":1\r\n", b"*0\r\n", b"*1\r\n$3\r\nabc\r\n", b"*1\r\n:1\r\n"]
        {
            assert_eq!(read(frame), None, "{}", frame.escape_ascii());
        }
    }
}
