//! Whether two replies are the same, as far as an example asks.

use super::scenario::Mode;
use crate::harness::Reply;

/// Whether `ours` is what it should be beside `theirs`.
pub fn agree(mode: &Mode, ours: &[u8], theirs: &[u8]) -> bool {
    match mode {
        Mode::Exact => ours == theirs,
        Mode::Sorted => sorted(ours) == sorted(theirs),
        Mode::Shape => shape(&parse(ours)) == shape(&parse(theirs)),
        Mode::Type => ours.first() == theirs.first(),
        Mode::Exception { pattern, .. } => {
            matches(pattern, &String::from_utf8_lossy(ours).replace("\r\n", " "))
        }
    }
}

/// The head and the elements in an order of our own.
fn sorted(reply: &[u8]) -> (u8, Vec<String>) {
    let elements = match parse(reply) {
        Reply::Array(elements) | Reply::Set(elements) | Reply::Push(elements) => elements,
        Reply::Map(pairs) => pairs.into_iter().map(|(k, v)| Reply::Array(vec![k, v])).collect(),
        other => vec![other],
    };
    let mut told: Vec<String> = elements.iter().map(|element| format!("{element:?}")).collect();
    told.sort();
    (reply[0], told)
}

/// Types all the way down; errors tell what they say.
fn shape(reply: &Reply) -> String {
    let all = |replies: &[Reply]| replies.iter().map(shape).collect::<Vec<_>>().join(" ");
    match reply {
        Reply::Simple(_) => "+".into(),
        Reply::Error(text) => format!("-{text}"),
        Reply::Integer(_) => ":".into(),
        Reply::Bulk(_) => "$".into(),
        Reply::Nil => "_".into(),
        Reply::Number(_) => ",".into(),
        Reply::Boolean(_) => "#".into(),
        Reply::Array(elements) => format!("*[{}]", all(elements)),
        Reply::Set(elements) => format!("~[{}]", all(elements)),
        Reply::Push(elements) => format!(">[{}]", all(elements)),
        Reply::Map(pairs) => {
            let pair = |(key, value): &(Reply, Reply)| format!("{key:?} {}", shape(value));
            format!("%[{}]", pairs.iter().map(pair).collect::<Vec<_>>().join(" "))
        }
    }
}

fn parse(mut reply: &[u8]) -> Reply {
    crate::harness::read_reply(&mut reply, &mut Vec::new()).expect("it was read once before")
}

/// Whether `text` is `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.trim_end().strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}
