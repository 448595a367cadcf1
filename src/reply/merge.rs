//! How the replies of several shards to one command become one reply.
//!
//! Pure: parts go in as bytes, in any order, one reply comes out. The rules are Redis's response
//! policies (<https://redis.io/docs/latest/develop/reference/command-tips/>). An error among the
//! parts is the answer, whatever the others said, unless the policy is `one_succeeded`.

use std::fmt::Write as _;
use std::ops::Range;

use super::frame::{integer, is_error, is_null};
use crate::resp::reply::elements;
use crate::resp::{Protocol, Writer, write};

/// How parts become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeKind {
    /// An array whose elements come from the parts in the order of the command's keys (MGET).
    Interleave,
    /// The elements of all parts, shard after shard (KEYS).
    Concatenate,
    /// The sum of integers, element by element when the parts are arrays.
    Sum,
    /// The least integer, element by element when the parts are arrays.
    Min,
    /// The greatest integer, element by element when the parts are arrays.
    Max,
    /// 1 where all parts say 1 (SCRIPT EXISTS).
    And,
    /// 1 where any part says 1.
    Or,
    /// The first part, when none is an error (FLUSHALL, MSET).
    AllSucceeded,
    /// The first part that is no error.
    OneSucceeded,
    /// One part that is not null, by chance (RANDOMKEY).
    AnyNonNull,
    /// Nothing: the client wants no reply.
    Nothing,
}

/// A reply in the making.
#[derive(Debug)]
pub struct Merge {
    kind: MergeKind,
    /// The part of each element in turn; only for `Interleave`.
    order: Vec<u16>,
    bytes: Vec<u8>,
    parts: Vec<Option<Range<usize>>>,
    missing: usize,
}

impl Merge {
    /// A merge of `parts` replies.
    pub fn new(kind: MergeKind, parts: usize) -> Self {
        Self {
            kind,
            order: Vec::new(),
            bytes: Vec::new(),
            parts: vec![None; parts],
            missing: parts,
        }
    }

    /// A merge whose element `i` comes from part `order[i]`.
    pub fn interleave(order: Vec<u16>, parts: usize) -> Self {
        Self { order, ..Self::new(MergeKind::Interleave, parts) }
    }

    /// Makes it a reply of no bytes.
    pub fn silence(&mut self) {
        self.kind = MergeKind::Nothing;
    }

    /// Takes in the reply of part `part`.
    pub fn fill(&mut self, part: usize, reply: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(reply);
        if self.parts[part].replace(start..self.bytes.len()).is_none() {
            self.missing -= 1;
        }
    }

    /// Bytes of the parts that are in.
    #[inline]
    pub fn received_len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether all parts are in.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Appends the merged reply to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.kind == MergeKind::Nothing {
            return;
        }
        if self.kind == MergeKind::OneSucceeded {
            return out.extend_from_slice(self.first_success());
        }
        if let Some(error) = self.replies().find(|reply| is_error(reply)) {
            return out.extend_from_slice(error);
        }
        match self.kind {
            MergeKind::Interleave => self.write_interleaved(out),
            MergeKind::Concatenate => self.write_concatenated(out),
            MergeKind::AllSucceeded | MergeKind::OneSucceeded => {
                out.extend_from_slice(self.first());
            }
            MergeKind::Nothing => {}
            MergeKind::AnyNonNull => out.extend_from_slice(self.any_non_null()),
            MergeKind::Sum => self.write_aggregate(out, i64::wrapping_add),
            MergeKind::Min | MergeKind::And => self.write_aggregate(out, i64::min),
            MergeKind::Max | MergeKind::Or => self.write_aggregate(out, i64::max),
        }
    }

    /// The replies, in the order of the parts.
    fn replies(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().flatten().map(|range| &self.bytes[range.clone()])
    }

    fn first(&self) -> &[u8] {
        self.replies().next().unwrap_or_default()
    }

    fn first_success(&self) -> &[u8] {
        self.replies().find(|reply| !is_error(reply)).unwrap_or_else(|| self.first())
    }

    fn any_non_null(&self) -> &[u8] {
        let found: Vec<&[u8]> = self.replies().filter(|reply| !is_null(reply)).collect();
        match found.len() {
            0 => self.first(),
            count => found[fastrand::usize(..count)],
        }
    }

    fn write_interleaved(&self, out: &mut Vec<u8>) {
        let mut sources = Vec::with_capacity(self.parts.len());
        for reply in self.replies() {
            match elements(reply) {
                Some(source) => sources.push(source),
                None => return write_mismatch(out, reply),
            }
        }
        out.reserve(self.bytes.len());
        write::array_head_into(out, self.order.len());
        for &part in &self.order {
            match sources[usize::from(part)].next() {
                Some(element) => out.extend_from_slice(element),
                None => out.extend_from_slice(b"$-1\r\n"),
            }
        }
    }

    fn write_concatenated(&self, out: &mut Vec<u8>) {
        let mut count = 0;
        for reply in self.replies() {
            match elements(reply) {
                Some(found) => count += found.count(),
                None => return write_mismatch(out, reply),
            }
        }
        out.reserve(self.bytes.len());
        // A set stays a set, an array an array.
        let kind = self.first().first().copied().unwrap_or(b'*');
        write::head(out, kind, count);
        for element in self.replies().filter_map(elements).flatten() {
            out.extend_from_slice(element);
        }
    }

    fn write_aggregate(&self, out: &mut Vec<u8>, join: fn(i64, i64) -> i64) {
        let mut total: Vec<i64> = Vec::new();
        for reply in self.replies() {
            let Some(numbers) = integers(reply) else { return write_mismatch(out, reply) };
            if total.is_empty() {
                total = numbers;
                continue;
            }
            for (total, number) in total.iter_mut().zip(numbers) {
                *total = join(*total, number);
            }
        }
        if self.first().starts_with(b"*") {
            write::array_head_into(out, total.len());
        }
        let mut writer = Writer::new(out, Protocol::Resp2);
        for number in total {
            writer.integer(number);
        }
    }
}

