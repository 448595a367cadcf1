//! Why links fail, as few ways as statistics can be told apart by.

use super::fault::LinkFault;

/// Declares the kinds with what statistics call them.
macro_rules! kinds {
    ($($name:ident $label:literal,)*) => {
        /// See [`LinkFault`], whose variants they are; a connection that the other side reset is
        /// told from the rest of what the kernel says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum FaultKind { $($name,)* }

        impl FaultKind {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// What statistics call it.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                }
            }
        }
    };
}

kinds! {
    Refused "refused",
    ConnectTimeout "connect_timeout",
    ReplyTimeout "timeout",
    Closed "closed",
    Reset "reset",
    Resolve "resolve",
    Tls "tls",
    Io "io",
    Garbage "protocol",
    Handshake "handshake",
    Denied "denied",
    Out "out",
    NoMemory "memory",
    Ended "ended",
}

impl LinkFault {
    /// Which kind of fault it is.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Refused => FaultKind::Refused,
            Self::ConnectTimeout => FaultKind::ConnectTimeout,
            Self::ReplyTimeout => FaultKind::ReplyTimeout,
            Self::Closed => FaultKind::Closed,
            Self::Resolve(_) => FaultKind::Resolve,
            Self::Tls(_) => FaultKind::Tls,
            Self::Io(_) if self.ends_connection() => FaultKind::Reset,
            Self::Io(_) => FaultKind::Io,
            Self::Garbage(_) => FaultKind::Garbage,
            Self::Handshake(_) => FaultKind::Handshake,
            Self::Denied(_) => FaultKind::Denied,
            Self::Out(_) => FaultKind::Out,
            Self::NoMemory => FaultKind::NoMemory,
            Self::Shutdown | Self::Abandoned => FaultKind::Ended,
        }
    }
}
