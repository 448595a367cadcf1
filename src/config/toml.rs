//! TOML text to the tree of what was typed: tables are pools.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::fault::{ConfigFault, Faults, Wrong};
use super::tree::{Node, Place, Value};

/// Reads a TOML document; all its faults of syntax at once. `None` when there is nothing in it.
pub(crate) fn read(text: &str, file: &str) -> Result<Option<Node>, Faults> {
    let places = Places::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let faults = errors.iter().map(|error| syntax_fault(file, &places, error));
        return Err(Faults(faults.collect()));
    }
    if root.get_ref().is_empty() {
        return Ok(None);
    }
    let value = mapping(&places, root.get_ref());
    Ok(Some(Node { place: places.at(0), value }))
}

fn syntax_fault(file: &str, places: &Places<'_>, error: &::toml::de::Error) -> ConfigFault {
    let place = error.span().map(|span| places.at(span.start));
    let wrong = format!("not valid TOML: {}", error.message());
    ConfigFault {
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
        ..ConfigFault::of_file(
            file,
            Wrong::new(wrong, "one table a pool, one `key = value` a line"),
        )
    }
}

fn node(places: &Places<'_>, value: &Spanned<DeValue<'_>>) -> Node {
    let place = places.at(value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Scalar(text.to_string()),
        DeValue::Array(items) => {
            Value::Sequence(items.iter().map(|item| node(places, item)).collect())
        }
        DeValue::Table(table) => mapping(places, table),
        _ => Value::Scalar(places.text.get(value.span()).unwrap_or_default().to_owned()),
    };
    Node { place, value }
}

fn mapping(places: &Places<'_>, table: &DeTable<'_>) -> Value {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    let key_node = |key: &Spanned<std::borrow::Cow<'_, str>>| Node {
        place: places.at(key.span().start),
        value: Value::Scalar(key.get_ref().to_string()),
    };
    Value::Mapping(
        pairs.into_iter().map(|(key, value)| (key_node(key), node(places, value))).collect(),
    )
}

/// Byte offsets to lines and columns.
struct Places<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(ends.map(|(offset, _)| offset + 1)).collect();
        Self { text, line_starts }
    }

    fn at(&self, offset: usize) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        Place { line: line as u32, column: before.chars().count() as u32 + 1 }
    }
}
