//! A password or a key: shown nowhere, and wiped when it is dropped.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes that no log, error or other text may show.
///
/// There is no `Display`, and `Debug` shows none of them. What it is made from is wiped too where
/// it is handed over whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes, for the one who has to say them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are its bytes, in a time that does not tell how many of them are right.
    pub fn is(&self, given: &[u8]) -> bool {
        let differ = self.0.iter().zip(given).fold(0, |differ, (a, b)| differ | (a ^ b));
        self.0.len() == given.len() && differ == 0
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        let shown = format!("{:?} {:#?}", Secret::from("hunter2"), Some(Secret::from("hunter2")));
        assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
    }

    #[test]
    fn only_the_very_bytes_are_it() {
        let secret = Secret::from("hunter2");
        assert!(secret.is(b"hunter2"));
        for other in [&b"hunter"[..], b"hunter22", b"Hunter2", b""] {
            assert!(!secret.is(other), "{other:?}");
        }
    }
}
