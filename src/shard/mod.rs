//! A Redis behind us: link, heartbeat, health.

pub mod answer;
pub mod budget;
pub mod connect;
pub mod doors;
pub mod fault;
pub mod fault_kind;
pub mod health;
pub mod heartbeat;
pub mod inquiry;
pub mod judge;
pub mod lessons;
pub mod link;
pub mod monitor;
pub mod pool_judge;
pub mod rejoin;
pub mod scripts;
