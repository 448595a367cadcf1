//! Bytes that wait to be written to one socket.
//!
//! ```text
//!   push_large ─► [Bytes][Bytes] … ─┐
//!   extend ─────► tail ─────────────┴─► one write (vectored when there are large bodies)
//! ```
//!
//! Small frames are copied into `tail`, which is lent by the worker and handed back as soon as it
//! is empty: an idle connection owns no buffer. Large bodies are reference-counted, not copied.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use crate::socket::Socket;

/// The queue of bytes for one socket.
#[derive(Debug, Default)]
pub struct Outbox {
    large: VecDeque<Bytes>,
    tail: Vec<u8>,
    /// Bytes of the first of `large`, or of `tail` when `large` is empty, that are written.
    sent: usize,
    /// Bytes that wait.
    len: usize,
    /// Whether `tail` lacks something of what was queued since all was written last.
    is_cut: bool,
}

impl Outbox {
    /// Bytes that wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that wait behind the large body that is being written.
    #[inline]
    pub fn len_behind_first(&self) -> usize {
        self.len - self.large.front().map_or(0, |first| first.len() - self.sent)
    }

    /// Queues a copy of `bytes`.
    #[inline]
    pub fn extend(&mut self, bytes: &[u8], spare: &mut SpareBuffers) {
        self.borrow_tail(spare);
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Queues what `write` appends to the buffer it is given.
    #[inline]
    pub fn write_with(&mut self, spare: &mut SpareBuffers, write: impl FnOnce(&mut Vec<u8>)) {
        self.borrow_tail(spare);
        let before = self.tail.len();
        write(&mut self.tail);
        self.len += self.tail.len() - before;
    }

    /// Queues `bytes` without copying them.
    pub fn push_large(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        if !self.tail.is_empty() {
            let sent_of_tail =
                if self.large.is_empty() { std::mem::take(&mut self.sent) } else { 0 };
            let tail = Bytes::from(std::mem::take(&mut self.tail));
            self.large.push_back(tail.slice(sent_of_tail..));
        }
        self.is_cut = true;
        self.len += bytes.len();
        self.large.push_back(bytes);
    }

    /// What was queued since all was written last, if none of it went another way.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        (!self.is_cut && self.large.is_empty()).then_some(&self.tail)
    }

    /// What is queued next is the rest of something whose beginning went another way.
    pub(crate) fn cut(&mut self) {
        self.is_cut = true;
    }

    /// Writes what the kernel takes; `Ok(true)` when nothing is left to write, here or in the socket.
    pub fn flush(&mut self, socket: &mut Socket, spare: &mut SpareBuffers) -> io::Result<bool> {
        if !self.write_all(socket)? {
            return Ok(false);
        }
        self.clear(spare);
        socket.try_flush()
    }

    /// The same; once all is written, `keep` gets the buffer with what was queued since all was
    /// written last, or nothing where the buffer does not hold all of that.
    #[inline]
    pub(crate) fn flush_keeping(
        &mut self,
        socket: &mut Socket,
        spare: &mut SpareBuffers,
        keep: impl FnOnce(Option<Vec<u8>>, &mut SpareBuffers),
    ) -> io::Result<bool> {
        if !self.write_all(socket)? {
            return Ok(false);
        }
        let whole = (!self.is_cut).then(|| std::mem::take(&mut self.tail));
        self.clear(spare);
        keep(whole, spare);
        socket.try_flush()
    }

    /// Drops all that waits.
    pub fn clear(&mut self, spare: &mut SpareBuffers) {
        self.large = VecDeque::new();
        self.sent = 0;
        self.len = 0;
        self.is_cut = false;
        spare.give(std::mem::take(&mut self.tail));
    }

    /// A copy of the bytes that wait.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.large.iter().flatten().copied().collect();
        bytes.extend_from_slice(&self.tail);
        bytes.split_off(self.sent)
    }

    /// Writes what the kernel takes; true when that was all.
    fn write_all(&mut self, socket: &mut Socket) -> io::Result<bool> {
        while self.len > 0 {
            match self.write_some(socket) {
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn write_some(&self, socket: &mut Socket) -> io::Result<usize> {
        if self.large.is_empty() {
            return socket.try_write(&self.tail[self.sent..]);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut used = 0;
        for bytes in self.large.iter().map(|bytes| &bytes[..]).chain([&self.tail[..]]) {
            if used == MAX_SLICES {
                break;
            }
            let from = if used == 0 { self.sent } else { 0 };
            slices[used] = IoSlice::new(&bytes[from..]);
            used += 1;
        }
        socket.try_write_vectored(&slices[..used])
    }

    fn advance(&mut self, written: usize) {
        self.len -= written;
        self.sent += written;
        while let Some(first) = self.large.front() {
            if self.sent < first.len() {
                return;
            }
            self.sent -= first.len();
            self.large.pop_front();
        }
        // A tail that never quite drains must not keep what was written long ago.
        if self.sent >= COMPACT_FROM && self.sent * 2 >= self.tail.len() {
            self.tail.drain(..self.sent);
            self.sent = 0;
            self.is_cut = true;
        }
    }

    #[inline]
    fn borrow_tail(&mut self, spare: &mut SpareBuffers) {
        if self.tail.capacity() == 0 {
            self.tail = spare.take();
        }
    }
}

/// Empty buffers that the connections of one worker share.
#[derive(Debug, Default)]
pub struct SpareBuffers {
    buffers: Vec<Vec<u8>>,
}

impl SpareBuffers {
    /// An empty buffer with room.
    #[inline]
    pub fn take(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_else(|| Vec::with_capacity(FIRST_CAPACITY))
    }

    /// Takes a buffer back; one that grew large is freed instead.
    #[inline]
    pub fn give(&mut self, mut buffer: Vec<u8>) {
        if (1..=KEEP_CAPACITY).contains(&buffer.capacity()) && self.buffers.len() < KEEP_BUFFERS {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    /// Frees half of those that were not taken for longest.
    pub fn thin_out(&mut self) {
        self.buffers.drain(..self.buffers.len().div_ceil(2));
    }
}

/// From this size on, a frame for which the way is free is written before anything else happens
/// to it. Below, the copy is cheaper than a system call of its own.
pub const WRITE_THROUGH: usize = 16 * 1024;

/// Slices in one vectored write; the kernel takes up to 1024, more than a few gain nothing.
const MAX_SLICES: usize = 64;
/// What a new buffer can hold before it grows.
const FIRST_CAPACITY: usize = 1024;
/// A buffer larger than this is not kept: after a peak the memory goes back.
const KEEP_CAPACITY: usize = 64 * 1024;
/// How many spare buffers a worker keeps: at most 16 MiB of them, normally far less.
const KEEP_BUFFERS: usize = 256;
/// Written bytes at the head of a tail are dropped from this many on.
const COMPACT_FROM: usize = 64 * 1024;

#[cfg(test)]
mod tests;
