//! circlet: a sharding proxy for Redis.

pub mod admin;
pub mod client;
pub mod command;
pub mod config;
pub mod demo;
pub mod outbox;
pub mod reply;
pub mod resp;
pub mod route;
pub mod server;
pub mod shard;
pub mod socket;
pub mod worker;
