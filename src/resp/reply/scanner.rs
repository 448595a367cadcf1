//! The scanner of replies: one step for every header, line and line end.

use super::levels::{Level, Levels, Next, SMALLEST_ELEMENT};
use super::simple::simple;
use super::{MAX_LINE, ReplyError, ReplyLimits, line};
use crate::resp::{Scan, number};

/// Finds the end of one reply, resuming where it stopped.
#[derive(Debug, Default)]
pub struct ReplyScanner {
    levels: Levels,
    stage: Stage,
    /// The next byte to look at; beyond what was shown while a bulk string's body is awaited.
    position: usize,
    /// Bytes of an unfinished line, from `position`, that are known to hold no line end.
    searched: usize,
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
    /// At an element that an attribute is for: it cannot be missing.
    Attributed,
    /// At the line end after a bulk string.
    BulkEnd,
    /// At `;` within a streamed string.
    Chunk,
    /// At the line end after a chunk.
    ChunkEnd,
    /// The reply is whole.
    Done,
}

/// What follows the type byte of a bulk string or an aggregate.
enum Header {
    Count(u64),
    Null,
    Streamed,
}

/// What stopped a step before its end.
enum Halt {
    /// At least this many bytes of the step are still to come.
    More(usize),
    Error(ReplyError),
}

