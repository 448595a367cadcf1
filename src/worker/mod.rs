//! One thread: a runtime, its sessions, its links.
//!
//! ```text
//!   session task ─ read, scan, route ─► link.output ┐             ┌► socket of the shard
//!   session task ─ …                 ─► link.output ┼─ flush task ┤
//!   link task    ─ read, pair        ─► session.output ┘          └► socket of the client
//! ```
//!
//! Everything lives in one [`Worker`] that the tasks of the thread borrow in turn, never across
//! an await. Whoever queues bytes puts the connection on the list of those to be flushed; the
//! flush task runs after all tasks that were ready in the same turn of the loop, so that each
//! connection is written to once for all of them.

mod deadlines;
mod drain;
mod flush;
mod guard;
mod handshakes;
mod hubs;
mod identities;
mod idle;
mod journal;
mod lanes;
mod leftovers;
mod links;
mod loans;
mod memory;
mod pairing;
mod piece;
mod pool;
mod private;
mod reshape;
mod samples;
mod sessions;
mod shared;
mod state;
mod subscriptions;
mod thread;
mod timers;
mod timing;

pub use guard::Guard;
pub use identities::{IdentityLinks, MAX_IDENTITIES};
pub(crate) use lanes::HEAVY;
pub use loans::Loan;
pub use pool::PoolState;
pub use private::PrivateLink;
pub use reshape::Reshaped;
pub use shared::{Call, ClientPlace, Commons, Shared};
pub use state::{Clock, Ready, Worker};
pub use subscriptions::Told;
pub use thread::{Handle, Incoming, Message, Setup, serve, start};
