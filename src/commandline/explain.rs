//! `circlet explain`: where keys live, by the configuration alone.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::config::Config;
use crate::explain::{self, Standing};
use crate::route::Ring;

/// A paragraph for each key of each pool.
pub(super) fn text(config: &Config, keys: &[OsString]) -> String {
    let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
    let mut paragraphs = Vec::new();
    for pool in &config.pools {
        let ring = Ring::new(pool);
        let standing = Standing { pool, ring: &ring, health: None };
        for mut fields in explain::keys(standing, &keys) {
            fields.insert(0, ("pool", explain::Value::Text(pool.name.clone())));
            paragraphs.push(explain::lines(&fields));
        }
    }
    paragraphs.join("\n")
}
