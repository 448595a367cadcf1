//! What stands behind the `?` of a path.

/// The bytes of parameter `name`, decoded as forms encode them; the first of that name counts.
pub fn parameter(query: &str, name: &str) -> Option<Vec<u8>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name.as_bytes()).then(|| decoded(value))
    })
}

/// As [`parameter`], where it is UTF-8.
pub fn text_parameter(query: &str, name: &str) -> Option<String> {
    parameter(query, name).and_then(|bytes| String::from_utf8(bytes).ok())
}

/// A `%` without two hexadecimal digits behind it stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match *rest {
            [] => return bytes,
            [b'%', high, low, ref after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(digit(high) << 4 | digit(low));
                after
            }
            [b'+', ref after @ ..] => {
                bytes.push(b' ');
                after
            }
            [byte, ref after @ ..] => {
                bytes.push(byte);
                after
            }
        };
    }
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_any_bytes() {
        let query = "pool=al%20pha&key=a+b%2B%ff%Zz%4&empty=&bare";
        assert_eq!(text_parameter(query, "pool").as_deref(), Some("al pha"));
        assert_eq!(parameter(query, "key").unwrap(), b"a b+\xff%Zz%4");
        assert_eq!(text_parameter(query, "key"), None, "no UTF-8");
        assert_eq!(parameter(query, "empty").unwrap(), b"");
        assert_eq!(parameter(query, "bare").unwrap(), b"");
        assert_eq!(parameter(query, "po"), None);
        assert_eq!(parameter("", "pool"), None);
    }
}
