//! Austin Appleby's MurmurHash2.

use super::little_endian;

const MULTIPLIER: u32 = 0x5bd1_e995;
const ROTATION: u32 = 24;

/// MurmurHash2 with the seed twemproxy gives it: 0xdeadbeef × length.
pub fn murmur(key: &[u8]) -> u32 {
    let length = key.len() as u32;
    let seed = 0xdead_beef_u32.wrapping_mul(length);
    let mut blocks = key.chunks_exact(4);
    let mut hash = blocks.by_ref().fold(seed ^ length, add_block);
    let tail = blocks.remainder();
    if !tail.is_empty() {
        hash = (hash ^ little_endian(tail)).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

fn add_block(hash: u32, block: &[u8]) -> u32 {
    let word = little_endian(block).wrapping_mul(MULTIPLIER);
    let mixed = (word ^ (word >> ROTATION)).wrapping_mul(MULTIPLIER);
    hash.wrapping_mul(MULTIPLIER) ^ mixed
}
