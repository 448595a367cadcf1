//! Where keys live, asked of those who know: Debian's nutcracker, the `ketama` crate, and the
//! promises of our own documentation.

#![allow(clippy::unwrap_used)]

mod fleet;
mod nutcracker;
mod promises;
mod second_opinion;
mod twemproxy;
