//! Paul Hsieh's SuperFastHash.

use super::{little_endian, widen};

/// SuperFastHash, seed 0. The third byte of a tail is C's `char`; a lone tail byte is not.
pub fn hsieh<const SIGNED: bool>(key: &[u8]) -> u32 {
    let mut blocks = key.chunks_exact(4);
    let hash = blocks.by_ref().fold(0, add_block);
    avalanche(add_tail::<SIGNED>(hash, blocks.remainder()))
}

fn add_block(hash: u32, block: &[u8]) -> u32 {
    let word = little_endian(block);
    let sum = hash.wrapping_add(word & 0xffff);
    let mixed = ((word >> 16) << 11) ^ sum;
    let hash = (sum << 16) ^ mixed;
    hash.wrapping_add(hash >> 11)
}

fn add_tail<const SIGNED: bool>(hash: u32, tail: &[u8]) -> u32 {
    let sum = hash.wrapping_add(little_endian(tail) & 0xffff);
    match *tail {
        [_, _, third] => {
            let hash = sum ^ (sum << 16) ^ (widen::<SIGNED>(third) << 18);
            hash.wrapping_add(hash >> 11)
        }
        [_, _] => {
            let hash = sum ^ (sum << 11);
            hash.wrapping_add(hash >> 17)
        }
        [_] => {
            let hash = sum ^ (sum << 10);
            hash.wrapping_add(hash >> 1)
        }
        _ => hash,
    }
}

fn avalanche(mut hash: u32) -> u32 {
    hash ^= hash << 3;
    hash = hash.wrapping_add(hash >> 5);
    hash ^= hash << 4;
    hash = hash.wrapping_add(hash >> 17);
    hash ^= hash << 25;
    hash.wrapping_add(hash >> 6)
}
