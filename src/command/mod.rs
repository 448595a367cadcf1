//! What a command means to a proxy.

pub mod keys;
pub mod table;

pub use keys::{KeyError, KeyPositions};
pub use table::{Handling, Keys, Local, RequestPolicy, ResponsePolicy, Spec, lookup};
