//! Decimal numbers as RESP headers carry them: read as strictly as Redis's `string2ll` reads them,
//! written without an allocation.

use super::effort;

/// A whole header of the form `<type byte><digits>\r\n` at the start of `bytes`: its number and
/// how many bytes it takes. `None` for whatever is unusual (a part, a sign, garbage), which the
/// caller then looks at closely.
#[inline(always)]
pub(super) fn header(bytes: &[u8]) -> Option<(u64, usize)> {
    let found = match *bytes {
        [_, ones @ b'0'..=b'9', b'\r', b'\n', ..] => Some((digit(ones), 4)),
        [_, tens @ b'1'..=b'9', ones @ b'0'..=b'9', b'\r', b'\n', ..] => {
            Some((digit(tens) * 10 + digit(ones), 5))
        }
        _ => long_header(bytes),
    };
    effort::spend(found.map_or(bytes.len().min(MAX_HEADER), |(_, length)| length));
    found
}

fn long_header(bytes: &[u8]) -> Option<(u64, usize)> {
    let (&first, rest) = bytes.get(1..)?.split_first()?;
    let mut number = match first {
        b'1'..=b'9' => digit(first),
        _ => return None,
    };
    for (at, &byte) in rest.iter().take(MAX_DIGITS).enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + digit(byte),
            b'\r' if rest.get(at + 1) == Some(&b'\n') => return Some((number, at + 4)),
            _ => return None,
        }
    }
    None
}

/// A number as Redis's `string2ll` takes it: an optional `-`, no `+`, no spaces, no leading
/// zeros, no `-0`, within an `i64`.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    if text == b"0" {
        return Some(0);
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if !matches!(digits.first(), Some(b'1'..=b'9')) {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, &byte| {
        let digit = i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        let shifted = number.checked_mul(10)?;
        if negative { shifted.checked_sub(digit) } else { shifted.checked_add(digit) }
    })
}

/// Appends `number` in decimal.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, number: u64) {
    if number < 10 {
        return out.push(b'0' + number as u8);
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

#[inline(always)]
fn digit(byte: u8) -> u64 {
    u64::from(byte - b'0')
}

/// As many digits as always fit a `u64`; longer ones go to [`parse`], which checks.
const MAX_DIGITS: usize = 18;

/// Type byte, digits and line end.
const MAX_HEADER: usize = MAX_DIGITS + 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_strictly_as_redis_reads_it() {
        let good: [(&[u8], i64); 6] = [
            (b"0", 0),
            (b"7", 7),
            (b"-1", -1),
            (b"1048576", 1_048_576),
            (b"9223372036854775807", i64::MAX),
            (b"-9223372036854775808", i64::MIN),
        ];
        for (text, number) in good {
            assert_eq!(parse(text), Some(number));
        }
        let bad: [&[u8]; 11] = [
            b"",
            b"-",
            b"+1",
            b" 1",
            b"1 ",
            b"01",
            b"-0",
            b"00",
            b"1a",
            b"9223372036854775808",
            b"-9223372036854775809",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_header_is_whole_and_canonical_or_none() {
        let good: [(&[u8], u64, usize); 5] = [
            (b"$0\r\n", 0, 4),
            (b"*3\r\n$", 3, 4),
            (b"$64\r\nx", 64, 5),
            (b"$536870912\r\n", 536_870_912, 12),
            (b"$999999999999999999\r\n", 999_999_999_999_999_999, 21),
        ];
        for (bytes, number, length) in good {
            assert_eq!(header(bytes), Some((number, length)));
        }
        let bad: [&[u8]; 11] = [
            b"",
            b"$",
            b"$1",
            b"$1\r",
            b"$12\r",
            b"$-1\r\n",
            b"$01\r\n",
            b"$012\r\n",
            b"$\r\n",
            b"$1x\r\n",
            b"$1000000000000000000\r\n",
        ];
        for bytes in bad {
            assert_eq!(header(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_number_written_is_the_number() {
        for number in [0, 9, 10, 99, 100, 12_345, u64::MAX] {
            let mut out = Vec::new();
            write(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
