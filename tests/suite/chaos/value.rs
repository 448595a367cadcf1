//! Values that say whose they are: client, key and sequence number, so that a reply that belongs
//! to another request gives itself away.
//!
//! ```text
//!   <c12s0.3|41|7>ppppppp     the 41st thing that client 12 wrote, into its key c12s0.3
//! ```

/// One written thing; several make the value of a string that was appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chunk {
    /// Counts all that its client wrote.
    pub sequence: u64,
    /// How many bytes follow the head.
    pub filler: u32,
}

impl Chunk {
    /// As it is sent, into `key`.
    pub fn bytes(&self, key: &str) -> Vec<u8> {
        let mut bytes = format!("<{key}|{}|{}>", self.sequence, self.filler).into_bytes();
        bytes.resize(bytes.len() + self.filler as usize, self.letter());
        bytes
    }

    fn letter(&self) -> u8 {
        b'a' + (self.sequence % 26) as u8
    }
}

/// All chunks of these bytes joined.
pub fn join(chunks: &[Chunk], key: &str) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| chunk.bytes(key)).collect()
}

/// The chunks in `bytes` with the keys they name; `None` when it is anything else.
pub fn parse(mut bytes: &[u8]) -> Option<Vec<(String, Chunk)>> {
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let inner = bytes.strip_prefix(b"<")?;
        let end = inner.iter().position(|byte| *byte == b'>')?;
        let head = std::str::from_utf8(&inner[..end]).ok()?;
        let [key, sequence, filler] = head.split('|').collect::<Vec<_>>()[..] else { return None };
        let chunk = Chunk { sequence: sequence.parse().ok()?, filler: filler.parse().ok()? };
        let (body, rest) = inner[end + 1..].split_at_checked(chunk.filler as usize)?;
        if body.iter().any(|byte| *byte != chunk.letter()) {
            return None;
        }
        chunks.push((key.to_owned(), chunk));
        bytes = rest;
    }
    Some(chunks)
}

#[test]
fn chunks_are_read_back_and_damage_is_seen() {
    let chunks = [Chunk { sequence: 7, filler: 3 }, Chunk { sequence: 8, filler: 0 }];
    let bytes = join(&chunks, "c1s0.0");
    assert_eq!(bytes, b"<c1s0.0|7|3>hhh<c1s0.0|8|0>");
    let read = parse(&bytes).expect("chunks");
    assert_eq!(read, chunks.map(|chunk| ("c1s0.0".to_owned(), chunk)));
    assert_eq!(parse(&bytes[..14]), None);
    assert_eq!(parse(b"<c1s0.0|7|3>hhx"), None);
}
