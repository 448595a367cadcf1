//! What is valid, and yet seldom meant.

use super::model::{Config, Distribution, Hash, Pool};
use super::tls::VerifyShard;

/// Sentences about choices of a valid configuration that an operator may regret.
pub fn warnings(config: &Config) -> Vec<String> {
    let of_pool = |pool: &Pool| -> Vec<String> {
        let told = [hash(pool), distribution(pool), verification(pool)];
        let users = pool.users.iter().flat_map(|users| users.warnings().iter().map(String::as_str));
        let told = told.into_iter().flatten().chain(users);
        told.map(|text| format!("pool {}: {text}", pool.name)).collect()
    };
    config.pools.iter().flat_map(of_pool).collect()
}

fn hash(pool: &Pool) -> Option<&'static str> {
    let spread = matches!(pool.distribution, Distribution::Ketama) && pool.servers.len() > 1;
    match pool.hash {
        Hash::Crc32 if spread => Some(
            "hash crc32 has 15 bits, so ketama puts nearly all keys on one server; \
             crc32a, md5 or fnv1a_32 spread them",
        ),
        Hash::Fnv1_64 if spread => Some(
            "hash fnv1_64 puts neighbouring keys on the same server; md5 or fnv1a_32 spread them",
        ),
        _ => None,
    }
}

fn distribution(pool: &Pool) -> Option<&'static str> {
    (pool.distribution == Distribution::Random && pool.servers.len() > 1)
        .then_some("distribution random reads a key from another server than it was written to")
}

fn verification(pool: &Pool) -> Option<&'static str> {
    match pool.tls.verify_shard {
        VerifyShard::Full => None,
        VerifyShard::Ca => Some(
            "server_tls_verify ca lets anybody be any shard who has a certificate of the same \
             authority",
        ),
        VerifyShard::No => Some(
            "server_tls_verify no lets anybody on the way to the shards read and change everything",
        ),
    }
}
