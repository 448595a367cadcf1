//! A Redis behind us: link, heartbeat, health.

pub mod health;
