//! A connection from outside: the session.

pub(crate) mod blocking;
pub mod dispatch;
pub mod greeting;
pub mod info;
pub mod intake;
pub mod listener;
pub mod local;
pub(crate) mod procedure;
pub mod session;
pub mod split;
pub(crate) mod unblock;
pub(crate) mod wait;
