//! Sets a pool's field to what the text of a key says.

use std::time::Duration;

use super::address;
use super::fault::Wrong;
use super::model::{
    CrossShard, DisplacedLimit, Distribution, Ejection, Hash, KeyBytes, Pool, Rejoin, UserScripts,
};
use super::reference::{KEYS, Key, Takes, Without, Word};
use super::spelling;
use super::tls::Tls;
use super::value;
use crate::access::Limits;

/// What to do about a pool of memcached.
pub(crate) const MEMCACHED: &str =
    "circlet speaks Redis only: set redis: true, or leave this pool to twemproxy";

/// A pool with this name and the defaults of the reference table, yet without servers.
pub(crate) fn default_pool(name: &str) -> Pool {
    let mut pool = blank(name);
    for key in KEYS {
        if let Without::Text(text) = key.default {
            apply(&mut pool, key, text).expect("a test applies every default of the table");
        }
    }
    pool
}

/// Reads a value as its key demands and sets the pool's field.
pub(crate) fn apply(pool: &mut Pool, key: &Key, text: &str) -> Result<(), Wrong> {
    match &key.takes {
        Takes::Servers | Takes::Users => return Err(misshapen("a single value", &key.takes)),
        Takes::Listen(set) => set(pool, address::listen(text)?),
        Takes::ListenTcp(set) => set(pool, address::listen_tcp(text)?),
        Takes::RedisOnly => redis_only(text)?,
        Takes::Boolean(set) => set(pool, value::boolean(text)?),
        Takes::Integer(range, set) => set(pool, value::integer(text, range)?),
        Takes::AutoOr(_, set) if text == "auto" => set(pool, None),
        Takes::AutoOr(range, set) => set(pool, Some(value::integer(text, range)?)),
        Takes::Milliseconds(range, set) => set(pool, value::milliseconds(text, range)?),
        Takes::Size(range, set) => set(pool, value::size(text, range)?),
        Takes::Word(words) => word(words, text)?(pool),
        Takes::TwoCharacters(set) => set(pool, two_characters(text)?),
        Takes::Text(_) if text.is_empty() => {
            return Err(Wrong::new("the text is empty", "write it, or remove the key"));
        }
        Takes::Text(set) => set(pool, text),
        Takes::Rules(read) => read(pool, text)?,
    }
    Ok(())
}

pub(crate) fn misshapen(shape: &str, takes: &Takes) -> Wrong {
    Wrong::new(format!("{shape} is no value of this key"), format!("write {}", takes.describe()))
}

fn redis_only(text: &str) -> Result<(), Wrong> {
    if value::boolean(text)? {
        Ok(())
    } else {
        Err(Wrong::new("this is a pool of memcached", MEMCACHED))
    }
}

fn word(words: &[Word], text: &str) -> Result<fn(&mut Pool), Wrong> {
    if let Some((_, set)) = words.iter().find(|(name, _)| *name == text) {
        return Ok(*set);
    }
    let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
    let right = match spelling::nearest(text, names.iter().copied()) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("write one of {}", names.join(", ")),
    };
    Err(Wrong::new(format!("{text:?} is not known"), right))
}

/// Bytes, as in C: a tag of one two-byte character is two delimiters that no key splits at.
fn two_characters(text: &str) -> Result<[u8; 2], Wrong> {
    text.as_bytes().try_into().map_err(|_| {
        let wrong = format!("{text:?} has not exactly two characters");
        Wrong::new(wrong, "write the two delimiters in quotes, such as \"{}\"")
    })
}

/// Zeros throughout: the defaults of the reference table come on top.
fn blank(name: &str) -> Pool {
    Pool {
        name: name.to_owned(),
        listen: None,
        servers: Vec::new(),
        hash: Hash::Fnv1a64,
        hash_tag: None,
        key_bytes: KeyBytes::Signed,
        distribution: Distribution::Ketama,
        timeout: None,
        backlog: 0,
        client_connections: 0,
        redis_auth: None,
        auth: None,
        users: None,
        users_file: None,
        user_scripts: UserScripts::Refuse,
        commands: None,
        protected_mode: false,
        limits: Limits::default(),
        redis_db: 0,
        preconnect: false,
        tcpkeepalive: false,
        tcp_keepalive_time: Duration::ZERO,
        tcp_user_timeout: Duration::ZERO,
        server_tcp_user_timeout: None,
        client_idle_timeout: Duration::ZERO,
        reuseport: false,
        auto_eject_hosts: false,
        server_connections: 0,
        server_retry_timeout: Duration::ZERO,
        server_failure_limit: 0,
        ejection: Ejection::Skip,
        displaced_limit: DisplacedLimit::Auto,
        rejoin: Rejoin::Keep,
        rejoin_limit: 0,
        slow_start: Duration::ZERO,
        cross_shard: CrossShard::Refuse,
        cluster_emulation: false,
        heartbeat_interval: Duration::ZERO,
        heartbeat_timeout: Duration::ZERO,
        heartbeat_successes: 0,
        connect_timeout: Duration::ZERO,
        max_bulk: 0,
        max_arguments: 0,
        max_inline: 0,
        max_command: 0,
        max_reply: 0,
        max_nesting: 0,
        client_output_limit: 0,
        pubsub_output_limit: 0,
        pubsub_output_soft_limit: 0,
        pubsub_output_soft_seconds: 0,
        link_output_limit: 0,
        link_pipeline_limit: 0,
        private_links: 0,
        script_cache: 0,
        client_pipeline_limit: 0,
        tls: Tls::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_of_the_table_can_be_read() {
        for key in KEYS {
            if let Without::Text(text) = key.default {
                assert_eq!(apply(&mut blank("x"), key, text), Ok(()), "{}", key.name);
            }
        }
    }
}