/// The integer of `:7`, or the integers of an array of them.
fn integers(reply: &[u8]) -> Option<Vec<i64>> {
    match reply.first()? {
        b':' => Some(vec![integer(reply)?]),
        b'*' => elements(reply)?.map(integer).collect(),
        _ => None,
    }
}

/// A shard answered with another type than its siblings: its version differs, or it is no Redis.
pub(super) fn write_mismatch(out: &mut Vec<u8>, reply: &[u8]) {
    let mut text = String::from("-ERR the shards' replies cannot be merged: one of them is ");
    let shown = String::from_utf8_lossy(&reply[..reply.len().min(SHOWN)]);
    let _ = write!(text, "{:?}", shown);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// How much of an unexpected reply an error shows.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(kind: MergeKind, parts: &[&[u8]]) -> String {
        let mut merge = Merge::new(kind, parts.len());
        // Last part first: order of arrival must not matter.
        for (index, part) in parts.iter().enumerate().rev() {
            assert!(!merge.is_complete());
            merge.fill(index, part);
        }
        assert!(merge.is_complete());
        let mut out = Vec::new();
        merge.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn interleaves_in_the_order_of_the_keys() {
        let mut merge = Merge::interleave(vec![0, 1, 0, 1, 1], 2);
        merge.fill(1, b"*3\r\n$1\r\nb\r\n$-1\r\n$0\r\n\r\n");
        merge.fill(0, b"*2\r\n$1\r\na\r\n$1\r\nc\r\n");
        let mut out = Vec::new();
        merge.write(&mut out);
        assert_eq!(out, b"*5\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$-1\r\n$0\r\n\r\n");
    }

    #[test]
    fn sums_integers_and_arrays_of_them() {
        assert_eq!(merged(MergeKind::Sum, &[b":2\r\n", b":-5\r\n", b":40\r\n"]), ":37\r\n");
        assert_eq!(merged(MergeKind::Min, &[b":2\r\n", b":-5\r\n"]), ":-5\r\n");
        assert_eq!(merged(MergeKind::Max, &[b":2\r\n", b":-5\r\n"]), ":2\r\n");
        assert_eq!(
            merged(MergeKind::And, &[b"*2\r\n:1\r\n:1\r\n", b"*2\r\n:0\r\n:1\r\n"]),
            "*2\r\n:0\r\n:1\r\n"
        );
        assert_eq!(merged(MergeKind::Or, &[b":0\r\n", b":1\r\n"]), ":1\r\n");
    }

    #[test]
    fn concatenates_arrays_and_sets() {
        assert_eq!(
            merged(MergeKind::Concatenate, &[b"*1\r\n+a\r\n", b"*0\r\n", b"*1\r\n+b\r\n"]),
            "*2\r\n+a\r\n+b\r\n"
        );
        assert_eq!(merged(MergeKind::Concatenate, &[b"~1\r\n+a\r\n", b"~0\r\n"]), "~1\r\n+a\r\n");
    }

    #[test]
    fn an_error_of_one_is_the_answer() {
        assert_eq!(merged(MergeKind::Sum, &[b":2\r\n", b"-OOM full\r\n"]), "-OOM full\r\n");
        assert_eq!(merged(MergeKind::AllSucceeded, &[b"+OK\r\n", b"-ERR x\r\n"]), "-ERR x\r\n");
        assert_eq!(merged(MergeKind::OneSucceeded, &[b"-ERR x\r\n", b"+OK\r\n"]), "+OK\r\n");
        assert_eq!(merged(MergeKind::AllSucceeded, &[b"+OK\r\n", b"+OK\r\n"]), "+OK\r\n");
    }

    #[test]
    fn takes_one_that_is_not_null() {
        assert_eq!(merged(MergeKind::AnyNonNull, &[b"$-1\r\n", b"$1\r\nk\r\n"]), "$1\r\nk\r\n");
        assert_eq!(merged(MergeKind::AnyNonNull, &[b"$-1\r\n", b"$-1\r\n"]), "$-1\r\n");
    }

    #[test]
    fn parts_of_different_types_are_an_error_not_a_wrong_answer() {
        assert!(merged(MergeKind::Sum, &[b":1\r\n", b"+OK\r\n"]).starts_with("-ERR "));
        assert!(merged(MergeKind::Concatenate, &[b"*0\r\n", b"+OK\r\n"]).starts_with("-ERR "));
    }
}
