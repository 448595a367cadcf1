//! Files with secrets that others than their owner may read.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::config::{Config, Pool};

/// Sentences about files that others may read: the configuration, which `file` is, where it holds a
/// password, files of users, and private keys.
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

/// The permissions of a file that others may read or change.
fn exposed(file: &Path) -> Option<u32> {
    let metadata = fs::metadata(file).ok()?;
    let mode = metadata.permissions().mode() & 0o7777;
    let own_group = rustix::process::getegid().as_raw();
    let others = others(metadata.uid(), metadata.gid(), own_group);
    (mode & others != 0).then_some(mode)
}

/// Which permissions are too many: those of the group too, unless it is how a service gets a file that
/// root owns, as packages and Kubernetes hand them in.
fn others(owner: u32, group: u32, own_group: u32) -> u32 {
    let is_handed_in = owner == 0 && group == own_group && group != 0;
    if is_handed_in { 0o026 } else { 0o066 }
}

#[cfg(test)]
mod tests {
    use super::others;

    #[test]
    fn only_the_group_of_a_service_may_read_what_root_hands_in() {
        assert_eq!(others(0, 105, 105), 0o026);
        for (owner, group, own_group) in [(0, 0, 0), (0, 100, 105), (1000, 105, 105)] {
            assert_eq!(others(owner, group, own_group), 0o066);
        }
    }
}
