//! Configuration: nutcracker.yml and more, read once, validated whole.

mod model;

pub use model::{Address, Config, Distribution, Ejection, Hash, KeyBytes, Listen, Pool, Server};
