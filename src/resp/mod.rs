//! Bytes to frames and back, without input or output.
//!
//! The scanners find where a command or a reply ends; they never copy it. Both are resumable: a
//! frame that arrives in pieces is scanned once, each call going on where the last one stopped.

mod effort;
pub mod inline;
mod number;
pub mod reply;
pub mod request;
pub mod write;

#[cfg(test)]
mod tests;

pub use reply::{ReplyError, ReplyLimits, ReplyScanner};
pub use request::{OnceKnown, ProtocolError, RequestLimits, RequestScanner};
pub use write::Writer;

/// The version of RESP a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// RESP2, what a connection speaks before HELLO.
    #[default]
    Resp2,
    /// RESP3, after HELLO 3.
    Resp3,
}

impl Protocol {
    /// The number that HELLO takes.
    pub fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// How far a scan came. Lengths count from the first byte of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// The frame is whole and takes this many bytes.
    Done(usize),
    /// The frame goes on; at least this many bytes are still to come.
    More(usize),
}

/// Where an argument's bytes lie within its command, header and line end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset past the last byte.
    pub end: u32,
}

/// A whole command in RESP: its bytes, and where its arguments lie in them.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    bytes: &'a [u8],
    args: &'a [Span],
}

impl<'a> Request<'a> {
    /// The command in `bytes` whose arguments a scanner found at `args`.
    pub fn new(bytes: &'a [u8], args: &'a [Span]) -> Self {
        Self { bytes, args }
    }

    /// The number of arguments, the command's name included (Redis's argc).
    #[allow(clippy::len_without_is_empty)]
    #[inline]
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// The bytes of argument `index`; 0 is the command's name.
    #[inline(always)]
    pub fn arg(&self, index: usize) -> &'a [u8] {
        let span = self.args[index];
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// Argument `index` as it stands on the wire: `$3\r\nfoo\r\n`.
    #[inline]
    pub fn wire_arg(&self, index: usize) -> &'a [u8] {
        let end = self.args[index].end as usize + 2;
        let start = match index {
            0 => self.bytes.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1),
            _ => self.args[index - 1].end as usize + 2,
        };
        &self.bytes[start..end]
    }

    /// The whole command as it stands on the wire.
    #[inline(always)]
    pub fn wire(&self) -> &'a [u8] {
        self.bytes
    }

    /// The arguments, the command's name first.
    pub fn args(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.args.iter().map(move |span| &bytes[span.start as usize..span.end as usize])
    }
}
