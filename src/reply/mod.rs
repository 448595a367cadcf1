//! The places kept for replies, and how several replies become one.

pub mod administration;
pub mod code;
pub mod frame;
pub mod info;
pub mod merge;
pub mod slots;

pub use merge::{Merge, MergeKind};
pub use slots::Replies;
