//! A connection from outside: the session.

mod acl;
mod apart;
pub(crate) mod blocking;
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
mod publish;
mod pubsub;
pub mod session;
pub mod split;
pub mod subscription;
pub mod transaction;
pub(crate) mod unblock;
pub mod users;
pub(crate) mod wait;
