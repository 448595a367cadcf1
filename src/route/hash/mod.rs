//! twemproxy's twelve hash functions, bit for bit.
//!
//! They are old functions with old slips, and the slips are what places a fleet's keys: crc32
//! keeps 15 bits, crc16 an accumulator nobody masks, and five of them read `char`, which is
//! signed on x86 and unsigned on aarch64. All of it is kept.

mod bob;
mod crc;
mod fnv;
mod hsieh;
mod murmur;

use md5::{Digest, Md5};

use crate::config::{Hash, KeyBytes};

/// The hash of the bytes of a key that count; 0 for none, whatever the function.
#[inline]
pub fn hash(key: &[u8], hash: Hash, key_bytes: KeyBytes) -> u32 {
    if key.is_empty() {
        return 0;
    }
    match key_bytes {
        KeyBytes::Signed => dispatch::<true>(key, hash),
        KeyBytes::Unsigned => dispatch::<false>(key, hash),
    }
}

/// How many different values a hash can take: 2³² but for crc32.
pub fn range(hash: Hash) -> u64 {
    match hash {
        Hash::Crc32 => 1 << 15,
        _ => 1 << 32,
    }
}

#[inline]
fn dispatch<const SIGNED: bool>(key: &[u8], hash: Hash) -> u32 {
    match hash {
        Hash::Fnv1a64 => fnv::fnv1a_64::<SIGNED>(key),
        Hash::Fnv1_64 => fnv::fnv1_64::<SIGNED>(key),
        Hash::Fnv1a32 => fnv::fnv1a_32::<SIGNED>(key),
        Hash::Fnv1_32 => fnv::fnv1_32::<SIGNED>(key),
        Hash::Md5 => md5_points(key)[0],
        Hash::Crc16 => crc::crc16(key),
        Hash::Crc32 => crc::crc32(key),
        Hash::Crc32a => crc::crc32a(key),
        Hash::OneAtATime => bob::one_at_a_time::<SIGNED>(key),
        Hash::Jenkins => bob::jenkins(key),
        Hash::Hsieh => hsieh::hsieh::<SIGNED>(key),
        Hash::Murmur => murmur::murmur(key),
    }
}

/// The MD5 digest of `text` as the four little-endian points of the ketama ring.
pub(super) fn md5_points(text: &[u8]) -> [u32; 4] {
    let digest: [u8; 16] = Md5::digest(text).into();
    std::array::from_fn(|point| little_endian(&digest[point * 4..]))
}

/// A key byte as C's `char` widened to 32 bits.
#[inline(always)]
fn widen<const SIGNED: bool>(byte: u8) -> u32 {
    if SIGNED { byte as i8 as u32 } else { u32::from(byte) }
}

/// The first up to four bytes as a little-endian number; missing ones are zero.
#[inline(always)]
fn little_endian(bytes: &[u8]) -> u32 {
    match bytes {
        [a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => bytes.iter().rev().fold(0, |value, &byte| (value << 8) | u32::from(byte)),
    }
}

#[cfg(test)]
mod tests;
