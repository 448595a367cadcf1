//! circlet explains itself: where a key lives and what happens to a command, over RESP and on the
//! command line, held against where keys really are.

mod commands;
mod help;
mod keys;
mod told;
mod tools;
