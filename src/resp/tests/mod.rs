//! The codec as a whole: bytes in, frames out.

mod commands;
mod replies;
