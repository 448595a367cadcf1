//! Redis's glob patterns: `*`, `?`, `[a-z]`, `[^a]`, `\` before a character to be taken as it is.

/// Whether all of `text` matches `pattern`, in any case. Takes at most the product of both
/// lengths, whatever the pattern: on a mismatch only the last `*` gives way.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_with(pattern, text, |byte| byte.to_ascii_lowercase())
}

/// The same where upper and lower case differ, as in keys and channels.
pub fn matches_exactly(pattern: &[u8], text: &[u8]) -> bool {
    matches_with(pattern, text, |byte| byte)
}

fn matches_with(pattern: &[u8], text: &[u8], fold: fn(u8) -> u8) -> bool {
    let (mut at, mut index) = (0, 0);
    let mut retry = None;
    while index < text.len() {
        if pattern.get(at) == Some(&b'*') {
            retry = Some((at, index));
            at += 1;
            continue;
        }
        match one(&pattern[at..], text[index], fold) {
            Some(width) => (at, index) = (at + width, index + 1),
            None => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (at, index) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// How many bytes of `pattern` match the one byte, if they do.
fn one(pattern: &[u8], byte: u8, fold: fn(u8) -> u8) -> Option<usize> {
    let same = |literal: u8| fold(literal) == fold(byte);
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => {
            let (width, holds) = class_holds(class, byte, fold);
            holds.then_some(width + 1)
        }
        [b'\\', literal, ..] => same(literal).then_some(2),
        [literal, ..] => same(literal).then_some(1),
    }
}

/// The width of a class after its `[`, closing bracket included, and whether `byte` is in it. A
/// class without closing bracket goes to the pattern's end, as in Redis.
fn class_holds(class: &[u8], byte: u8, fold: fn(u8) -> u8) -> (usize, bool) {
    let byte = fold(byte);
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                found |= fold(literal) == byte;
                at += 2;
            }
            [start, b'-', end, ..] => {
                let (start, end) = (fold(start), fold(end));
                found |= (start.min(end)..=start.max(end)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= fold(literal) == byte;
                at += 1;
            }
        }
    }
    (at, found != negated)
}

#[cfg(test)]
mod tests {
    use super::{matches, matches_exactly};

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("g?t", "GET", true),
            ("g?t", "gt", false),
            ("xgr[o]up|*", "xgroup|help", true),
            ("xgr[^o]up", "xgroup", false),
            ("[a-c]x", "bx", true),
            ("[c-a]x", "Bx", true),
            ("[]", "a", false),
            ("[a", "a", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*a*b", "xxaxxbxb", true),
            ("*a*b", "xxaxxbx", false),
            ("a**", "a", true),
            ("", "a", false),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{pattern} {text}");
        }
    }

    #[test]
    fn case_matters_where_it_does() {
        for (pattern, text, expected) in [
            ("n*", "news", true),
            ("N*", "news", false),
            ("[a-c]x", "Bx", false),
            ("[A]", "a", false),
            ("\\A", "a", false),
            ("[^A]", "a", true),
        ] {
            let found = matches_exactly(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = b"*a".repeat(50);
        assert!(!matches(&[&pattern[..], b"b"].concat(), &b"a".repeat(5_000)));
    }
}
