//! Keys to compare with: those of the shards, and made-up ones that show what the shards' own may not.

use crate::config::Pool;

/// A key, and the shard that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Where SCAN found it; `None` if it was made up.
    pub found_on: Option<usize>,
}

/// The longest key that is compared. nutcracker closes the connection at a key that does not fit
/// into one of its buffers, the smallest of which (`-m 512`) take 464 bytes.
pub const MAX_LENGTH: usize = 400;

/// `count` keys that begin with `prefix`: plain ones, some with the hash tags of the file and of
/// Redis Cluster in them, and some with bytes that are signed for one processor and unsigned for another.
pub fn made_up(pool: &Pool, prefix: &str, count: usize) -> Vec<Vec<u8>> {
    let [open, close] = pool.hash_tag.unwrap_or(*b"[]");
    let key = |number: usize| match number % 5 {
        0 | 1 => format!("{prefix}:{number}").into_bytes(),
        2 => format!("{prefix}:{{{number}}}:name").into_bytes(),
        3 => {
            let middle = number.to_string();
            [prefix.as_bytes(), &[open], middle.as_bytes(), &[close], b":x"].concat()
        }
        _ => format!("{prefix}:é{number}").into_bytes(),
    };
    (0..count).map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::from_servers;

    #[test]
    fn made_up_keys_differ_and_show_tags_and_signs() {
        let config = from_servers(&["a:1".to_owned()]).unwrap();
        let mut pool = config.pools[0].clone();
        pool.hash_tag = Some(*b"<>");
        let keys = made_up(&pool, "p", 100);
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), 100);
        for part in ["{", "<", "é"] {
            assert!(keys.iter().any(|key| String::from_utf8_lossy(key).contains(part)), "{part}");
        }
    }
}
