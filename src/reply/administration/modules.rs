//! MODULE LIST: what a client may use whichever shard its keys live on.

use super::{frame, pairs};
use crate::resp::Writer;
use crate::resp::reply::elements;

/// The modules that all shards have, in the oldest version that one has.
pub fn module_list(replies: &[&[u8]], writer: &mut Writer<'_>) -> Option<()> {
    let mut modules: Vec<(&[u8], i64, &[u8], usize)> = Vec::new();
    for reply in replies {
        for entry in elements(reply)? {
            let (name, version) = (value_of(entry, b"name")?, value_of(entry, b"ver")?);
            let version = frame::integer(version)?;
            match modules.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, oldest, shown, count)) => {
                    *count += 1;
                    if version < *oldest {
                        (*oldest, *shown) = (version, entry);
                    }
                }
                None => modules.push((name, version, entry, 1)),
            }
        }
    }
    modules.retain(|(_, _, _, count)| *count == replies.len());
    writer.array(modules.len());
    modules.iter().for_each(|(_, _, entry, _)| writer.raw(entry));
    Some(())
}

fn value_of<'a>(entry: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    pairs(entry)?.find(|(name, _)| frame::text(name) == Some(wanted)).map(|(_, value)| value)
}
