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

pub use super::elements::{Elements, array_len, elements};
use super::{Scan, line, number};

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

/// Finds the end of one reply, resuming where it stopped.
#[derive(Debug, Default)]
pub struct ReplyScanner {
    /// Aggregates that are open, the outermost first.
    levels: Vec<Level>,
    stage: Stage,
    /// The next byte to look at; beyond what was shown while a bulk string's body is awaited.
    position: usize,
    /// Bytes of an unfinished line, from `position`, that are known to hold no line end.
    searched: usize,
    /// Elements that the counts seen so far promise beyond the one being scanned.
    promised: u64,
    /// Bytes discarded.
    gone: u64,
    /// How many bytes the last scan was shown, less what was discarded since.
    shown: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing scanned yet.
    #[default]
    Start,
    /// At the first byte of an element.
    Element,
    /// At an element that an attribute was for: it cannot be missing.
    Attributed,
    /// At the line end after a bulk string.
    BulkEnd,
    /// At `;` within a streamed string.
    Chunk,
    /// At the line end after a chunk.
    ChunkEnd,
}

#[derive(Debug, Clone, Copy)]
enum Level {
    /// An aggregate with so many elements still to come.
    Counted(u64),
    /// As `Counted`, but the element it describes is still to come after it.
    Attribute(u64),
    /// An aggregate that a `.` ends.
    Streamed,
    /// A map that a `.` ends, and whether a value is due.
    StreamedMap(bool),
}

/// What the scan of one step came to.
enum Step {
    /// Something is whole; it goes on at `position`.
    Element,
    /// An aggregate, attribute or streamed string was opened.
    Open,
    /// At least this many bytes of the step are missing.
    More(usize),
}

