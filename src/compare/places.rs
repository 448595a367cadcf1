//! Where a key is looked for, as far as it can be told.

/// What is known of the place where a proxy looks for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On this shard.
    At(usize),
    /// On a server that is no shard of the file; its `run_id`.
    Stranger(String),
    /// On none of these shards, which have the key.
    NotAt(Vec<usize>),
    /// It cannot be told.
    Unknown,
    /// The proxy answered with this error.
    Failed(String),
}

impl Place {
    /// Whether anything is known that speaks for or against a shard of the file.
    pub fn is_evidence(&self) -> bool {
        matches!(self, Self::At(_) | Self::NotAt(_))
    }

    /// Whether the proxy may look on this shard, as far as is known.
    pub fn admits(&self, shard: usize) -> bool {
        match self {
            Self::At(place) => *place == shard,
            Self::NotAt(holders) => !holders.contains(&shard),
            Self::Stranger(_) | Self::Unknown | Self::Failed(_) => false,
        }
    }
}
