//! A connection from outside: the session.

mod acl;
mod apart;
mod clients;
mod cross_shard;
mod describe;
pub mod dispatch;
mod filter;
mod gather;
pub mod greeting;
pub mod hold;
pub mod info;
pub mod intake;
mod iteration;
pub mod listener;
pub mod local;
pub mod monitor;
pub(crate) mod procedure;
pub mod session;
pub mod split;
pub mod users;
