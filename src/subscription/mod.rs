//! Publish and subscribe: who listens to what. Pure; sockets are the worker's business.
//!
//! ```text
//!   client ─┐
//!   client ─┼─► Hub of one worker and pool ─ one Upstream a shard ─► SUBSCRIBE once a name
//!   client ─┘        │
//!                    └─► Registry of all workers: for PUBLISH's count and PUBSUB
//! ```
//!
//! However many clients listen to a name, a shard is asked for it once by each worker.

mod frame;
mod hub;
mod hubs;
mod registry;
mod upstream;

use std::sync::Arc;

pub use frame::{Heard, read};
pub use hub::Hub;
pub use hubs::{HubAt, Hubs};
pub use registry::{Audience, Registries, Registry};
pub use upstream::{Sent, Upstream, Verb};

/// The name of a channel, or a pattern.
pub type Name = Arc<[u8]>;

/// What can be listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A channel, on all shards: a script, a transaction or a keyspace notification publishes on
    /// the shard where it happens.
    Channel,
    /// All channels that match a pattern, on all shards.
    Pattern,
    /// A shard channel, on the one shard that the ring gives it.
    Shard,
}

impl Kind {
    /// Each of them.
    pub const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

    /// The first word of a message.
    pub fn message(self) -> &'static str {
        ["message", "pmessage", "smessage"][self as usize]
    }

    /// The command that begins to listen, and the first word of its confirmation.
    pub fn subscribe(self) -> &'static str {
        ["subscribe", "psubscribe", "ssubscribe"][self as usize]
    }

    /// The command that ends it, and the first word of its confirmation.
    pub fn unsubscribe(self) -> &'static str {
        ["unsubscribe", "punsubscribe", "sunsubscribe"][self as usize]
    }
}
