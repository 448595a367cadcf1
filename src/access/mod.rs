//! Who may do what: users and their rules, commands that a pool switches off, where clients may
//! come from without a password, and how much one of them may ask for.
//!
//! ```text
//!   accept ─► origin: may it come without a password? ─► meters: how many of them?
//!   AUTH   ─► accounts: who is it?
//!   command ─► switch: does the pool serve it? ─► account: may this user? ─► meters: how often?
//! ```
//!
//! All of it is pure: it knows no socket and no clock but what it is given. Sessions whose user may
//! do everything, in pools that switch nothing off and limit nothing, never come here.

mod account;
mod accounts;
mod commands;
mod describe;
mod judge;
mod meter;
mod meters;
pub mod origin;
mod selector;
mod switch;

pub use account::Account;
pub use accounts::Accounts;
pub use judge::Denied;
pub use meter::{Exceeded, Limit, Meter};
pub use meters::{Attendance, Limits, Meters, Whose};
pub use switch::{Switch, is_switchable};

/// A rule that does not do: what is wrong with it, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// What is wrong, quoting the rule.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

impl RuleFault {
    fn new(wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), right: right.into() }
    }
}
