//! The places kept for replies, and how several become one.
