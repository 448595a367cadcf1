//! The integration tests: real processes, bytes in, bytes out. One program, so that it links once;
//! each module is a story of its own.

mod demo;
mod harness;
mod harness_works;
