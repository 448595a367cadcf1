//! A whole reply taken apart, one level deep.

use super::{ReplyLimits, ReplyScanner};
use crate::resp::{Scan, number};

/// The elements of a whole array, set, map (keys and values in turn) or push, as they stand on
/// the wire. `None` when `reply` is no aggregate (a null array is none).
///
/// An attribute belongs to the element that follows it; one before the whole reply is skipped.
/// Nested aggregates are one element each.
pub fn elements(reply: &[u8]) -> Option<Elements<'_>> {
    let mut rest = reply;
    while rest.first() == Some(&b'|') {
        rest = skip_attribute(rest)?;
    }
    let left = match (rest.first()?, rest.get(1)?) {
        (b'*' | b'~' | b'%', b'?') => return Some(Elements::new(rest.get(4..)?, Left::Streamed)),
        (b'*' | b'~' | b'>', _) => 1,
        (b'%', _) => 2,
        _ => return None,
    };
    let (count, taken) = number::header(rest)?;
    Some(Elements::new(&rest[taken..], Left::Counted(count * left)))
}

/// How many elements [`elements`] would give (two for each pair of a map); `None` when `reply` is
/// no aggregate. Streamed aggregates are counted one by one.
pub fn array_len(reply: &[u8]) -> Option<u64> {
    let elements = elements(reply)?;
    match elements.left {
        Left::Counted(count) => Some(count),
        Left::Streamed => Some(elements.count() as u64),
    }
}

/// See [`elements`].
#[derive(Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
    left: Left,
    scanner: ReplyScanner,
}

#[derive(Debug, Clone, Copy)]
enum Left {
    Counted(u64),
    Streamed,
}

impl<'a> Elements<'a> {
    fn new(rest: &'a [u8], left: Left) -> Self {
        Self { rest, left, scanner: ReplyScanner::default() }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        match &mut self.left {
            Left::Counted(0) => return None,
            Left::Counted(left) => *left -= 1,
            Left::Streamed if self.rest.first() == Some(&b'.') => return None,
            Left::Streamed => {}
        }
        self.scanner.reset();
        let Ok(Scan::Done(length)) = self.scanner.scan(self.rest, &UNLIMITED) else {
            self.left = Left::Counted(0);
            return None;
        };
        let (element, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(element)
    }
}

fn skip_attribute(reply: &[u8]) -> Option<&[u8]> {
    let (count, taken) = number::header(reply)?;
    let mut pairs = Elements::new(&reply[taken..], Left::Counted(count * 2));
    pairs.by_ref().for_each(drop);
    Some(pairs.rest)
}

/// The whole reply has passed the limits that count.
const UNLIMITED: ReplyLimits = ReplyLimits { reply: u64::MAX, nesting: u32::MAX };
