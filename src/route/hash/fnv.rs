//! The four FNV functions, over C's `char`.

use super::widen;

/// The low halves of FNV-64's offset basis and prime: the upper halves never reach the low 32
/// bits of the result, which are all that twemproxy keeps.
const BASIS_64_LOW: u32 = 0x8422_2325;
const PRIME_64_LOW: u32 = 0x0000_01b3;
const BASIS_32: u32 = 0x811c_9dc5;
const PRIME_32: u32 = 0x0100_0193;

#[inline]
pub fn fnv1_64<const SIGNED: bool>(key: &[u8]) -> u32 {
    multiply_then_mix::<SIGNED>(key, BASIS_64_LOW, PRIME_64_LOW)
}

#[inline]
pub fn fnv1a_64<const SIGNED: bool>(key: &[u8]) -> u32 {
    mix_then_multiply::<SIGNED>(key, BASIS_64_LOW, PRIME_64_LOW)
}

#[inline]
pub fn fnv1_32<const SIGNED: bool>(key: &[u8]) -> u32 {
    multiply_then_mix::<SIGNED>(key, BASIS_32, PRIME_32)
}

#[inline]
pub fn fnv1a_32<const SIGNED: bool>(key: &[u8]) -> u32 {
    mix_then_multiply::<SIGNED>(key, BASIS_32, PRIME_32)
}

#[inline(always)]
fn multiply_then_mix<const SIGNED: bool>(key: &[u8], basis: u32, prime: u32) -> u32 {
    key.iter().fold(basis, |hash, &byte| hash.wrapping_mul(prime) ^ widen::<SIGNED>(byte))
}

#[inline(always)]
fn mix_then_multiply<const SIGNED: bool>(key: &[u8], basis: u32, prime: u32) -> u32 {
    key.iter().fold(basis, |hash, &byte| (hash ^ widen::<SIGNED>(byte)).wrapping_mul(prime))
}
