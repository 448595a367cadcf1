//! The first word of an error reply, by which clients and statistics tell errors apart.

/// Declares the codes.
macro_rules! codes {
    ($($name:ident $text:literal,)*) => {
        /// The code of an error; [`Code::Other`] for one that Redis itself does not use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Code { $($name,)* #[default] Other }

        impl Code {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)* Self::Other];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// What it is in a reply.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other => "other",
                }
            }

            fn of_word(word: &[u8]) -> Self {
                $(if word == $text.as_bytes() { return Self::$name; })*
                Self::Other
            }
        }
    };
}

codes! {
    Err "ERR",
    WrongType "WRONGTYPE",
    CrossSlot "CROSSSLOT",
    NoAuth "NOAUTH",
    NoPerm "NOPERM",
    WrongPass "WRONGPASS",
    Denied "DENIED",
    TryAgain "TRYAGAIN",
    Moved "MOVED",
    Ask "ASK",
    ClusterDown "CLUSTERDOWN",
    Loading "LOADING",
    Busy "BUSY",
    MasterDown "MASTERDOWN",
    ReadOnly "READONLY",
    Misconf "MISCONF",
    NoReplicas "NOREPLICAS",
    NoScript "NOSCRIPT",
    ExecAbort "EXECABORT",
    Oom "OOM",
    NoGroup "NOGROUP",
    BusyGroup "BUSYGROUP",
    BusyKey "BUSYKEY",
    Unblocked "UNBLOCKED",
    NotBusy "NOTBUSY",
    Unkillable "UNKILLABLE",
    NoProto "NOPROTO",
}

impl Code {
    /// The code of a reply, if it is an error.
    #[inline]
    pub fn of(reply: &[u8]) -> Option<Self> {
        match reply.first() {
            Some(b'-' | b'!') => Some(Self::of_error(reply)),
            _ => None,
        }
    }

    #[cold]
    fn of_error(reply: &[u8]) -> Self {
        let text = match reply.iter().position(|&byte| byte == b'\n') {
            // RESP3's long form: its length comes first.
            Some(end) if reply[0] == b'!' => &reply[end + 1..],
            _ => &reply[1..],
        };
        let end = text.iter().position(|byte| b" \r\n".contains(byte)).unwrap_or(text.len());
        Self::of_word(&text[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_code() {
        assert_eq!(Code::of(b"-ERR unknown command\r\n"), Some(Code::Err));
        assert_eq!(Code::of(b"-CROSSSLOT Keys\r\n"), Some(Code::CrossSlot));
        assert_eq!(Code::of(b"-NOAUTH\r\n"), Some(Code::NoAuth));
        assert_eq!(Code::of(b"!10\r\nOOM command\r\n"), Some(Code::Oom));
        assert_eq!(Code::of(b"-MYSCRIPT says no\r\n"), Some(Code::Other));
        assert_eq!(Code::of(b"+OK\r\n"), None);
        assert_eq!(Code::of(b""), None);
    }

    #[test]
    fn numbers_follow_the_order() {
        assert!(Code::ALL.iter().map(|&code| code as usize).eq(0..Code::COUNT));
    }
}
