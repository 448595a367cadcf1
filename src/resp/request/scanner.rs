//! The scanner of commands: a tight loop over arguments that are whole, and a slow way for what is
//! unusual or not whole yet.

use super::{MAX_HEADER, ProtocolError, RequestLimits};
use crate::resp::{Scan, Span, effort, number};

/// Finds the end of one command, resuming where it stopped.
#[derive(Debug, Default)]
pub struct RequestScanner {
    args: Vec<Span>,
    stage: Stage,
    /// The first byte of the header or body that `stage` speaks of.
    position: usize,
    /// Bytes of an unfinished line, from `position`, that are known to hold no line end.
    searched: usize,
    /// The length of the bulk string whose body is awaited.
    bulk: usize,
    /// Arguments not yet whole.
    left: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Start,
    Inline,
    Count,
    Header,
    Body,
}

impl RequestScanner {
    /// Scans on through `bytes`, which start at the command's first byte and hold at least what
    /// earlier calls saw. After `Done`, `args` tells the arguments (none for `*0` and blank
    /// lines, which Redis ignores); call `reset` before the next command.
    ///
    /// `More` is what the bulk string being received still lacks plus the least that the
    /// arguments after it take. It comes from what the client declared: nothing to reserve unseen.
    ///
    /// # Errors
    /// The first thing in `bytes` that is no command; how the bytes were cut makes no difference.
    #[inline]
    pub fn scan(&mut self, bytes: &[u8], limits: &RequestLimits) -> Result<Scan, ProtocolError> {
        if self.stage == Stage::Start {
            match bytes.first() {
                None => return Ok(Scan::More(1)),
                Some(b'*') => self.stage = Stage::Count,
                Some(_) => self.stage = Stage::Inline,
            }
        }
        match self.stage {
            Stage::Inline => self.scan_inline(bytes, limits),
            Stage::Count => match self.scan_count(bytes, limits)? {
                Some(more) => Ok(more),
                None => self.scan_arguments(bytes, limits),
            },
            _ => self.scan_arguments(bytes, limits),
        }
    }

    /// Whether the command is an inline command: a line, to be turned into RESP by
    /// [`super::inline::encode`]. Valid after `Done`.
    #[inline]
    pub fn is_inline(&self) -> bool {
        self.stage == Stage::Inline
    }

    /// Where the arguments of the command lie. Valid after `Done`, empty for an inline command.
    #[inline]
    pub fn args(&self) -> &[Span] {
        &self.args
    }

    /// Makes ready for the next command; keeps its allocation unless that is unusually large.
    #[inline]
    pub fn reset(&mut self) {
        self.args.clear();
        if self.args.capacity() > KEPT_ARGUMENTS {
            self.args = Vec::new();
        }
        self.stage = Stage::Start;
        self.position = 0;
        self.searched = 0;
        self.left = 0;
    }

    /// Arguments that there is room for without another allocation.
    #[cfg(test)]
    pub(in crate::resp) fn room(&self) -> usize {
        self.args.capacity()
    }

    fn scan_inline(&mut self, bytes: &[u8], limits: &RequestLimits) -> Result<Scan, ProtocolError> {
        if bytes.starts_with(&TLS_HANDSHAKE) {
            return Err(ProtocolError::SpeaksTls);
        }
        let found = bytes[self.searched..].iter().position(|&byte| byte == b'\n');
        let length = found.map_or(bytes.len(), |at| self.searched + at);
        effort::spend(length - self.searched);
        if length as u64 > limits.inline {
            return Err(ProtocolError::InlineTooLong);
        }
        self.searched = length;
        Ok(found.map_or(Scan::More(1), |_| Scan::Done(length + 1)))
    }