impl ReplyScanner {
    /// Scans on through `bytes`, which start at the reply's first byte (or at what [`Self::discard`]
    /// left of it) and hold at least what earlier calls saw.
    ///
    /// `Done` counts from the first byte of `bytes`. The kind of the reply is that of its first
    /// byte: `b'>'` is a push, which answers no command, `b'|'` an attribute before it.
    ///
    /// # Errors
    /// The first thing in `bytes` that is no reply; how the bytes were cut makes no difference. What
    /// a scan after that would find means nothing, short of a [`reset`](Self::reset).
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
            self.gone = 0;
            self.shown = 0;
        }
    }

    fn resume(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<Scan, ReplyError> {
        self.shown = bytes.len();
        if self.stage == Stage::Start {
            self.stage = Stage::Element;
        }
        while self.stage != Stage::Done {
            match self.step(bytes, limits) {
                Ok(()) => {}
                Err(Halt::Error(error)) => return Err(error),
                Err(Halt::More(missing)) => {
                    let promised = usize::try_from(self.levels.promised_bytes());
                    let promised = promised.unwrap_or(usize::MAX);
                    return Ok(Scan::More(missing.max(1).saturating_add(promised)));
                }
            }
        }
        Ok(Scan::Done(self.position))
    }

    #[inline]
    fn step(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<(), Halt> {
        match self.stage {
            Stage::BulkEnd | Stage::ChunkEnd => self.body_end(bytes),
            Stage::Chunk => self.chunk(bytes, limits),
            _ => self.element(bytes, limits),
        }
    }

    #[inline]
    fn element(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<(), Halt> {
        let Some(&kind) = bytes.get(self.position) else {
            return Err(Halt::More(SMALLEST_ELEMENT));
        };
        if let Some(length) = simple(&bytes[self.position..])
            && self.at() + length as u64 <= limits.reply
        {
            self.position += length;
            self.searched = 0;
            self.element_ended();
            return Ok(());
        }
        match kind {
            b'$' | b'!' | b'=' => self.bulk(bytes, limits, kind),
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => self.line(bytes, limits, kind),
            b'*' | b'~' | b'%' | b'>' | b'|' => self.aggregate(bytes, limits, kind),
            b'.' => self.stream_end(bytes, limits),
            other => Err(ReplyError::UnknownType(other).into()),
        }
    }

    fn line(&mut self, bytes: &[u8], limits: &ReplyLimits, kind: u8) -> Result<(), Halt> {
        let text = self.whole_line(bytes)?;
        if !line::is_value(kind, text) {
            return Err(ReplyError::InvalidValue(kind).into());
        }
        self.advance(text.len() + 3, limits)?;
        self.element_ended();
        Ok(())
    }

    #[inline]
    fn bulk(&mut self, bytes: &[u8], limits: &ReplyLimits, kind: u8) -> Result<(), Halt> {
        match (self.header(bytes, limits, kind)?, kind) {
            (Header::Count(length), _) => self.body(length, Stage::BulkEnd, limits)?,
            (Header::Null, b'$') => self.element_ended(),
            (Header::Streamed, b'$') => self.stage = Stage::Chunk,
            _ => return Err(ReplyError::InvalidLength(kind).into()),
        }
        Ok(())
    }

    /// `;length\r\n` within a streamed string; a length of 0 ends it.
    fn chunk(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<(), Halt> {
        match bytes.get(self.position) {
            None => return Err(Halt::More(SMALLEST_CHUNK)),
            Some(b';') => {}
            Some(&other) => return Err(ReplyError::ExpectedChunk(other).into()),
        }
        match self.header(bytes, limits, b';')? {
            Header::Count(0) => self.element_ended(),
            Header::Count(length) => self.body(length, Stage::ChunkEnd, limits)?,
            _ => return Err(ReplyError::InvalidLength(b';').into()),
        }
        Ok(())
    }

    /// Jumps over a body, which need not be there yet.
    #[inline]
    fn body(&mut self, length: u64, end: Stage, limits: &ReplyLimits) -> Result<(), Halt> {
        if self.at().saturating_add(length).saturating_add(2) > limits.reply {
            return Err(ReplyError::TooLarge(limits.reply).into());
        }
        self.position += length as usize;
        self.stage = end;
        Ok(())
    }

    #[inline]
    fn body_end(&mut self, bytes: &[u8]) -> Result<(), Halt> {
        let within = self.stage == Stage::ChunkEnd;
        match bytes.get(self.position..self.position + 2) {
            Some(b"\r\n") => self.position += 2,
            Some(_) => return Err(ReplyError::ExpectedLineEnd.into()),
            None => {
                let following = if within { SMALLEST_CHUNK } else { 0 };
                return Err(Halt::More(self.position + 2 - bytes.len() + following));
            }
        }
        match within {
            true => self.stage = Stage::Chunk,
            false => self.element_ended(),
        }
        Ok(())
    }

    fn aggregate(&mut self, bytes: &[u8], limits: &ReplyLimits, kind: u8) -> Result<(), Halt> {
        let level = match (self.header(bytes, limits, kind)?, kind) {
            (Header::Count(count), b'|') => Level::Attribute(count.saturating_mul(2)),
            (Header::Count(count), b'%') => Level::Counted(count.saturating_mul(2)),
            (Header::Count(count), _) => Level::Counted(count),
            (Header::Streamed, b'%') => Level::StreamedMap(false),
            (Header::Streamed, b'*' | b'~') => Level::Streamed,
            (Header::Null, b'*') => {
                self.element_ended();
                return Ok(());
            }
            _ => return Err(ReplyError::InvalidLength(kind).into()),
        };
        let next = self.levels.open(level, self.at(), limits)?;
        self.go_on(next);
        Ok(())
    }

    /// `.\r\n` at the place of an element.
    fn stream_end(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<(), Halt> {
        if self.stage == Stage::Attributed || !self.levels.stream_may_end() {
            return Err(ReplyError::UnexpectedEnd.into());
        }
        if !self.whole_line(bytes)?.is_empty() {
            return Err(ReplyError::InvalidValue(b'.').into());
        }
        self.advance(SMALLEST_ELEMENT, limits)?;
        self.levels.close();
        self.element_ended();
        Ok(())
    }

    /// Reads `<kind>…\r\n` and goes past it.
    #[inline]
    fn header(&mut self, bytes: &[u8], limits: &ReplyLimits, kind: u8) -> Result<Header, Halt> {
        let (header, taken) = match number::header(&bytes[self.position..]) {
            Some((count, taken)) => (Header::Count(count), taken),
            None => self.unusual_header(bytes, kind)?,
        };
        self.advance(taken, limits)?;
        Ok(header)
    }

    #[cold]
    fn unusual_header(&mut self, bytes: &[u8], kind: u8) -> Result<(Header, usize), Halt> {
        let text = self.whole_line(bytes)?;
        let header = match text {
            b"?" => Header::Streamed,
            b"-1" => Header::Null,
            _ => match number::parse(text).map(u64::try_from) {
                Some(Ok(count)) => Header::Count(count),
                _ => return Err(ReplyError::InvalidLength(kind).into()),
            },
        };
        Ok((header, text.len() + 3))
    }

    /// The line at `position` without its type byte and line end.
    #[inline]
    fn whole_line<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Halt> {
        let rest = &bytes[self.position..];
        let window = &rest[..rest.len().min(MAX_LINE + 1)];
        let end = line::end(window, self.searched.max(1));
        if end > MAX_LINE {
            return Err(ReplyError::LineTooLong.into());
        }
        self.searched = end;
        match &rest[end..] {
            [b'\r', b'\n', ..] => Ok(&rest[1..end]),
            [] | [b'\r'] => Err(Halt::More(SMALLEST_ELEMENT.saturating_sub(rest.len()))),
            _ => Err(ReplyError::StrayLineEnd.into()),
        }
    }

    #[inline]
    fn advance(&mut self, taken: usize, limits: &ReplyLimits) -> Result<(), ReplyError> {
        self.position += taken;
        self.searched = 0;
        if self.at() > limits.reply {
            return Err(ReplyError::TooLarge(limits.reply));
        }
        Ok(())
    }

    #[inline]
    fn element_ended(&mut self) {
        let next = self.levels.element_ended();
        self.go_on(next);
    }

    #[inline]
    fn go_on(&mut self, next: Next) {
        self.stage = match next {
            Next::Element => Stage::Element,
            Next::Attributed => Stage::Attributed,
            Next::Nothing => Stage::Done,
        };
    }

    /// `position`, counted from the reply's first byte.
    #[inline]
    fn at(&self) -> u64 {
        self.gone + self.position as u64
    }
}

impl From<ReplyError> for Halt {
    fn from(error: ReplyError) -> Self {
        Self::Error(error)
    }
}

/// `;0\r\n`.
const SMALLEST_CHUNK: usize = 4;
