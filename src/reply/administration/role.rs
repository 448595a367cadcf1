//! ROLE: to its clients circlet is one master without replicas.

use super::frame;
use crate::resp::Writer;
use crate::resp::reply::elements;

/// `master`, how far the masters among the shards have replicated together, and no replicas:
/// theirs are not clients' business, for no replica has all keys.
pub fn role(replies: &[&[u8]], writer: &mut Writer<'_>) -> Option<()> {
    let mut offset = 0_i64;
    for reply in replies {
        let mut fields = elements(reply)?;
        if frame::text(fields.next()?) == Some(b"master") {
            offset = offset.saturating_add(frame::integer(fields.next()?)?);
        }
    }
    writer.array(3);
    writer.bulk(b"master");
    writer.integer(offset);
    writer.array(0);
    Some(())
}
