//! Protected mode: pools without a password serve their own networks alone.
