//! Files with secrets that others than their owner may read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::{Config, Pool};

/// Sentences about files that others may read: the configuration, which `file` is, where it holds a
/// password, and private keys.
pub fn warnings(config: &Config, file: Option<&Path>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(file) = file.filter(|_| config.pools.iter().any(has_secret))
        && let Some(mode) = exposed(file)
    {
        warnings.push(told("the configuration holds a password and", file, mode));
    }
    for pool in &config.pools {
        if let Some(file) = pool.users_file.as_deref().map(Path::new)
            && let Some(mode) = exposed(file)
        {
            let what = format!("pool {}, key users_file: the users' passwords", pool.name);
            warnings.push(told(&what, file, mode));
        }
        for (key, file) in pool.tls.files() {
            if key.ends_with("key_file")
                && let Some(mode) = exposed(file)
            {
                let what = format!("pool {}, key {key}: the private key", pool.name);
                warnings.push(told(&what, file, mode));
            }
        }
    }
    warnings
}

fn has_secret(pool: &Pool) -> bool {
    pool.redis_auth.is_some() || pool.users.is_some()
}

fn told(what: &str, file: &Path, mode: u32) -> String {
    let file = file.display();
    format!("{what} can be read by others (mode {mode:04o}): chmod 600 {file}")
}

/// The permissions of a file that its group or others may read or change.
fn exposed(file: &Path) -> Option<u32> {
    let mode = fs::metadata(file).ok()?.permissions().mode() & 0o7777;
    (mode & 0o066 != 0).then_some(mode)
}
