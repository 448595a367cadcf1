//! What a reply must be, and whether it is, in either protocol.

use crate::harness::Reply;

/// What the reply to an [`Op`] must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Ok,
    Integer(i64),
    Bytes(Option<Vec<u8>>),
    /// In this order.
    List(Vec<Vec<u8>>),
    /// In any order; pairs are joined by `=`.
    Bag(Vec<Vec<u8>>),
    /// The id of an entry that was added.
    Id,
    /// The values of a stream's entries.
    Entries(Vec<Vec<u8>>),
}

impl Answer {
    /// Whether `reply`, of either protocol, says the same.
    pub fn is(&self, reply: &Reply) -> bool {
        match (self, reply) {
            (Answer::Ok, Reply::Simple(text)) => text == "OK",
            (Answer::Integer(number), Reply::Integer(got)) => number == got,
            (Answer::Bytes(None), Reply::Nil) => true,
            (Answer::Bytes(Some(bytes)), Reply::Bulk(got)) => bytes == got,
            (Answer::Bytes(Some(bytes)), Reply::Number(got)) => *bytes == got.as_bytes(),
            (Answer::Id, Reply::Bulk(got)) => parse_id(got),
            (Answer::List(all), Reply::Array(_)) => *all == leaves(reply),
            (Answer::Bag(all), Reply::Array(_) | Reply::Map(_) | Reply::Set(_)) => {
                let got = leaves(reply);
                let is_paired = got.len() == 2 * all.len();
                let mut got: Vec<Vec<u8>> = match is_paired {
                    true => got.chunks(2).map(|two| pair(&two[0], &two[1])).collect(),
                    false => got,
                };
                let mut all = all.clone();
                all.sort();
                got.sort();
                all == got
            }
            (Answer::Entries(all), Reply::Array(_)) => {
                let got = leaves(reply);
                got.len() == 3 * all.len()
                    && got.chunks(3).zip(all).all(|(entry, value)| {
                        parse_id(&entry[0]) && entry[1] == b"v" && entry[2] == *value
                    })
            }
            _ => false,
        }
    }
}

/// All strings and numbers of a reply, however deep they are, in order.
pub fn leaves(reply: &Reply) -> Vec<Vec<u8>> {
    match reply {
        Reply::Bulk(bytes) => vec![bytes.clone()],
        Reply::Simple(text) | Reply::Number(text) | Reply::Error(text) => {
            vec![text.clone().into_bytes()]
        }
        Reply::Integer(number) => vec![number.to_string().into_bytes()],
        Reply::Nil => vec![NIL.to_vec()],
        Reply::Boolean(is) => vec![is.to_string().into_bytes()],
        Reply::Array(all) | Reply::Set(all) | Reply::Push(all) => {
            all.iter().flat_map(leaves).collect()
        }
        Reply::Map(all) => {
            all.iter().flat_map(|(key, value)| [leaves(key), leaves(value)].concat()).collect()
        }
    }
}

/// A field and its value, as one of a bag.
pub fn pair(one: &[u8], other: &[u8]) -> Vec<u8> {
    [one, b"=", other].concat()
}

fn parse_id(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    text.split_once('-').is_some_and(|(time, count)| is_number(time) && is_number(count))
}

/// Stands for a nil among leaves.
pub const NIL: &[u8] = b"(nil)";
