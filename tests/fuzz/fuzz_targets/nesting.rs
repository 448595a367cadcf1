//! Aggregates in aggregates, of all kinds of RESP3: the scanner takes a reply if and only if it is
//! neither longer nor deeper than the limits, and refuses it before the bytes that it need not see.

#![no_main]

use circlet::resp::reply::{array_len, elements};
use circlet::resp::{ReplyError, ReplyLimits, ReplyScanner, Scan};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Frame {
    Line(Kind, u16),
    Bulk(BulkKind, Vec<u8>),
    Null(u8),
    /// Of this kind, around these.
    Aggregate(Around, Vec<Frame>),
    /// So many arrays of one element around it.
    Deep(u8, Box<Frame>),
}

#[derive(Debug, Arbitrary)]
enum Kind {
    Simple,
    Error,
    Integer,
    Double,
    Boolean,
    BigNumber,
}

#[derive(Debug, Arbitrary)]
enum BulkKind {
    String,
    Error,
    Verbatim,
}

#[derive(Debug, Arbitrary)]
enum Around {
    Array,
    Set,
    Push,
    Map,
    Attribute,
}

fuzz_target!(|input: (Frame, u8, u16, u8)| {
    let (frame, nesting, reply, step) = input;
    let limits = ReplyLimits { reply: u64::from(reply) + 1, nesting: u32::from(nesting % 40) + 1 };
    let mut bytes = Vec::new();
    let deepest = frame.write(&mut bytes, 0);
    if bytes.len() > 1 << 20 {
        return;
    }
    let is_fine = deepest <= limits.nesting && bytes.len() as u64 <= limits.reply;
    let whole = ReplyScanner::default().scan(&bytes, &limits);
    match &whole {
        Ok(Scan::Done(length)) => {
            assert!(is_fine, "depth {deepest}, {} bytes, {limits:?}", bytes.len());
            assert_eq!(*length, bytes.len());
            if let Some(found) = elements(&bytes) {
                let found: Vec<&[u8]> = found.collect();
                assert_eq!(array_len(&bytes), Some(found.len() as u64));
            }
        }
        Ok(Scan::More(_)) => panic!("a whole reply was not taken for one"),
        Err(error) => assert!(!is_fine, "{error}: depth {deepest}, {} bytes", bytes.len()),
    }
    assert_eq!(whole, in_pieces(&bytes, usize::from(step) + 1, &limits));
});

fn in_pieces(bytes: &[u8], step: usize, limits: &ReplyLimits) -> Result<Scan, ReplyError> {
    let mut scanner = ReplyScanner::default();
    let mut shown = step.min(bytes.len());
    loop {
        let scan = scanner.scan(&bytes[..shown], limits)?;
        if matches!(scan, Scan::Done(_)) || shown == bytes.len() {
            return Ok(scan);
        }
        shown = (shown + step).min(bytes.len());
    }
}

impl Frame {
    /// Appends the frame, which lies in so many others; the depth of the deepest aggregate.
    fn write(&self, out: &mut Vec<u8>, within: u32) -> u32 {
        match self {
            Self::Line(kind, number) => {
                let text = match kind {
                    Kind::Simple => format!("+{number}\r\n"),
                    Kind::Error => format!("-ERR {number}\r\n"),
                    Kind::Integer => format!(":{}\r\n", *number as i16),
                    Kind::Double => format!(",{number}.5\r\n"),
                    Kind::Boolean => format!("#{}\r\n", if number % 2 == 0 { 't' } else { 'f' }),
                    Kind::BigNumber => format!("({number}000000000000000000000\r\n"),
                };
                out.extend_from_slice(text.as_bytes());
                within
            }
            Self::Bulk(kind, body) => {
                let (mark, body) = match kind {
                    BulkKind::String => ('$', body.clone()),
                    BulkKind::Error => ('!', body.clone()),
                    BulkKind::Verbatim => ('=', [b"txt:", &body[..]].concat()),
                };
                out.extend_from_slice(format!("{mark}{}\r\n", body.len()).as_bytes());
                out.extend_from_slice(&body);
                out.extend_from_slice(b"\r\n");
                within
            }
            Self::Null(kind) => {
                out.extend_from_slice([&b"$-1\r\n"[..], b"*-1\r\n", b"_\r\n"][*kind as usize % 3]);
                within
            }
            Self::Aggregate(around, frames) => around.write(frames, out, within),
            Self::Deep(depth, frame) => {
                (0..*depth).for_each(|_| out.extend_from_slice(b"*1\r\n"));
                frame.write(out, within + u32::from(*depth))
            }
        }
    }
}

impl Around {
    fn write(&self, frames: &[Frame], out: &mut Vec<u8>, within: u32) -> u32 {
        let (mark, a_pair) = match self {
            Self::Array => ('*', false),
            Self::Set => ('~', false),
            Self::Push => ('>', false),
            Self::Map => ('%', true),
            Self::Attribute => ('|', true),
        };
        let count = if a_pair { frames.len() / 2 } else { frames.len() };
        let frames = &frames[..if a_pair { count * 2 } else { count }];
        out.extend_from_slice(format!("{mark}{count}\r\n").as_bytes());
        let depths = frames.iter().map(|frame| frame.write(out, within + 1));
        // One that is empty holds nothing open.
        let deepest = depths.max().map_or(within, |deepest| deepest.max(within + 1));
        if matches!(self, Self::Attribute) {
            // An attribute is followed by what it belongs to.
            out.extend_from_slice(b":1\r\n");
        }
        deepest
    }
}
