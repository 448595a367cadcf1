//! What the user typed: a tree of text with the place of every piece.
//!
//! YAML and TOML both become this tree, so there is one validation for the two. Scalars stay text as
//! typed: `redis_auth: 1e5` is the password "1e5", not the number 100000.

use zeroize::Zeroize;

/// A line and a column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A piece of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// The three shapes a piece can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Text; of a quoted scalar what the quotes hold, of another what was typed.
    Scalar(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Pairs in the order of the file; a key may occur twice.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Overwrites all text: there may be a password in it.
    pub(crate) fn wipe(&mut self) {
        match &mut self.value {
            Value::Scalar(text) => text.zeroize(),
            Value::Sequence(items) => items.iter_mut().for_each(Node::wipe),
            Value::Mapping(pairs) => pairs.iter_mut().for_each(|(key, value)| {
                key.wipe();
                value.wipe();
            }),
        }
    }
}

impl Value {
    /// The shape in words, for faults.
    pub(crate) fn shape(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "a single value",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}
