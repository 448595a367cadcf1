//! Bytes that anybody may have chosen, as text that shows what they are.

use std::fmt::Write;

/// `bytes` as text: UTF-8 as it is, but for what cannot be seen or reorders what stands beside it;
/// that, and bytes that are no UTF-8, as `\xNN`. A backslash is doubled, so that the text can be
/// typed between double quotes to mean the same bytes.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                unseen if is_unseen(unseen) => {
                    escape(&mut text, unseen.encode_utf8(&mut [0; 4]).as_bytes());
                }
                seen => text.push(seen),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// Control characters, and what has no width or turns the direction of writing.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_left_and_what_cannot_is_told() {
        assert_eq!(shown("user:1 <b>äöü 鍵 🗝".as_bytes()), "user:1 <b>äöü 鍵 🗝");
        assert_eq!(shown(b"a\xff\x00\n\\"), "a\\xff\\x00\\n\\\\");
        assert_eq!(shown("\u{202e}gpj".as_bytes()), "\\xe2\\x80\\xaegpj");
        assert_eq!(shown(b""), "");
    }

    #[test]
    fn typed_between_quotes_it_means_the_same_bytes() {
        let bytes: Vec<u8> = (0..=255).filter(|&byte| byte != b'"').collect();
        let mut encoded = Vec::new();
        crate::resp::inline::encode(format!("\"{}\"", shown(&bytes)).as_bytes(), &mut encoded)
            .unwrap();
        assert!(encoded.windows(bytes.len()).any(|window| window == bytes));
    }
}
