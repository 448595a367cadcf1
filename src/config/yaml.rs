//! YAML text to the tree of what was typed.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Options, Spanned};

use super::fault::{ConfigFault, Faults, Wrong};
use super::tree::{Node, Place, Value};

/// Reads one YAML document. `None` when there is nothing in it.
pub(crate) fn read(text: &str, file: &str) -> Result<Option<Node>, Faults> {
    match serde_saphyr::from_str_with_options::<Spanned<Typed>>(text, options()) {
        Ok(Spanned { value: Typed::Inferred, defined, .. })
            if typed_text(text, defined).is_empty() =>
        {
            Ok(None)
        }
        Ok(root) => Ok(Some(node(text, root))),
        Err(error) => Err(syntax_fault(file, &error).into()),
    }
}

/// A mapping of pools of keys of a list: nothing valid is deeper than 3. The margin lets a file
/// that is deeper by mistake be told so key by key.
const MAX_DEPTH: usize = 16;

/// Ten thousand servers need ten thousand nodes; past a million something else is meant.
const MAX_NODES: usize = 1_000_000;

/// Aliases that stand for more than this are an attack on memory, or a mistake.
const MAX_ALIASED: usize = 30_000;

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIASED },
        // Repeated keys are counted by the validation, which tells all of them at once.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn syntax_fault(file: &str, error: &serde_saphyr::Error) -> ConfigFault {
    let location = error.location().filter(|location| *location != Location::UNKNOWN);
    let message = error.without_snippet().to_string();
    // The place stands in front of the fault already.
    let message = message.split(" at line ").next().unwrap_or_default();
    // What follows a semicolon is advice for programmers.
    let message = message.split(';').next().unwrap_or_default();
    let wrong = format!("not valid YAML: {message}");
    let too_much = ["budget", "limit", "documents"].iter().any(|word| message.contains(word));
    let right = if too_much {
        "a configuration is three levels deep, has one document and few aliases"
    } else {
        "indent with spaces, never tabs; one mapping a pool, one `key: value` a line"
    };
    ConfigFault {
        line: location.map(|location| location.line() as u32),
        column: location.map(|location| location.column() as u32),
        ..ConfigFault::of_file(file, Wrong::new(wrong, right))
    }
}

/// A YAML node as the deserializer hands it over.
enum Typed {
    /// Quoted, or plain and like nothing but text.
    Text(String),
    /// Plain, and taken for a number, a boolean or null: its text is read back from the source.
    Inferred,
    Sequence(Vec<Spanned<Typed>>),
    Mapping(Vec<(Spanned<Typed>, Spanned<Typed>)>),
}

fn node(source: &str, typed: Spanned<Typed>) -> Node {
    let place =
        Place { line: typed.referenced.line() as u32, column: typed.referenced.column() as u32 };
    let value = match typed.value {
        Typed::Text(text) => Value::Scalar(text),
        Typed::Inferred => Value::Scalar(typed_text(source, typed.defined).to_owned()),
        Typed::Sequence(items) => {
            Value::Sequence(items.into_iter().map(|item| node(source, item)).collect())
        }
        Typed::Mapping(pairs) => Value::Mapping(
            pairs
                .into_iter()
                .map(|(key, value)| (node(source, key), node(source, value)))
                .collect(),
        ),
    };
    Node { place, value }
}

fn typed_text(source: &str, location: Location) -> &str {
    let span = location.span();
    let range = span.byte_offset().zip(span.byte_len());
    let text = range.and_then(|(offset, length)| {
        source.get(offset as usize..offset.checked_add(length)? as usize)
    });
    text.unwrap_or_default().trim()
}

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TypedVisitor)
    }
}

struct TypedVisitor;

impl<'de> Visitor<'de> for TypedVisitor {
    type Value = Typed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pools, keys and values")
    }

    fn visit_str<E>(self, text: &str) -> Result<Typed, E> {
        Ok(Typed::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Typed, E> {
        Ok(Typed::Text(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Typed, E> {
        Ok(Typed::Inferred)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Typed, E> {
        Ok(Typed::Inferred)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Typed, E> {
        Ok(Typed::Inferred)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Typed, E> {
        Ok(Typed::Inferred)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Typed, E> {
        Ok(Typed::Inferred)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Typed, E> {
        Ok(Typed::Inferred)
    }

    fn visit_unit<E>(self) -> Result<Typed, E> {
        Ok(Typed::Inferred)
    }

    fn visit_none<E>(self) -> Result<Typed, E> {
        Ok(Typed::Inferred)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Typed, A::Error> {
        let mut sequence = Vec::new();
        while let Some(item) = items.next_element()? {
            sequence.push(item);
        }
        Ok(Typed::Sequence(sequence))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Typed, A::Error> {
        let mut mapping = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            mapping.push(pair);
        }
        Ok(Typed::Mapping(mapping))
    }
}
