//! What the requests in flight on a link say, so that one that turns out slow, or fails, can be
//! told of in full.
//!
//! ```text
//!   outbox ─► socket        then the buffer that was written is not handed back at once but kept
//!      └─► [*2 GET a *2 GET b][*3 SET c …]   for as long as one of its requests has no reply
//!           number 7      8     9             the front of in_flight says which are answered
//! ```
//!
//! Nothing is copied and nothing is done per request: a flush leaves its buffer here, and where
//! requests lie in it is found out when somebody asks. A link keeps [`KEPT`] bytes at most; what
//! goes beyond is not known later. Of large requests the beginning is kept.

use std::collections::VecDeque;

use crate::outbox::SpareBuffers;
use crate::resp::{RequestLimits, RequestScanner, Scan};

/// See the module.
#[derive(Debug, Default)]
pub struct Kept {
    /// Oldest first; together the requests from `first` up to `until`.
    batches: VecDeque<Batch>,
    first: u64,
    until: u64,
    /// The room that the buffers of `batches` take.
    room: usize,
    /// The beginnings of large requests, by number.
    heads: VecDeque<(u64, Vec<u8>)>,
}

/// What was written in one flush, or in several that followed each other.
#[derive(Debug)]
struct Batch {
    /// Empty where it is not known.
    bytes: Vec<u8>,
    requests: u64,
    /// Where the requests begin; empty before somebody asked.
    starts: Vec<u32>,
}

impl Kept {
    /// The requests up to number `until` have been written, and `tail` is what all of them since
    /// the last call say. Takes the buffer.
    #[inline]
    pub(crate) fn keep(&mut self, tail: Vec<u8>, until: u64, spare: &mut SpareBuffers) {
        let requests = until - self.until;
        if requests == 0 {
            return spare.give(tail);
        }
        if self.room + tail.capacity() > KEPT || self.batches.len() >= MOST_BATCHES {
            return self.squeeze(tail, until, spare);
        }
        self.until = until;
        self.room += tail.capacity();
        self.batches.push_back(Batch { bytes: tail, requests, starts: Vec::new() });
    }

    /// What the requests up to number `until` say is not known, but for large ones that were noted.
    pub(crate) fn skip(&mut self, until: u64) {
        let requests = until - self.until;
        self.until = until;
        match self.batches.back_mut() {
            Some(last) if last.bytes.is_empty() => last.requests += requests,
            _ if requests > 0 => {
                self.batches.push_back(Batch { bytes: Vec::new(), requests, starts: Vec::new() });
            }
            _ => {}
        }
    }

    /// Keeps the beginning of the large request that gets number `number`.
    pub(crate) fn note_head(&mut self, number: u64, request: &[u8]) {
        if self.heads.len() < MOST_HEADS {
            self.heads.push_back((number, request[..request.len().min(HEAD)].to_vec()));
        }
    }

    /// Lets go of the requests below number `answered`.
    #[inline]
    pub(crate) fn release(&mut self, answered: u64, spare: &mut SpareBuffers) {
        while let Some(front) = self.batches.front()
            && self.first + front.requests <= answered
        {
            self.first += front.requests;
            self.room -= front.bytes.capacity();
            if let Some(batch) = self.batches.pop_front() {
                spare.give(batch.bytes);
            }
        }
        while self.heads.front().is_some_and(|(number, _)| *number < answered) {
            self.heads.pop_front();
        }
        if self.batches.is_empty() {
            self.first = self.until;
        }
    }

    /// Forgets all: what was in flight is answered, `entered` requests in all.
    pub(crate) fn clear(&mut self, entered: u64, spare: &mut SpareBuffers) {
        self.until = entered;
        self.first = entered;
        self.room = 0;
        self.heads.clear();
        self.batches.drain(..).for_each(|batch| spare.give(batch.bytes));
    }

    /// What request `number` says: all of it, or its beginning if it is large.
    pub(crate) fn text(&mut self, number: u64) -> Option<&[u8]> {
        if let Ok(at) = self.heads.binary_search_by_key(&number, |(number, _)| *number) {
            return Some(&self.heads[at].1);
        }
        let mut first = self.first;
        for batch in &mut self.batches {
            if number < first + batch.requests {
                let index = number.checked_sub(first)? as usize;
                return batch.request(index);
            }
            first += batch.requests;
        }
        None
    }

    /// The bytes that are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes.len()).sum()
    }

    /// There is no room for another buffer: what is in it goes into the last one, if it fits there.
    #[cold]
    fn squeeze(&mut self, tail: Vec<u8>, until: u64, spare: &mut SpareBuffers) {
        let requests = until - self.until;
        match self.batches.back_mut() {
            Some(last)
                if !last.bytes.is_empty()
                    && last.bytes.len() + tail.len() <= last.bytes.capacity() =>
            {
                last.bytes.extend_from_slice(&tail);
                last.starts.clear();
                last.requests += requests;
                self.until = until;
            }
            _ => self.keep_heads(&tail, until),
        }
        spare.give(tail);
    }

    /// The requests up to number `until`, which are `tail` from the last call on, are more than is
    /// kept whole: of those that are not small the beginnings are kept.
    #[cold]
    pub(crate) fn keep_heads(&mut self, tail: &[u8], until: u64) {
        let requests = until - self.until;
        let is_small = (tail.len() as u64) < requests.saturating_mul(HEAD as u64);
        let starts = if is_small { Vec::new() } else { starts(tail) };
        if starts.len() as u64 == requests + 1 {
            for (number, span) in (self.until..).zip(starts.windows(2)) {
                self.note_head(number, &tail[span[0] as usize..span[1] as usize]);
            }
        }
        self.skip(until);
    }
}

