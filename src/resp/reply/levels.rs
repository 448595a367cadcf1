//! The aggregates that are open around the element being scanned.

use super::{ReplyError, ReplyLimits};

/// A bounded stack instead of recursion, and what its counts promise.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// The outermost first.
    open: Vec<Level>,
    /// Elements still to come beyond the one being scanned.
    promised: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Level {
    /// An aggregate with so many elements still to come, the one being scanned included.
    Counted(u64),
    /// As `Counted`, but the element that it describes comes after it.
    Attribute(u64),
    /// An aggregate that a `.` ends.
    Streamed,
    /// A map that a `.` ends, and whether a value is due.
    StreamedMap(bool),
}

/// What comes after an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another element, or the end of a streamed aggregate.
    Element,
    /// The element that an attribute is for.
    Attributed,
    /// Nothing: the reply is whole.
    Nothing,
}

impl Levels {
    /// Opens a level; the element being scanned becomes its first. `at` is how much of the reply
    /// the headers seen take.
    #[inline]
    pub(super) fn open(
        &mut self,
        level: Level,
        at: u64,
        limits: &ReplyLimits,
    ) -> Result<Next, ReplyError> {
        match level {
            Level::Counted(0) => return Ok(self.element_ended()),
            Level::Attribute(0) => return Ok(Next::Attributed),
            Level::Counted(count) => self.promised = self.promised.saturating_add(count - 1),
            Level::Attribute(count) => self.promised = self.promised.saturating_add(count),
            Level::Streamed | Level::StreamedMap(_) => {}
        }
        if at.saturating_add(self.promised_bytes()) > limits.reply {
            return Err(ReplyError::TooLarge(limits.reply));
        }
        if self.open.len() >= limits.nesting as usize {
            return Err(ReplyError::TooDeep(limits.nesting));
        }
        self.open.push(level);
        Ok(Next::Element)
    }

    /// Counts an element that is whole, and the aggregates that end with it.
    #[inline]
    pub(super) fn element_ended(&mut self) -> Next {
        while let Some(level) = self.open.last_mut() {
            match level {
                Level::Streamed => return Next::Element,
                Level::StreamedMap(value_due) => {
                    *value_due = !*value_due;
                    return Next::Element;
                }
                Level::Counted(1) => {
                    self.open.pop();
                }
                Level::Attribute(1) => {
                    self.promised -= 1;
                    self.open.pop();
                    return Next::Attributed;
                }
                Level::Counted(left) | Level::Attribute(left) => {
                    *left -= 1;
                    self.promised -= 1;
                    return Next::Element;
                }
            }
        }
        Next::Nothing
    }

    /// Whether the innermost level is a streamed aggregate that may end here.
    pub(super) fn stream_may_end(&self) -> bool {
        matches!(self.open.last(), Some(Level::Streamed | Level::StreamedMap(false)))
    }

    /// Closes the innermost level.
    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// The least that the elements still to come take.
    pub(super) fn promised_bytes(&self) -> u64 {
        self.promised.saturating_mul(SMALLEST_ELEMENT as u64)
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.promised = 0;
    }
}

/// `_\r\n`.
pub(super) const SMALLEST_ELEMENT: usize = 3;
