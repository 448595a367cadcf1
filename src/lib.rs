//! circlet: a sharding proxy for Redis.

pub mod admin;
pub mod client;
pub mod command;
pub mod config;
pub mod demo;
pub mod reply;
pub mod resp;
pub mod route;
pub mod shard;
