//! What a command means to a proxy: where its keys are, which shards it goes to, how their replies
//! become one, and what circlet answers itself.
//!
//! `table.txt` says it, one line a command; [`resolve`] finds the line, [`keys::find`] the keys.

pub mod answer;
pub mod bits;
mod docs;
pub mod family;
pub mod gather;
pub mod glob;
mod info;
pub mod keys;
pub mod learned;
mod parse;
pub mod reference;
pub mod resolve;
mod script;
mod search;
mod secrets;
pub mod spec;
pub mod table;
mod treatment;

pub use bits::{Categories, Flags, KeyFlags};
pub use family::Family;
pub use gather::Gather;
pub use keys::{KeyError, KeyPositions};
pub use learned::Learned;
pub use resolve::{CommandError, resolve};
pub use script::Script;
pub use secrets::secrets;
pub use spec::{
    BeginSearch, FindKeys, Handling, KeySpec, Keys, Local, RequestPolicy, ResponsePolicy, Search,
    Spec,
};
pub use table::lookup;
