//! The end of a process without harm to its clients, and the change to another one.
//!
//! ```text
//!   SIGTERM ────────────────► gate closes ─► sessions leave between commands ─► exit 0
//!
//!   new process ─ asks ──────► old process
//!               ◄─ sockets ───             both have them: a connection waits in the same queue
//!               ─ "serving" ─►             gate closes, sessions leave, exit 0
//! ```
//!
//! The sockets that a process listens on are files of the system: handed over ([`take_over`],
//! [`hand_over`]) or handed in by systemd ([`systemd`]), they are never closed, so that no
//! connection is refused.

pub mod gate;
pub mod hand_over;
pub mod inherited;
pub mod retire;
pub mod systemd;
pub mod take_over;
mod wire;
