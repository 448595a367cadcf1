//! A connection from outside: the session.

pub(crate) mod blocking;
mod cluster;
mod cross_shard;
pub mod dispatch;
mod gather;
pub mod greeting;
pub mod info;
pub mod intake;
mod iteration;
mod learned;
pub mod listener;
pub mod local;
pub(crate) mod procedure;
mod publish;
mod pubsub;
mod script_admin;
mod scripts;
pub mod session;
pub mod split;
pub mod subscription;
pub mod transaction;
pub(crate) mod unblock;
pub(crate) mod wait;
