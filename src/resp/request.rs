//! Where one command ends and where its arguments lie.

use super::{Scan, Span};

/// What a client may send; larger is a protocol error, as in Redis.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// The largest bulk string (Redis: proto-max-bulk-len, 512 MiB).
    pub bulk: u64,
    /// The most arguments of one command (Redis: 1,048,576).
    pub arguments: u64,
    /// The longest inline command (Redis: 64 KiB).
    pub inline: u64,
    /// The largest whole command (Redis: client-query-buffer-limit, 1 GiB); less than 4 GiB.
    pub command: u64,
}

/// Why bytes from a client are not a command. `Display` is Redis's own text, without `-ERR `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The count after `*` is no number or too large.
    #[error("Protocol error: invalid multibulk length")]
    InvalidMultibulkLength,
}

/// Finds the end of one command, resuming where it stopped.
#[derive(Debug, Default)]
pub struct RequestScanner {
    args: Vec<Span>,
}

impl RequestScanner {
    /// Scans on through `bytes`, which start at the command's first byte and hold at least what
    /// earlier calls saw. After `Done`, `args` tells the arguments (none for `*0` and blank
    /// lines, which Redis ignores); call `reset` before the next command.
    pub fn scan(&mut self, _bytes: &[u8], _limits: &RequestLimits) -> Result<Scan, ProtocolError> {
        Err(ProtocolError::InvalidMultibulkLength)
    }

    /// Whether the command is an inline command: a line, to be turned into RESP by
    /// [`super::inline::encode`]. Valid after `Done`.
    pub fn is_inline(&self) -> bool {
        false
    }

    /// Where the arguments of the command lie. Valid after `Done`, empty for an inline command.
    pub fn args(&self) -> &[Span] {
        &self.args
    }

    /// Makes ready for the next command; keeps its allocation.
    pub fn reset(&mut self) {
        self.args.clear();
    }
}
