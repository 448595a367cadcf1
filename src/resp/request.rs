//! Where one command ends and where its arguments lie.
//!
//! ```text
//!     *2\r\n $3\r\n GET\r\n $5\r\n hello\r\n
//!     count  header body    header body        Done(24), args [8..11, 17..22]
//! ```
//!
//! What Redis 7.0 refuses is refused with Redis's own text. Stricter than Redis is one thing: every
//! header and every bulk string must end in `\r\n`, where Redis skips any two bytes unseen; what is
//! passed on to a shard byte by byte must mean the same to everybody. A NUL byte in a header or
//! an inline command is a byte like any other (Redis sees no line end past it, and waits).

mod scanner;

pub use scanner::RequestScanner;

/// What a client may send; larger is a protocol error, as in Redis.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// The largest bulk string (Redis: proto-max-bulk-len, 512 MiB).
    pub bulk: u64,
    /// The most arguments of one command (Redis: 1,048,576 up to 6.2, what an `i32` holds since
    /// 7.0); more than an `i32` holds are never taken.
    pub arguments: u64,
    /// The longest inline command (Redis: 64 KiB).
    pub inline: u64,
    /// The largest whole command (Redis: client-query-buffer-limit, 1 GiB); less than 4 GiB.
    pub command: u64,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { bulk: 512 << 20, arguments: 1 << 20, inline: 64 << 10, command: 1 << 30 }
    }
}

/// Why bytes from a client are not a command. `Display` is Redis's own text, without `-ERR `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The count after `*` is no number or too large.
    #[error("Protocol error: invalid multibulk length")]
    InvalidMultibulkLength,
    /// The count after `$` is no number, negative or too large.
    #[error("Protocol error: invalid bulk length")]
    InvalidBulkLength,
    /// An argument does not start with `$`. (A byte above 0x7f is shown as Latin-1; Redis sends it
    /// as it came.)
    #[error("Protocol error: expected '$', got '{}'", printable(*.0))]
    ExpectedBulk(u8),
    /// No line end within [`MAX_HEADER`] bytes after `*`.
    #[error("Protocol error: too big mbulk count string")]
    MultibulkCountTooLong,
    /// No line end within [`MAX_HEADER`] bytes after `$`.
    #[error("Protocol error: too big bulk count string")]
    BulkCountTooLong,
    /// No line end within the longest inline command.
    #[error("Protocol error: too big inline request")]
    InlineTooLong,
    /// A quote in an inline command is not closed, or its end is not the end of the word.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// Other bytes than `\r\n` after a bulk string. Redis skips them; see the module's text.
    #[error("Protocol error: expected CRLF after a bulk string")]
    ExpectedLineEnd,
    /// A TLS record. Redis waits for the end of the line, and the client for an answer.
    #[error("Protocol error: this is TLS, which is spoken at `tls_listen`")]
    SpeaksTls,
    /// The whole command is larger than the limit, given here in bytes. Redis closes the
    /// connection without a word.
    #[error("Protocol error: too big command, the limit is {0} bytes")]
    CommandTooLarge(u64),
}

/// A byte as it may stand in an error line: Redis, too, makes spaces of line ends.
fn printable(byte: u8) -> char {
    if matches!(byte, b'\r' | b'\n') { ' ' } else { char::from(byte) }
}

/// The longest header line (Redis: PROTO_INLINE_MAX_SIZE).
pub const MAX_HEADER: usize = 64 << 10;
