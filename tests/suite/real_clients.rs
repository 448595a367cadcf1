//! Client libraries that people use.
