//! The circlet program.

fn main() {}
