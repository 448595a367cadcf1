//! What clients send that they should not, and what they read.
