//! Text to numbers, sizes, durations and booleans, as strictly as twemproxy reads them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::Wrong;

/// A non-negative decimal integer: digits only, no sign, no underscore, leading zeros allowed.
pub(crate) fn integer(text: &str, range: &RangeInclusive<u64>) -> Result<u64, Wrong> {
    let right = || format!("write a decimal integer {}", span(range));
    let Some(number) = digits(text) else {
        return Err(Wrong::new(format!("{text:?} is not a non-negative decimal integer"), right()));
    };
    match number.filter(|number| range.contains(number)) {
        Some(number) => Ok(number),
        None => Err(Wrong::new(format!("{text} is out of range"), right())),
    }
}

/// Milliseconds as a non-negative decimal integer.
pub(crate) fn milliseconds(text: &str, range: &RangeInclusive<u64>) -> Result<Duration, Wrong> {
    match digits(text).flatten().filter(|number| range.contains(number)) {
        Some(number) => Ok(Duration::from_millis(number)),
        None => Err(Wrong::new(
            format!("{text:?} is not a duration that serves here"),
            format!("write milliseconds as a decimal integer {}, such as 400", span(range)),
        )),
    }
}

/// Bytes, with redis.conf's suffixes: k m g are powers of 1000, kb mb gb of 1024.
pub(crate) fn size(text: &str, range: &RangeInclusive<u64>) -> Result<u64, Wrong> {
    let right = || format!("write bytes, or a number with k, kb, m, mb, g or gb, {}", span(range));
    let letters = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let unit = match letters.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" => Some(1_000),
        "kb" => Some(1 << 10),
        "m" => Some(1_000_000),
        "mb" => Some(1 << 20),
        "g" => Some(1_000_000_000),
        "gb" => Some(1 << 30),
        _ => None,
    };
    let number = digits(&text[..text.len() - letters.len()]);
    let (Some(unit), Some(number)) = (unit, number) else {
        return Err(Wrong::new(format!("{text:?} is not a size"), right()));
    };
    match number.and_then(|number| number.checked_mul(unit)).filter(|size| range.contains(size)) {
        Some(size) => Ok(size),
        None => Err(Wrong::new(format!("{text} is out of range"), right())),
    }
}

/// `true` or `false`, nothing else.
pub(crate) fn boolean(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wrong::new(format!("{text:?} is not a boolean"), "write true or false")),
    }
}

/// `None` when not all is digits, `Some(None)` when the number does not fit 64 bits.
pub(crate) fn digits(text: &str) -> Option<Option<u64>> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok())
}

/// `from 1 to 9` or `of at least 1`.
fn span(range: &RangeInclusive<u64>) -> String {
    format!("from {} to {}", range.start(), range.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_digits_only() {
        let any = 0..=u64::from(u32::MAX);
        assert_eq!(integer("0100", &any), Ok(100));
        for text in ["", "-1", "+1", "1.5", "0x10", "1_000", " 4", "1e5", "٣"] {
            assert!(integer(text, &any).is_err(), "{text:?}");
        }
        let fault = integer("99999999999999999999999", &any).unwrap_err();
        assert_eq!(fault.wrong, "99999999999999999999999 is out of range");
    }

    #[test]
    fn sizes_have_the_suffixes_of_redis() {
        let any = 0..=u64::MAX;
        let cases = [
            ("0", 0),
            ("17", 17),
            ("17b", 17),
            ("64k", 64_000),
            ("64kb", 65_536),
            ("2M", 2_000_000),
            ("512mb", 536_870_912),
            ("1g", 1_000_000_000),
            ("1GB", 1_073_741_824),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text, &any), Ok(bytes), "{text}");
        }
        for text in ["", "mb", "1tb", "-1", "1.5gb", "1 gb", "99999999999gb", "1é"] {
            assert!(size(text, &any).is_err(), "{text:?}");
        }
    }

    #[test]
    fn booleans_are_true_and_false() {
        assert_eq!((boolean("true"), boolean("false")), (Ok(true), Ok(false)));
        for text in ["yes", "True", "on", "1", ""] {
            assert!(boolean(text).is_err(), "{text:?}");
        }
    }
}
