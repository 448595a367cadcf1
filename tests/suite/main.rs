//! The integration tests: real processes, bytes in, bytes out. One program, so that it links once;
//! each module is a story of its own.

mod bad_clients;
mod bad_shards;
mod blocking;
mod cascade;
mod chaos;
mod clients;
mod cluster;
mod deadlines;
mod demo;
mod ejection;
mod every_command;
mod harness;
mod harness_works;
mod leaks;
mod learned;
mod limits;
mod one_redis;
mod pipeline_order;
mod pubsub;
mod real_clients;
mod scripts;
mod sessions;
mod tls;
mod transactions;
mod users;
mod whole_keyspace;
