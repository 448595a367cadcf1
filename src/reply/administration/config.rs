//! CONFIG GET: what holds on every shard.

use super::{frame, pairs};
use crate::resp::Writer;

/// One value a parameter: the one that all shards have; else of numbers the least and of yes and
/// no `no`, for that much every shard keeps; else what the first shard has. A parameter that not
/// all shards know is left out, for CONFIG SET could not set it.
pub fn config_get(replies: &[&[u8]], writer: &mut Writer<'_>) -> Option<()> {
    let mut joined: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    for (index, reply) in replies.iter().enumerate() {
        for (name, value) in pairs(reply)? {
            match joined.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None if index == 0 => joined.push((name, vec![value])),
                None => {}
            }
        }
    }
    joined.retain(|(_, values)| values.len() == replies.len());
    writer.map(joined.len());
    for (name, values) in joined {
        writer.raw(name);
        let value = common(&values);
        match frame::text(value) {
            Some(text) if !text.is_empty() && is_secret(name) => writer.bulk(HIDDEN),
            _ => writer.raw(value),
        }
    }
    Some(())
}

/// Whether a parameter's value is for nobody: with it a client could go to the shards by itself.
fn is_secret(name: &[u8]) -> bool {
    frame::text(name).is_some_and(|name| SECRETS.contains(&name))
}

fn common<'a>(values: &[&'a [u8]]) -> &'a [u8] {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return first;
    }
    let no = values.iter().find(|value| frame::text(value) == Some(b"no"));
    let truths = values.iter().all(|value| matches!(frame::text(value), Some(b"yes" | b"no")));
    match no {
        Some(no) if truths => no,
        _ => least(values).unwrap_or(first),
    }
}

fn least<'a>(values: &[&'a [u8]]) -> Option<&'a [u8]> {
    let mut numbers = Vec::with_capacity(values.len());
    for value in values {
        numbers.push((frame::number(value).filter(|number| number.is_finite())?, *value));
    }
    numbers.into_iter().min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, value)| value)
}

const SECRETS: [&[u8]; 4] =
    [b"requirepass", b"masterauth", b"tls-key-file-pass", b"tls-client-key-file-pass"];
const HIDDEN: &[u8] = b"(hidden)";
