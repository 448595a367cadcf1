//! Replies as trees.

use std::collections::BTreeSet;
use std::io::BufRead;

/// A reply taken apart, every byte of it kept except for line ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frame {
    Leaf(Vec<u8>),
    Node(u8, Vec<Frame>),
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Leaf(bytes) => write!(out, "{}", bytes.escape_ascii()),
            Self::Node(kind, elements) => {
                write!(out, "{}", char::from(*kind))?;
                out.debug_list().entries(elements).finish()
            }
        }
    }
}

impl Frame {
    /// Reads one.
    pub fn read(from: &mut impl BufRead) -> Self {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line).unwrap();
        line.truncate(line.len() - 2);
        let count = || std::str::from_utf8(&line[1..]).unwrap().parse::<i64>().unwrap();
        match line[0] {
            b'$' if count() >= 0 => {
                let mut body = vec![0; count() as usize + 2];
                from.read_exact(&mut body).unwrap();
                Self::Leaf([b"$", &body[..body.len() - 2]].concat())
            }
            kind @ (b'*' | b'~' | b'%') => {
                let width = if kind == b'%' { 2 } else { 1 };
                let elements = (0..count() * width).map(|_| Self::read(from)).collect();
                Self::Node(kind, elements)
            }
            _ => Self::Leaf(line),
        }
    }

    /// The elements of an aggregate.
    pub fn elements(&self) -> &[Frame] {
        match self {
            Self::Leaf(_) => panic!("no aggregate: {self:?}"),
            Self::Node(_, elements) => elements,
        }
    }

    /// The text of a string.
    pub fn text(&self) -> &str {
        match self {
            Self::Leaf(bytes) => std::str::from_utf8(&bytes[1..]).unwrap(),
            Self::Node(..) => panic!("an aggregate: {self:?}"),
        }
    }

    /// The subcommands of COMMAND INFO's and COMMAND DOCS' entries in one order, and of them only
    /// those in `known`: Redis lists them in the order of a hash table, and we know more.
    pub fn sorted(self, known: &BTreeSet<String>) -> Self {
        let Self::Node(kind, elements) = self else { return self };
        let mut elements: Vec<_> = elements.into_iter().map(|frame| frame.sorted(known)).collect();
        if elements.first().is_some_and(is_info_of_subcommand) {
            elements.retain(|frame| known.contains(frame.elements()[0].text()));
            elements.sort();
        }
        if let [name, Self::Node(..), ..] = &elements[..]
            && is_subcommand_name(name)
        {
            let pairs = elements.chunks(2).filter(|pair| known.contains(pair[0].text()));
            let mut pairs: Vec<_> = pairs.map(<[Frame]>::to_vec).collect();
            pairs.sort();
            elements = pairs.concat();
        }
        Self::Node(kind, elements)
    }
}

fn is_info_of_subcommand(frame: &Frame) -> bool {
    matches!(frame, Frame::Node(_, facts) if facts.len() == 10 && is_subcommand_name(&facts[0]))
}

fn is_subcommand_name(frame: &Frame) -> bool {
    matches!(frame, Frame::Leaf(bytes) if bytes[0] == b'$' && bytes.contains(&b'|')
        && bytes.iter().all(|byte| byte.is_ascii_graphic()))
}
