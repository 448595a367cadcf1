//! Where one reply ends, RESP2 and RESP3.
//!
//! ```text
//!     *3\r\n :1\r\n $?\r\n ;2\r\n ab\r\n ;0\r\n %?\r\n +k\r\n _\r\n .\r\n
//!     level 1: 3 elements left          └ a streamed string   └ level 2: a streamed map, until `.`
//! ```
//!
//! Aggregates that are open are kept on a stack of [`ReplyLimits::nesting`] levels at most; there
//! is no recursion. Attributes (`|`) belong to the reply, or to the element, that follows them.
//! Line ends must be `\r\n`, and a line holds no other CR or LF: what is passed on byte by byte
//! must end for every client where it ends here.

mod elements;
mod levels;
mod line;
mod scanner;
mod simple;

pub use elements::{Elements, array_len, elements};
pub use scanner::ReplyScanner;

/// What a shard may send.
#[derive(Debug, Clone, Copy)]
pub struct ReplyLimits {
    /// The largest whole reply, in bytes.
    pub reply: u64,
    /// The deepest nesting of aggregates.
    pub nesting: u32,
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self { reply: 1 << 30, nesting: 128 }
    }
}

/// Why bytes from a shard are not a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The first byte of a frame is none that RESP knows.
    #[error("a frame cannot start with byte 0x{0:02x}")]
    UnknownType(u8),
    /// The length or count after this type byte is no number of the right kind.
    #[error("invalid length after '{}'", char::from(*.0))]
    InvalidLength(u8),
    /// The line after this type byte does not hold what the type promises.
    #[error("invalid value after '{}'", char::from(*.0))]
    InvalidValue(u8),
    /// A line holds a CR or LF that is not part of its end.
    #[error("a line holds a CR or LF that does not end it")]
    StrayLineEnd,
    /// Other bytes than `\r\n` after a bulk string.
    #[error("a bulk string is not followed by CRLF")]
    ExpectedLineEnd,
    /// No line end within [`MAX_LINE`] bytes.
    #[error("a line is longer than {MAX_LINE} bytes")]
    LineTooLong,
    /// A streamed string goes on with something else than `;`.
    #[error("a streamed string cannot go on with byte 0x{0:02x}")]
    ExpectedChunk(u8),
    /// `.` where no streamed aggregate can end.
    #[error("a streamed aggregate ends where none can end")]
    UnexpectedEnd,
    /// The reply is larger than [`ReplyLimits::reply`], given here, or has declared to be.
    #[error("the reply is larger than {0} bytes")]
    TooLarge(u64),
    /// Aggregates are nested deeper than [`ReplyLimits::nesting`], given here.
    #[error("aggregates are nested deeper than {0} levels")]
    TooDeep(u32),
}

/// The longest line: simple strings, errors, numbers, headers.
pub const MAX_LINE: usize = 64 << 10;