    /// Reads `*count\r\n`; `None` when it is whole.
    #[inline]
    fn scan_count(
        &mut self,
        bytes: &[u8],
        limits: &RequestLimits,
    ) -> Result<Option<Scan>, ProtocolError> {
        let (count, length) = match number::header(bytes) {
            Some(header) => header,
            None => match self.unusual_header(bytes)? {
                Some((count, length)) => (count.max(0) as u64, length),
                None => return Ok(Some(Scan::More(4_usize.saturating_sub(bytes.len()).max(1)))),
            },
        };
        if count > limits.arguments.min(i32::MAX as u64) {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        self.left = count as usize;
        self.pass(length, Stage::Header);
        Ok(None)
    }

    #[inline]
    fn scan_arguments(
        &mut self,
        bytes: &[u8],
        limits: &RequestLimits,
    ) -> Result<Scan, ProtocolError> {
        loop {
            if self.stage == Stage::Header {
                self.pass_whole_arguments(bytes, limits);
            }
            if self.left == 0 {
                return Ok(Scan::Done(self.position));
            }
            if let Some(more) = self.scan_argument(bytes, limits)? {
                return Ok(more);
            }
        }
    }

    /// Goes past the arguments that are whole and in order; at the first other it stops and
    /// leaves it to [`Self::scan_argument`] to say what is the matter.
    #[inline(always)]
    fn pass_whole_arguments(&mut self, bytes: &[u8], limits: &RequestLimits) {
        let (mut position, mut left) = (self.position, self.left);
        while left > 0 {
            let rest = &bytes[position..];
            let Some((bulk, length)) = number::header(rest) else { break };
            if rest[0] != b'$' || bulk > limits.bulk {
                break;
            }
            let end = length + bulk as usize;
            if !rest.get(end..).is_some_and(|tail| tail.starts_with(b"\r\n")) {
                break;
            }
            if position + end + 2 + SMALLEST_BULK * (left - 1) > largest_command(limits) {
                break;
            }
            self.args
                .push(Span { start: (position + length) as u32, end: (position + end) as u32 });
            position += end + 2;
            left -= 1;
            self.searched = 0;
        }
        (self.position, self.left) = (position, left);
    }

    /// Scans one argument of which something may be missing; `None` when it is whole.
    #[inline(never)]
    fn scan_argument(
        &mut self,
        bytes: &[u8],
        limits: &RequestLimits,
    ) -> Result<Option<Scan>, ProtocolError> {
        if self.stage == Stage::Header && !self.scan_header(bytes, limits)? {
            let seen = (bytes.len() - self.position).min(SMALLEST_BULK - 1);
            return Ok(Some(Scan::More(self.left * SMALLEST_BULK - seen)));
        }
        let end = self.position + self.bulk;
        match bytes.get(end..end + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(ProtocolError::ExpectedLineEnd),
            None => {
                let owed = (self.left - 1) * SMALLEST_BULK;
                return Ok(Some(Scan::More(end + 2 - bytes.len() + owed)));
            }
        }
        self.args.push(Span { start: self.position as u32, end: end as u32 });
        self.pass(self.bulk + 2, Stage::Header);
        self.left -= 1;
        Ok(None)
    }

    /// Reads `$length\r\n`; false when it is not whole yet.
    #[inline]
    fn scan_header(&mut self, bytes: &[u8], limits: &RequestLimits) -> Result<bool, ProtocolError> {
        let rest = &bytes[self.position..];
        let (bulk, length) = match (rest.first(), number::header(rest)) {
            (Some(b'$'), Some(header)) => header,
            _ => match self.unusual_header(rest)? {
                Some((bulk, length)) => (bulk as u64, length),
                None => return Ok(false),
            },
        };
        if bulk > limits.bulk {
            return Err(ProtocolError::InvalidBulkLength);
        }
        let largest = largest_command(limits);
        let owed = 2 + (self.left - 1) * SMALLEST_BULK;
        if (self.position + length + owed) as u64 + bulk > largest as u64 {
            return Err(ProtocolError::CommandTooLarge(largest as u64));
        }
        self.bulk = bulk as usize;
        self.pass(length, Stage::Body);
        Ok(true)
    }

    /// Goes past `count` bytes to where `stage` begins.
    #[inline]
    fn pass(&mut self, count: usize, stage: Stage) {
        self.position += count;
        self.searched = 0;
        self.stage = stage;
    }

    /// A header that is negative, long, wrong or not whole (`None`), told as Redis tells it: only
    /// once the line has ended.
    #[cold]
    fn unusual_header(&mut self, rest: &[u8]) -> Result<Option<(i64, usize)>, ProtocolError> {
        let counting = self.stage == Stage::Count;
        let searched = self.searched.min(rest.len());
        let found = rest[searched..].iter().position(|&byte| byte == b'\r');
        let end = found.map_or(rest.len(), |at| searched + at);
        effort::spend(end - searched);
        if end > MAX_HEADER {
            return Err(match counting {
                true => ProtocolError::MultibulkCountTooLong,
                false => ProtocolError::BulkCountTooLong,
            });
        }
        self.searched = end;
        let Some(&[_, line_feed]) = rest.get(end..end + 2) else { return Ok(None) };
        if !counting && rest[0] != b'$' {
            return Err(ProtocolError::ExpectedBulk(rest[0]));
        }
        let number = number::parse(rest.get(1..end).unwrap_or_default());
        match number.filter(|&number| line_feed == b'\n' && (counting || number >= 0)) {
            Some(number) => Ok(Some((number, end + 2))),
            None if counting => Err(ProtocolError::InvalidMultibulkLength),
            None => Err(ProtocolError::InvalidBulkLength),
        }
    }
}

/// What a TLS connection begins with: a handshake record of TLS 1.0 to 1.3.
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];
/// `$0\r\n\r\n`.
const SMALLEST_BULK: usize = 6;

/// Arguments for which an idle scanner keeps room, 8 bytes each: thousands of idle sessions have
/// one each.
const KEPT_ARGUMENTS: usize = 128;

/// The largest command whose arguments a [`Span`] can tell.
#[inline]
fn largest_command(limits: &RequestLimits) -> usize {
    limits.command.min(u64::from(u32::MAX)) as usize
}
