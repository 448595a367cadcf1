//! A Redis behind us: link, heartbeat, health.

pub mod answer;
pub mod health;
pub mod heartbeat;
pub mod judge;
pub mod monitor;
pub mod pool_judge;
