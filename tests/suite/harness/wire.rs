//! The Redis protocol as the tests understand it: written apart from `src/resp`, so that one
//! misunderstanding cannot hide another.

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read};

/// A reply, parsed.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// `+OK`
    Simple(String),
    /// `-ERR …`, without the minus.
    Error(String),
    /// `:1`
    Integer(i64),
    /// `$3`, and RESP3's verbatim strings with their format and colon.
    Bulk(Vec<u8>),
    /// `$-1`, `*-1` and RESP3's `_`.
    Nil,
    /// `*2`
    Array(Vec<Reply>),
    /// RESP3's `%2`, in the order received.
    Map(Vec<(Reply, Reply)>),
    /// RESP3's `~2`
    Set(Vec<Reply>),
    /// RESP3's `>2`
    Push(Vec<Reply>),
    /// RESP3's `,1.5` and `(123`: the digits as received.
    Number(String),
    /// RESP3's `#t`
    Boolean(bool),
}

impl Reply {
    /// A bulk string.
    pub fn bulk(text: impl AsRef<[u8]>) -> Reply {
        Reply::Bulk(text.as_ref().to_vec())
    }

    /// `+OK`
    pub fn ok() -> Reply {
        Reply::Simple("OK".to_owned())
    }

    /// The text when it is an error.
    pub fn error(&self) -> Option<&str> {
        match self {
            Reply::Error(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a string of either kind.
    #[track_caller]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Reply::Bulk(bytes) => bytes,
            Reply::Simple(text) => text.as_bytes(),
            other => panic!("not a string: {other}"),
        }
    }

    /// The number of an integer reply.
    #[track_caller]
    pub fn integer(&self) -> i64 {
        match self {
            Reply::Integer(number) => *number,
            other => panic!("not an integer: {other}"),
        }
    }

    /// The elements of an array.
    #[track_caller]
    pub fn elements(&self) -> &[Reply] {
        match self {
            Reply::Array(elements) | Reply::Set(elements) => elements,
            other => panic!("not an array: {other}"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            other => write!(f, "{other:?}"),
        }
    }
}

/// A command as clients send it: an array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Reads one reply; its bytes are added to `raw`.
pub fn read_reply(from: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Reply> {
    let line = read_line(from, raw)?;
    let (kind, rest) = (line[0], String::from_utf8_lossy(&line[1..]).into_owned());
    let length = || rest.parse::<i64>().map_err(|_| malformed(&line));
    Ok(match kind {
        b'+' => Reply::Simple(rest),
        b'-' => Reply::Error(rest),
        b':' => Reply::Integer(length()?),
        b'_' => Reply::Nil,
        b'#' => Reply::Boolean(rest == "t"),
        b',' | b'(' => Reply::Number(rest),
        b'$' | b'*' if length()? < 0 => Reply::Nil,
        b'$' | b'=' | b'!' => read_bulk(from, raw, length()? as usize, kind == b'!')?,
        b'*' => Reply::Array(read_many(from, raw, length()?)?),
        b'~' => Reply::Set(read_many(from, raw, length()?)?),
        b'>' => Reply::Push(read_many(from, raw, length()?)?),
        b'%' => {
            let mut flat = read_many(from, raw, 2 * length()?)?.into_iter();
            let mut pairs = Vec::new();
            while let (Some(key), Some(value)) = (flat.next(), flat.next()) {
                pairs.push((key, value));
            }
            Reply::Map(pairs)
        }
        _ => return Err(malformed(&line)),
    })
}

/// Reads one command as a shard does: an array of bulk strings, nothing else.
pub fn read_command(from: &mut impl BufRead) -> io::Result<Vec<Vec<u8>>> {
    match read_reply(from, &mut Vec::new())? {
        Reply::Array(arguments) => Ok(arguments.iter().map(|one| one.bytes().to_vec()).collect()),
        other => Err(io::Error::new(ErrorKind::InvalidData, format!("not a command: {other}"))),
    }
}

fn read_many(from: &mut impl BufRead, raw: &mut Vec<u8>, count: i64) -> io::Result<Vec<Reply>> {
    (0..count).map(|_| read_reply(from, raw)).collect()
}

fn read_bulk(
    from: &mut impl BufRead,
    raw: &mut Vec<u8>,
    length: usize,
    is_error: bool,
) -> io::Result<Reply> {
    let start = raw.len();
    from.take(length as u64 + 2).read_to_end(raw)?;
    if raw.len() < start + length + 2 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if !raw.ends_with(b"\r\n") {
        return Err(malformed(&raw[start..]));
    }
    let body = raw[start..start + length].to_vec();
    Ok(match is_error {
        true => Reply::Error(String::from_utf8_lossy(&body).into_owned()),
        false => Reply::Bulk(body),
    })
}

/// A line without its end; never empty.
fn read_line(from: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let start = raw.len();
    from.read_until(b'\n', raw)?;
    let line = &raw[start..];
    if line.is_empty() || !line.ends_with(b"\n") {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    match line.strip_suffix(b"\r\n") {
        Some(line) if !line.is_empty() => Ok(line.to_vec()),
        _ => Err(malformed(line)),
    }
}

fn malformed(bytes: &[u8]) -> io::Error {
    let shown = &bytes[..bytes.len().min(80)];
    io::Error::new(ErrorKind::InvalidData, format!("not RESP: \"{}\"", shown.escape_ascii()))
}
