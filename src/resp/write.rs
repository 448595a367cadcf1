//! Frames that circlet itself says: replies in the protocol version of the connection, commands
//! as arrays of bulk strings.

use super::{Protocol, number};

/// Appends frames to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Writer<'a> {
    /// Appends to `out` in `protocol`.
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The protocol that is written.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `+text`. Line ends within become spaces.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text);
    }

    /// `-text`; the text starts with its code (`ERR …`). Line ends within become spaces.
    pub fn error(&mut self, text: &str) {
        self.line(b'-', text);
    }

    /// `:number`.
    pub fn integer(&mut self, number: i64) {
        self.out.push(b':');
        if number < 0 {
            self.out.push(b'-');
        }
        number::write(self.out, number.unsigned_abs());
        self.line_end();
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        bulk_into(self.out, bytes);
    }

    /// Null: `_` in RESP3, the null bulk string in RESP2.
    pub fn null(&mut self) {
        self.either(b"$-1\r\n", b"_\r\n");
    }

    /// Null where an array was asked for: `_` in RESP3, the null array in RESP2.
    pub fn null_array(&mut self) {
        self.either(b"*-1\r\n", b"_\r\n");
    }

    /// The head of an array of `count` elements.
    #[inline]
    pub fn array(&mut self, count: usize) {
        array_head_into(self.out, count);
    }

    /// The head of a map of `count` pairs: an array of twice as many in RESP2.
    pub fn map(&mut self, count: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(count * 2),
            Protocol::Resp3 => head(self.out, b'%', count),
        }
    }

    /// The head of a set of `count` elements: an array in RESP2.
    pub fn set(&mut self, count: usize) {
        self.head_or_array(b'~', count);
    }

    /// The head of a push of `count` elements, its kind first: an array in RESP2.
    pub fn push(&mut self, count: usize) {
        self.head_or_array(b'>', count);
    }

    /// A double in the shortest digits that read back the same: `,` in RESP3, a bulk string in
    /// RESP2. As in Redis: `inf`, `-inf`, `nan`, and integral values without a point.
    pub fn double(&mut self, number: f64) {
        let text = match number {
            number if number.is_nan() => "nan".to_owned(),
            number if number != 0.0 && !(1e-5..1e17).contains(&number.abs()) => {
                format!("{number:e}")
            }
            number => number.to_string(),
        };
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => self.line(b',', &text),
        }
    }

    /// A truth value: `#t` or `#f` in RESP3, `:1` or `:0` in RESP2.
    pub fn boolean(&mut self, truth: bool) {
        match truth {
            true => self.either(b":1\r\n", b"#t\r\n"),
            false => self.either(b":0\r\n", b"#f\r\n"),
        }
    }

    /// Plain text for people (INFO, CLIENT LIST): a verbatim string in RESP3, a bulk string in
    /// RESP2.
    pub fn verbatim(&mut self, text: &str) {
        if self.protocol == Protocol::Resp2 {
            return self.bulk(text.as_bytes());
        }
        head(self.out, b'=', text.len() + 4);
        self.out.extend_from_slice(b"txt:");
        self.out.extend_from_slice(text.as_bytes());
        self.line_end();
    }

    /// A number of any size, given as its decimal digits (`-` before them if negative): `(` in
    /// RESP3, a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits),
        }
    }

    /// A frame that is whole already, as a shard sent it.
    #[inline]
    pub fn raw(&mut self, frame: &[u8]) {
        self.out.extend_from_slice(frame);
    }

    fn head_or_array(&mut self, kind: u8, count: usize) {
        let kind = if self.protocol == Protocol::Resp3 { kind } else { b'*' };
        head(self.out, kind, count);
    }

    fn either(&mut self, resp2: &[u8], resp3: &[u8]) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => resp2,
            Protocol::Resp3 => resp3,
        });
    }

    fn line(&mut self, kind: u8, text: &str) {
        self.out.push(kind);
        let start = self.out.len();
        self.out.extend_from_slice(text.as_bytes());
        for byte in &mut self.out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.line_end();
    }

    fn line_end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Appends `args` as a command: an array of bulk strings, in either protocol version.
pub fn command(out: &mut Vec<u8>, args: &[impl AsRef<[u8]>]) {
    array_head_into(out, args.len());
    for arg in args {
        bulk_into(out, arg.as_ref());
    }
}

/// An error as a frame of its own; the text starts with its code.
pub fn error_frame(text: &str) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + 3);
    Writer::new(&mut frame, Protocol::Resp2).error(text);
    frame
}

/// Appends the head of an array of `count` elements.
#[inline]
pub fn array_head_into(out: &mut Vec<u8>, count: usize) {
    head(out, b'*', count);
}

/// Appends a bulk string.
#[inline]
pub fn bulk_into(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends the head of an aggregate or a bulk string: its type byte and its count.
#[inline]
pub fn head(out: &mut Vec<u8>, kind: u8, count: usize) {
    match count {
        0..=9 => out.extend_from_slice(&[kind, b'0' + count as u8, b'\r', b'\n']),
        _ => {
            out.push(kind);
            number::write(out, count as u64);
            out.extend_from_slice(b"\r\n");
        }
    }
}