impl Batch {
    fn request(&mut self, index: usize) -> Option<&[u8]> {
        if self.starts.is_empty() {
            self.starts = starts(&self.bytes);
        }
        // Were the counts to differ, a request would be shown for another.
        if self.starts.len() as u64 != self.requests + 1 {
            return None;
        }
        let (from, to) = (*self.starts.get(index)?, *self.starts.get(index + 1)?);
        Some(&self.bytes[from as usize..to as usize])
    }
}

/// Where the requests in `bytes` begin, and at last where they end; one place only if they are not
/// whole.
fn starts(bytes: &[u8]) -> Vec<u32> {
    let (limits, mut scanner) = (ANYTHING, RequestScanner::default());
    let (mut starts, mut start) = (vec![0], 0);
    while start < bytes.len() {
        match scanner.scan(&bytes[start..], &limits) {
            Ok(Scan::Done(length)) => start += length,
            _ => return vec![0],
        }
        scanner.reset();
        starts.push(start as u32);
    }
    starts
}

/// Whatever circlet itself has sent.
const ANYTHING: RequestLimits = RequestLimits {
    bulk: u32::MAX as u64,
    arguments: i32::MAX as u64,
    inline: u32::MAX as u64,
    command: u32::MAX as u64,
    once_known: None,
};

/// Bytes that a link keeps of requests in flight.
pub const KEPT: usize = 64 * 1024;
/// From so many on, requests share buffers: those that wait for a slow shard are many and small.
const MOST_BATCHES: usize = 16;
/// Large requests of which a link keeps the beginning.
const MOST_HEADS: usize = 64;
/// Bytes of a large request that are kept.
const HEAD: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::write;

    fn requests(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1024);
        for name in names {
            write::command(&mut bytes, &["GET", name]);
        }
        bytes
    }

    fn key(text: Option<&[u8]>) -> Option<String> {
        let text = String::from_utf8(text?.to_vec()).unwrap();
        Some(text.trim_end().rsplit('\n').next().unwrap().to_owned())
    }

    #[test]
    fn requests_are_found_by_number_until_they_are_answered() {
        let (mut kept, mut spare) = (Kept::default(), SpareBuffers::default());
        kept.keep(requests(&["a", "b"]), 2, &mut spare);
        kept.keep(requests(&["c"]), 3, &mut spare);
        assert_eq!(key(kept.text(0)).as_deref(), Some("a"));
        assert_eq!(key(kept.text(1)).as_deref(), Some("b"));
        assert_eq!(key(kept.text(2)).as_deref(), Some("c"));
        assert_eq!(kept.text(3), None);
        kept.release(1, &mut spare);
        assert_eq!(key(kept.text(1)).as_deref(), Some("b"), "its batch has one without a reply");
        kept.release(2, &mut spare);
        assert_eq!(kept.text(1), None);
        assert_eq!(key(kept.text(2)).as_deref(), Some("c"));
        kept.release(3, &mut spare);
        assert_eq!((kept.len(), kept.room), (0, 0));
        kept.keep(requests(&["d"]), 4, &mut spare);
        assert_eq!(key(kept.text(3)).as_deref(), Some("d"));
    }

    #[test]
    fn what_is_not_known_shifts_nobody() {
        let (mut kept, mut spare) = (Kept::default(), SpareBuffers::default());
        kept.skip(2);
        kept.note_head(2, b"*3\r\n$3\r\nSET\r\n");
        kept.skip(3);
        kept.keep(requests(&["a"]), 4, &mut spare);
        // More requests than were counted: none of them can be told from another.
        kept.keep(requests(&["b", "c"]), 5, &mut spare);
        assert_eq!(kept.text(0), None);
        assert_eq!(kept.text(1), None);
        assert_eq!(kept.text(2), Some(&b"*3\r\n$3\r\nSET\r\n"[..]));
        assert_eq!(key(kept.text(3)).as_deref(), Some("a"));
        assert_eq!(kept.text(4), None);
        kept.release(4, &mut spare);
        assert_eq!(kept.text(2), None);
    }

    #[test]
    fn a_link_keeps_so_much_and_no_more() {
        let (mut kept, mut spare) = (Kept::default(), SpareBuffers::default());
        for number in 0..100_000 {
            kept.keep(requests(&["key"]), number + 1, &mut spare);
        }
        assert!(kept.room <= KEPT && kept.batches.len() <= MOST_BATCHES + 1, "{}", kept.room);
        assert_eq!(key(kept.text(0)).as_deref(), Some("key"));
        assert!(kept.len() > 1024, "small ones share a buffer");
        assert_eq!(kept.text(99_999), None);
        kept.release(100_000, &mut spare);
        assert_eq!((kept.len(), kept.room, kept.first), (0, 0, 100_000));
    }
}
