//! Frames by chance: every type of RESP2 and RESP3, nested and streamed.

use proptest::prelude::*;

/// A reply as a tree, to be written by the plainest means.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    /// A line: `+ - : _ # , (` and the null forms, type byte included.
    Line(String),
    /// `$`, `!` or `=`.
    Bulk(char, Vec<u8>),
    /// `$?` in chunks.
    StreamedBulk(Vec<Vec<u8>>),
    /// `*`, `~`, `>` or `%`; a map's keys and values in turn.
    Aggregate(char, Vec<Frame>),
    /// `*?`, `~?` or `%?`.
    Streamed(char, Vec<Frame>),
    /// An attribute's keys and values, and what it is for.
    Attributed(Vec<Frame>, Box<Frame>),
}

impl Frame {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Line(line) => out.extend(format!("{line}\r\n").bytes()),
            Frame::Bulk(kind, body) => write_body(out, *kind, body),
            Frame::StreamedBulk(chunks) => {
                out.extend(b"$?\r\n");
                chunks.iter().for_each(|chunk| write_body(out, ';', chunk));
                out.extend(b";0\r\n");
            }
            Frame::Aggregate(kind, elements) => write_all(out, *kind, elements),
            Frame::Streamed(kind, elements) => {
                out.extend(format!("{kind}?\r\n").bytes());
                elements.iter().for_each(|element| element.write(out));
                out.extend(b".\r\n");
            }
            Frame::Attributed(attribute, frame) => {
                write_all(out, '|', attribute);
                frame.write(out);
            }
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// What [`crate::resp::reply::elements`] must give.
    pub(super) fn elements(&self) -> Option<Vec<Vec<u8>>> {
        match self {
            Frame::Aggregate(_, elements) | Frame::Streamed(_, elements) => {
                Some(elements.iter().map(Frame::bytes).collect())
            }
            Frame::Attributed(_, frame) => frame.elements(),
            _ => None,
        }
    }
}

fn write_body(out: &mut Vec<u8>, kind: char, body: &[u8]) {
    out.extend(format!("{kind}{}\r\n", body.len()).bytes());
    out.extend(body);
    out.extend(b"\r\n");
}

fn write_all(out: &mut Vec<u8>, kind: char, elements: &[Frame]) {
    let count = if matches!(kind, '%' | '|') { elements.len() / 2 } else { elements.len() };
    out.extend(format!("{kind}{count}\r\n").bytes());
    elements.iter().for_each(|element| element.write(out));
}

/// Frames that a RESP2 server sends.
pub(super) fn resp2() -> impl Strategy<Value = Frame> {
    let leaf = prop_oneof![
        "[+-][ -~]{0,40}".prop_map(Frame::Line),
        any::<i64>().prop_map(|number| Frame::Line(format!(":{number}"))),
        Just(Frame::Line("$-1".to_owned())),
        body().prop_map(|body| Frame::Bulk('$', body)),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop::collection::vec(inner, 0..8).prop_map(|elements| Frame::Aggregate('*', elements))
    })
}

/// Frames that a RESP3 server sends, streamed ones and attributes aside; no aggregate is a map's
/// key or a set's member.
pub(super) fn resp3() -> impl Strategy<Value = Frame> {
    resp3_leaf().prop_recursive(5, 60, 8, |inner| {
        let array = (prop::sample::select(vec!['*', '>']), list(inner.clone()))
            .prop_map(|(kind, elements)| Frame::Aggregate(kind, elements));
        let set = list(resp3_leaf()).prop_map(|members| Frame::Aggregate('~', members));
        let map = prop::collection::vec((resp3_leaf(), inner), 0..5).prop_map(|pairs| {
            let elements = pairs.into_iter().flat_map(|(key, value)| [key, value]).collect();
            Frame::Aggregate('%', elements)
        });
        prop_oneof![array, set, map]
    })
}

/// All frames that RESP3 knows.
pub(super) fn any_frame() -> impl Strategy<Value = Frame> {
    let leaf = prop_oneof![
        4 => resp3_leaf(),
        1 => prop::sample::select(vec!["$-1", "*-1", ",-nan"]).prop_map(|line| Frame::Line(line.to_owned())),
        1 => prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..4)
            .prop_map(Frame::StreamedBulk),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let streamed = (prop::sample::select(vec!['*', '~', '%']), list(inner.clone()))
            .prop_map(|(kind, elements)| Frame::Streamed(kind, in_pairs(kind, elements)));
        let attributed = (list(inner.clone()), inner.clone()).prop_map(|(attribute, frame)| {
            Frame::Attributed(in_pairs('|', attribute), Box::new(frame))
        });
        prop_oneof![3 => aggregate(inner), 1 => streamed, 1 => attributed]
    })
}

fn resp3_leaf() -> impl Strategy<Value = Frame> {
    prop_oneof![
        "[+-][ -~]{0,40}".prop_map(Frame::Line),
        any::<i64>().prop_map(|number| Frame::Line(format!(":{number}"))),
        prop::sample::select(vec!["_", "#t", "#f", ",inf", ",-inf", ",nan", ",1e-7"])
            .prop_map(|line| Frame::Line(line.to_owned())),
        (-1e9..1e9_f64).prop_map(|number| Frame::Line(format!(",{number}"))),
        "\\(-?[1-9][0-9]{0,50}".prop_map(Frame::Line),
        (prop::sample::select(vec!['$', '!']), body())
            .prop_map(|(kind, body)| Frame::Bulk(kind, body)),
        "(txt|mkd):[ -~]{0,30}".prop_map(|text| Frame::Bulk('=', text.into_bytes())),
    ]
}

fn aggregate(
    inner: impl Strategy<Value = Frame> + Clone + 'static,
) -> impl Strategy<Value = Frame> {
    (prop::sample::select(vec!['*', '~', '%', '>']), list(inner))
        .prop_map(|(kind, elements)| Frame::Aggregate(kind, in_pairs(kind, elements)))
}

fn list(inner: impl Strategy<Value = Frame> + 'static) -> impl Strategy<Value = Vec<Frame>> {
    prop::collection::vec(inner, 0..8)
}

fn in_pairs(kind: char, mut elements: Vec<Frame>) -> Vec<Frame> {
    if matches!(kind, '%' | '|') {
        elements.truncate(elements.len() / 2 * 2);
    }
    elements
}

/// Bodies of all lengths of length, with line ends among their bytes.
pub(super) fn body() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\r\n$*".to_vec())];
    prop_oneof![
        8 => prop::collection::vec(byte.clone(), 0..20),
        1 => prop::collection::vec(byte.clone(), 95..105),
        1 => prop::collection::vec(byte, 995..1005),
    ]
}