impl ReplyScanner {
    /// Scans on through `bytes`, which start at the reply's first byte (or at what [`Self::discard`]
    /// left of it) and hold at least what earlier calls saw.
    ///
    /// `Done` counts from the first byte of `bytes`. The kind of the reply is that of its first
    /// byte: `b'>'` is a push, which answers no command, `b'|'` an attribute before it.
    ///
    /// # Errors
    /// The first thing in `bytes` that is no reply; how the bytes were cut makes no difference.
    #[inline]
    pub fn scan(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<Scan, ReplyError> {
        if self.stage == Stage::Start
            && let Some(length) = simple(bytes)
            && length as u64 <= limits.reply
        {
            return Ok(Scan::Done(length));
        }
        self.resume(bytes, limits)
    }

    /// How many of the bytes shown may be discarded: all but an unfinished line.
    #[inline]
    pub fn scanned(&self) -> usize {
        self.position.min(self.shown)
    }

    /// Tells the scanner that the first `count` bytes of what it was shown are gone from the
    /// buffer, so that a large reply can be passed on while it still arrives. Only bytes already
    /// scanned may go ([`Self::scanned`]), and only of a reply that goes on.
    pub fn discard(&mut self, count: usize) {
        debug_assert!(count <= self.scanned(), "bytes not yet scanned were discarded");
        self.position -= count;
        self.shown -= count;
        self.gone += count as u64;
    }

    /// Makes ready for the next reply.
    #[inline]
    pub fn reset(&mut self) {
        if self.stage != Stage::Start {
            self.levels.clear();
            self.stage = Stage::Start;
            self.position = 0;
            self.searched = 0;
            self.promised = 0;
            self.gone = 0;
            self.shown = 0;
        }
    }

    fn resume(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<Scan, ReplyError> {
        self.shown = bytes.len();
        if self.stage == Stage::Start {
            self.stage = Stage::Element;
        }
        loop {
            let step = match self.stage {
                Stage::Start | Stage::Element | Stage::Attributed => self.element(bytes, limits)?,
                Stage::BulkEnd | Stage::ChunkEnd => self.body_end(bytes)?,
                Stage::Chunk => self.chunk(bytes, limits)?,
            };
            match step {
                Step::More(missing) => {
                    let promised = usize::try_from(self.promised).unwrap_or(usize::MAX);
                    let promised = promised.saturating_mul(SMALLEST_ELEMENT);
                    return Ok(Scan::More(missing.max(1).saturating_add(promised)));
                }
                Step::Open => {}
                Step::Element => {
                    if self.element_ended() {
                        return Ok(Scan::Done(self.position));
                    }
                }
            }
        }
    }

    /// Scans what starts with a type byte.
    fn element(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<Step, ReplyError> {
        let Some(&kind) = bytes.get(self.position) else {
            return Ok(Step::More(SMALLEST_ELEMENT));
        };
        match kind {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => self.line(bytes, limits, kind),
            b'$' | b'!' | b'=' => self.bulk(bytes, limits, kind),
            b'*' | b'~' | b'%' | b'>' | b'|' => self.aggregate(bytes, limits, kind),
            b'.' => self.stream_end(bytes, limits),
            other => Err(ReplyError::UnknownType(other)),
        }
    }

    fn line(&mut self, bytes: &[u8], limits: &ReplyLimits, kind: u8) -> Result<Step, ReplyError> {
        let Some(text) = self.whole_line(bytes)? else { return self.more_line(bytes) };
        if !line::is_value(kind, text) {
            return Err(ReplyError::InvalidValue(kind));
        }
        self.advance(text.len() + 3, limits)?;
        Ok(Step::Element)
    }

    fn bulk(&mut self, bytes: &[u8], limits: &ReplyLimits, kind: u8) -> Result<Step, ReplyError> {
        let Some((header, taken)) = self.header(bytes, kind)? else { return self.more_line(bytes) };
        match header {
            Header::Count(length) => {
                self.advance(taken, limits)?;
                self.body(length, limits)?;
                self.stage = Stage::BulkEnd;
                Ok(Step::Open)
            }
            Header::Null if kind == b'$' => {
                self.advance(taken, limits)?;
                Ok(Step::Element)
            }
            Header::Streamed if kind == b'$' => {
                self.advance(taken, limits)?;
                self.stage = Stage::Chunk;
                Ok(Step::Open)
            }
            _ => Err(ReplyError::InvalidLength(kind)),
        }
    }

    fn chunk(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<Step, ReplyError> {
        match bytes.get(self.position) {
            None => return Ok(Step::More(SMALLEST_CHUNK)),
            Some(b';') => {}
            Some(&other) => return Err(ReplyError::ExpectedChunk(other)),
        }
        let Some((header, taken)) = self.header(bytes, b';')? else { return self.more_line(bytes) };
        self.advance(taken, limits)?;
        match header {
            Header::Count(0) => Ok(Step::Element),
            Header::Count(length) => {
                self.body(length, limits)?;
                self.stage = Stage::ChunkEnd;
                Ok(Step::Open)
            }
            _ => Err(ReplyError::InvalidLength(b';')),
        }
    }

    /// Jumps over a body that need not be there yet.
    fn body(&mut self, length: u64, limits: &ReplyLimits) -> Result<(), ReplyError> {
        if self.at().saturating_add(length).saturating_add(2) > limits.reply {
            return Err(ReplyError::TooLarge(limits.reply));
        }
        self.position += length as usize;
        Ok(())
    }

    fn body_end(&mut self, bytes: &[u8]) -> Result<Step, ReplyError> {
        let chunk = self.stage == Stage::ChunkEnd;
        match bytes.get(self.position..self.position + 2) {
            Some(b"\r\n") => self.position += 2,
            Some(_) => return Err(ReplyError::ExpectedLineEnd),
            None => {
                let following = if chunk { SMALLEST_CHUNK } else { 0 };
                return Ok(Step::More(self.position + 2 - bytes.len() + following));
            }
        }
        if chunk {
            self.stage = Stage::Chunk;
            return Ok(Step::Open);
        }
        Ok(Step::Element)
    }

    fn aggregate(
        &mut self,
        bytes: &[u8],
        limits: &ReplyLimits,
        kind: u8,
    ) -> Result<Step, ReplyError> {
        let Some((header, taken)) = self.header(bytes, kind)? else { return self.more_line(bytes) };
        let level = match (header, kind) {
            (Header::Count(count), b'|') => Level::Attribute(count.saturating_mul(2)),
            (Header::Count(count), b'%') => Level::Counted(count.saturating_mul(2)),
            (Header::Count(count), _) => Level::Counted(count),
            (Header::Streamed, b'%') => Level::StreamedMap(false),
            (Header::Streamed, b'*' | b'~') => Level::Streamed,
            (Header::Null, b'*') => {
                self.advance(taken, limits)?;
                return Ok(Step::Element);
            }
            _ => return Err(ReplyError::InvalidLength(kind)),
        };
        self.advance(taken, limits)?;
        self.open(level, limits)
    }

    fn open(&mut self, level: Level, limits: &ReplyLimits) -> Result<Step, ReplyError> {
        match level {
            Level::Counted(0) => return Ok(Step::Element),
            Level::Attribute(0) => {
                self.stage = Stage::Attributed;
                return Ok(Step::Open);
            }
            // The one being scanned is the first of the new level; an attribute's own element
            // follows it.
            Level::Counted(count) => self.promised = self.promised.saturating_add(count - 1),
            Level::Attribute(count) => self.promised = self.promised.saturating_add(count),
            Level::Streamed | Level::StreamedMap(_) => {}
        }
        let least = self.promised.saturating_mul(SMALLEST_ELEMENT as u64);
        if self.at().saturating_add(least) > limits.reply {
            return Err(ReplyError::TooLarge(limits.reply));
        }
        if self.levels.len() >= limits.nesting as usize {
            return Err(ReplyError::TooDeep(limits.nesting));
        }
        self.levels.push(level);
        self.stage = Stage::Element;
        Ok(Step::Open)
    }

    /// `.\r\n` at the place of an element.
    fn stream_end(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<Step, ReplyError> {
        let ends = matches!(self.levels.last(), Some(Level::Streamed | Level::StreamedMap(false)));
        if self.stage == Stage::Attributed || !ends {
            return Err(ReplyError::UnexpectedEnd);
        }
        let Some(text) = self.whole_line(bytes)? else { return self.more_line(bytes) };
        if !text.is_empty() {
            return Err(ReplyError::InvalidValue(b'.'));
        }
        self.advance(SMALLEST_ELEMENT, limits)?;
        self.levels.pop();
        Ok(Step::Element)
    }

    /// Counts an element that is whole, and the aggregates that end with it; true when that is
    /// the whole reply.
    fn element_ended(&mut self) -> bool {
        self.stage = Stage::Element;
        loop {
            match self.levels.last_mut() {
                None => return true,
                Some(Level::Streamed) => return false,
                Some(Level::StreamedMap(value_due)) => {
                    *value_due = !*value_due;
                    return false;
                }
                Some(Level::Counted(left)) => {
                    *left -= 1;
                    if *left > 0 {
                        self.promised -= 1;
                        return false;
                    }
                    self.levels.pop();
                }
                Some(Level::Attribute(left)) => {
                    *left -= 1;
                    self.promised -= 1;
                    if *left == 0 {
                        self.levels.pop();
                        self.stage = Stage::Attributed;
                    }
                    return false;
                }
            }
        }
    }

    fn header(&mut self, bytes: &[u8], kind: u8) -> Result<Option<(Header, usize)>, ReplyError> {
        if let Some((number, taken)) = number::header(&bytes[self.position..]) {
            return Ok(Some((Header::Count(number), taken)));
        }
        let Some(text) = self.whole_line(bytes)? else { return Ok(None) };
        let header = match text {
            b"?" => Header::Streamed,
            b"-1" => Header::Null,
            _ => match number::parse(text).map(u64::try_from) {
                Some(Ok(number)) => Header::Count(number),
                _ => return Err(ReplyError::InvalidLength(kind)),
            },
        };
        Ok(Some((header, text.len() + 3)))
    }

    /// The line at `position` without type byte and line end; `None` when it is not whole.
    fn whole_line<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, ReplyError> {
        let rest = &bytes[self.position..];
        let window = &rest[..rest.len().min(MAX_LINE + 1)];
        let end = line::end(window, self.searched.max(1));
        if end > MAX_LINE {
            return Err(ReplyError::LineTooLong);
        }
        self.searched = end;
        match rest.get(end..end + 2) {
            Some(b"\r\n") => Ok(Some(&rest[1..end])),
            Some(_) => Err(ReplyError::StrayLineEnd),
            None if rest.get(end) == Some(&b'\n') => Err(ReplyError::StrayLineEnd),
            None => Ok(None),
        }
    }

    fn more_line(&self, bytes: &[u8]) -> Result<Step, ReplyError> {
        let seen = bytes.len() - self.position;
        Ok(Step::More(SMALLEST_ELEMENT.saturating_sub(seen)))
    }

    fn advance(&mut self, taken: usize, limits: &ReplyLimits) -> Result<(), ReplyError> {
        self.position += taken;
        self.searched = 0;
        if self.at() > limits.reply {
            return Err(ReplyError::TooLarge(limits.reply));
        }
        Ok(())
    }

    /// `position`, counted from the reply's first byte.
    fn at(&self) -> u64 {
        self.gone + self.position as u64
    }
}

enum Header {
    Count(u64),
    Null,
    Streamed,
}

/// The length of the small reply that `bytes` start with, if it is one that most are and is
/// whole.
#[inline]
fn simple(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'$' => {
            let (length, taken) = number::header(bytes)?;
            let end = taken.checked_add(usize::try_from(length).ok()?)?;
            let tail = bytes.get(end..)?;
            tail.starts_with(b"\r\n").then_some(end + 2)
        }
        b'+' | b'-' => {
            let window = &bytes[..bytes.len().min(SIMPLE_LINE)];
            let end = line::end(window, 1);
            window.get(end..)?.starts_with(b"\r\n").then_some(end + 2)
        }
        b':' => number::header(bytes).map(|(_, taken)| taken),
        _ => None,
    }
}

/// The longest line: simple strings, errors, numbers, headers.
pub const MAX_LINE: usize = 64 << 10;

/// `_\r\n`.
const SMALLEST_ELEMENT: usize = 3;

/// `;0\r\n`.
const SMALLEST_CHUNK: usize = 4;

/// As far as the fast path looks for the end of a simple string.
const SIMPLE_LINE: usize = 64;
