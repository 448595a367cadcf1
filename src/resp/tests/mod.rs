//! The codec as a whole: bytes in, frames out.

mod commands;
mod cuts;
mod frames;
mod linear;
mod real_redis;
mod replies;
mod second_opinion;
mod writer;
