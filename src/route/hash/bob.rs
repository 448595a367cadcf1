//! Bob Jenkins's two functions: one_at_a_time and lookup3.

use super::{little_endian, widen};

/// One-at-a-time, over C's `char`.
pub fn one_at_a_time<const SIGNED: bool>(key: &[u8]) -> u32 {
    let mut hash: u32 = 0;
    for &byte in key {
        hash = hash.wrapping_add(widen::<SIGNED>(byte));
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

/// lookup3's hashlittle with 13 as its initial value. The key must not be empty.
pub fn jenkins(key: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(key.len() as u32).wrapping_add(13);
    let mut state = [start; 3];
    let mut rest = key;
    // The last block, even a full one, gets the final mix instead of this one.
    while rest.len() > 12 {
        add_block(&mut state, rest);
        mix(&mut state);
        rest = &rest[12..];
    }
    add_block(&mut state, rest);
    finish(state)
}

/// Adds up to twelve bytes, as three little-endian words padded with zeros.
fn add_block(state: &mut [u32; 3], block: &[u8]) {
    for (word, value) in state.iter_mut().enumerate() {
        let bytes = block.get(word * 4..).unwrap_or_default();
        *value = value.wrapping_add(little_endian(bytes));
    }
}

fn mix([a, b, c]: &mut [u32; 3]) {
    turn(a, *b, c, 4);
    turn(b, *c, a, 6);
    turn(c, *a, b, 8);
    turn(a, *b, c, 16);
    turn(b, *c, a, 19);
    turn(c, *a, b, 4);
}

/// `x -= z; x ^= z rotated; z += y`: a sixth of lookup3's mix.
fn turn(x: &mut u32, y: u32, z: &mut u32, rotation: u32) {
    *x = x.wrapping_sub(*z) ^ z.rotate_left(rotation);
    *z = z.wrapping_add(y);
}

fn finish([mut a, mut b, mut c]: [u32; 3]) -> u32 {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}
