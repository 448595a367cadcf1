//! circlet explains itself: where a key lives and why, how a pool's keys are shared out.
//!
//! What is told is a list of named [`Value`]s, the same over RESP (`client::proxy`), on the command
//! line ([`crate::commandline`]) and as JSON. Nothing here knows a socket.

mod key;
mod ring;
mod shards;

use serde_json::Value as Json;

pub use key::{Standing, keys};
pub use ring::{percent, ring};
pub use shards::{Load, shards};

use crate::resp::Writer;

/// Something that is told, in the order in which it reads best.
pub type Fields = Vec<(&'static str, Value)>;

/// What a field says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// There is nothing to say.
    Nothing,
    /// A word or a sentence.
    Text(String),
    /// Bytes of a client's: a key.
    Bytes(Vec<u8>),
    /// A count.
    Number(u64),
    /// A measure.
    Real(f64),
    /// Several of a kind.
    List(Vec<Value>),
    /// Something with fields of its own.
    Map(Fields),
}

impl Value {
    /// The text, or nothing.
    pub fn of(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(text.into()))
    }

    /// A list of maps.
    pub fn maps(maps: impl IntoIterator<Item = Fields>) -> Self {
        Self::List(maps.into_iter().map(Self::Map).collect())
    }

    /// As JSON; bytes that are no UTF-8 are replaced.
    pub fn json(&self) -> Json {
        match self {
            Self::Nothing => Json::Null,
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
            Self::Number(number) => (*number).into(),
            Self::Real(number) => (*number).into(),
            Self::List(list) => list.iter().map(Self::json).collect(),
            Self::Map(fields) => json(fields),
        }
    }

    /// As a reply.
    pub fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Nothing => writer.null(),
            Self::Text(text) => writer.bulk(text.as_bytes()),
            Self::Bytes(bytes) => writer.bulk(bytes),
            Self::Number(number) => writer.integer(i64::try_from(*number).unwrap_or(i64::MAX)),
            Self::Real(number) => writer.double(*number),
            Self::List(list) => {
                writer.array(list.len());
                list.iter().for_each(|value| value.write(writer));
            }
            Self::Map(fields) => write(fields, writer),
        }
    }

    /// As one line for a person; for all but maps and lists of them.
    pub fn line(&self) -> String {
        match self {
            Self::Nothing => "-".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => bytes.escape_ascii().to_string(),
            Self::Number(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::List(list) => list.iter().map(Self::line).collect::<Vec<_>>().join(", "),
            Self::Map(fields) => {
                let told = |(name, value): &(&str, Self)| format!("{name} {}", value.line());
                fields.iter().map(told).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// Fields as a JSON object.
pub fn json(fields: &Fields) -> Json {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect()
}

/// Fields as a map of RESP3, or RESP2's array of names and values.
pub fn write(fields: &Fields, writer: &mut Writer<'_>) {
    writer.map(fields.len());
    for (name, value) in fields {
        writer.bulk(name.as_bytes());
        value.write(writer);
    }
}

/// Fields as lines for a person, their names in a column.
pub fn lines(fields: &Fields) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    fields.iter().map(|(name, value)| format!("{name:width$}  {}\n", value.line())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Protocol;

    fn sample() -> Fields {
        vec![
            ("key", Value::Bytes(b"a\xff".to_vec())),
            ("points", Value::Number(7)),
            ("gone", Value::Nothing),
            ("shards", Value::maps([vec![("share", Value::Real(0.5))]])),
        ]
    }

    #[test]
    fn the_same_fields_are_a_reply_an_object_and_lines() {
        let mut out = Vec::new();
        write(&sample(), &mut Writer::new(&mut out, Protocol::Resp3));
        let expected =
            b"%4\r\n$3\r\nkey\r\n$2\r\na\xff\r\n$6\r\npoints\r\n:7\r\n$4\r\ngone\r\n_\r\n\
              $6\r\nshards\r\n*1\r\n%1\r\n$5\r\nshare\r\n,0.5\r\n";
        assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
        let expected = serde_json::json!({"key": "a\u{fffd}", "points": 7, "gone": null, "shards": [{"share": 0.5}]});
        assert_eq!(json(&sample()), expected);
        let text = "key     a\\xff\npoints  7\ngone    -\nshards  share 0.5\n";
        assert_eq!(lines(&sample()), text);
    }
}
