//! A connection from outside: the session.

mod cross_shard;
pub mod dispatch;
pub mod greeting;
pub mod info;
pub mod intake;
pub mod listener;
pub mod local;
pub(crate) mod procedure;
mod publish;
mod pubsub;
pub mod session;
pub mod split;
pub mod subscription;
