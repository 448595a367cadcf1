//! Hash tags: the part of a key that decides where it lives.

use std::ops::Range;

use memchr::memchr;

/// The bytes of `key` that are hashed: what stands between the first opening delimiter and the
/// first closing one after it, or the whole key where that is missing or empty.
///
/// The two delimiters may be the same character (`hash_tag: "||"`).
#[inline]
pub fn hashed_part(key: &[u8], tag: Option<[u8; 2]>) -> &[u8] {
    let Some([open, close]) = tag else { return key };
    between(key, open, close).map_or(key, |tagged| &key[tagged])
}

/// Where in `key` the bytes are that [`hashed_part`] returns.
pub fn hashed_range(key: &[u8], tag: Option<[u8; 2]>) -> Range<usize> {
    let tagged = tag.and_then(|[open, close]| between(key, open, close));
    tagged.unwrap_or(0..key.len())
}

#[inline]
fn between(key: &[u8], open: u8, close: u8) -> Option<Range<usize>> {
    let start = memchr(open, key)? + 1;
    let length = memchr(close, &key[start..])?;
    (length > 0).then(|| start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn braces(key: &str) -> &[u8] {
        hashed_part(key.as_bytes(), Some(*b"{}"))
    }

    #[test]
    fn the_text_between_the_first_pair_counts() {
        assert_eq!(braces("a{user:1}b{user:2}"), b"user:1");
        assert_eq!(braces("}x{y}"), b"y");
        assert_eq!(braces("{{x}}"), b"{x");
        assert_eq!(braces("{x"), b"{x");
        assert_eq!(braces("x}"), b"x}");
        assert_eq!(braces(""), b"");
    }

    #[test]
    fn an_empty_tag_is_no_tag() {
        assert_eq!(braces("{}x"), b"{}x");
        assert_eq!(braces("{}{x}"), b"{}{x}");
    }

    #[test]
    fn both_delimiters_may_be_the_same() {
        assert_eq!(hashed_part(b"a|b|c", Some(*b"||")), b"b");
        assert_eq!(hashed_part(b"a|b", Some(*b"||")), b"a|b");
        assert_eq!(hashed_part(b"a||b|", Some(*b"||")), b"a||b|");
    }

    #[test]
    fn without_a_tag_the_whole_key_counts() {
        assert_eq!(hashed_part(b"{x}", None), b"{x}");
    }
}
