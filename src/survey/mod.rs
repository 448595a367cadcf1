//! What the command line asks of servers that run: a conversation, keys by SCAN, a bar that shows
//! how far it has come.
//!
//! Nothing of it takes part in serving.

mod conversation;
mod progress;
mod sample;

pub use conversation::{Conversation, SurveyError};
pub use progress::Progress;
pub use sample::scan_keys;
