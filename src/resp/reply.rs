//! Where one reply ends, RESP2 and RESP3.

use super::Scan;

/// What a shard may send.
#[derive(Debug, Clone, Copy)]
pub struct ReplyLimits {
    /// The largest whole reply, in bytes.
    pub reply: u64,
    /// The deepest nesting of aggregates.
    pub nesting: u32,
}

/// Why bytes from a shard are not a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The first byte of a frame is none that RESP knows.
    #[error("a frame cannot start with byte 0x{0:02x}")]
    UnknownType(u8),
}

/// Finds the end of one reply, resuming where it stopped.
#[derive(Debug, Default)]
pub struct ReplyScanner {}

impl ReplyScanner {
    /// Scans on through `bytes`, which start at the reply's first byte (or at what [`Self::discard`]
    /// left of it) and hold at least what earlier calls saw.
    pub fn scan(&mut self, _bytes: &[u8], _limits: &ReplyLimits) -> Result<Scan, ReplyError> {
        Err(ReplyError::UnknownType(0))
    }

    /// Tells the scanner that the first `count` bytes of what it was shown are gone from the
    /// buffer, so that a large reply can be passed on while it still arrives. Only bytes already
    /// scanned may go.
    pub fn discard(&mut self, _count: usize) {}

    /// Makes ready for the next reply.
    pub fn reset(&mut self) {}
}

/// The elements of a whole array, set, map (keys and values in turn) or push, as they stand on
/// the wire. `None` when `reply` is no aggregate.
pub fn elements(_reply: &[u8]) -> Option<Elements<'_>> {
    None
}

/// See [`elements`].
#[derive(Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let _ = self.rest;
        None
    }
}
