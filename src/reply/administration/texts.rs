//! MEMORY DOCTOR, MEMORY MALLOC-STATS, LATENCY DOCTOR, LATENCY GRAPH: texts for people, one a
//! shard, each under a heading.

use super::frame;
use crate::resp::{Protocol, Writer};

/// One shard's text.
#[derive(Debug, Clone, Copy)]
pub struct TextOf<'a> {
    /// The shard's name.
    pub shard: &'a str,
    /// Its reply.
    pub reply: &'a [u8],
}

/// All texts; a shard's error is its text. When all have only errors, the first is the reply.
pub fn texts(parts: &[TextOf<'_>], protocol: Protocol) -> Vec<u8> {
    if let Some(first) = parts.first()
        && parts.iter().all(|part| frame::is_error(part.reply))
    {
        return first.reply.to_vec();
    }
    let mut whole = String::new();
    for part in parts {
        let text = String::from_utf8_lossy(frame::text(part.reply).unwrap_or_default());
        let separator = if whole.is_empty() { "" } else { "\n" };
        whole += &format!("{separator}# shard {}\n{}\n", part.shard, text.trim_end_matches('\n'));
    }
    let mut out = Vec::new();
    Writer::new(&mut out, protocol).verbatim(&whole);
    out
}
