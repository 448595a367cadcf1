//! SLOWLOG GET: the newest of all shards.

use std::cmp::Reverse;

use super::frame;
use crate::resp::Writer;
use crate::resp::reply::elements;

/// The entries of all shards, the newest first, `limit` at most (−1: all). An entry keeps the
/// number that its shard gave it, so that numbers may occur twice.
pub fn slowlog_get(limit: i64, replies: &[&[u8]], writer: &mut Writer<'_>) -> Option<()> {
    let mut entries = Vec::new();
    for reply in replies {
        for entry in elements(reply)? {
            let mut fields = elements(entry)?;
            let number = frame::integer(fields.next()?)?;
            let at = frame::integer(fields.next()?)?;
            entries.push((Reverse(at), Reverse(number), entry));
        }
    }
    entries.sort_by_key(|(at, number, _)| (*at, *number));
    if let Ok(limit) = usize::try_from(limit) {
        entries.truncate(limit);
    }
    writer.array(entries.len());
    entries.iter().for_each(|(_, _, entry)| writer.raw(entry));
    Some(())
}
