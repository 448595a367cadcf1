//! The CRCs: one of them whole, one cut to 15 bits, one never masked.

/// twemproxy's crc16: the XMODEM table over an accumulator of 32 bits that nobody masks. Its low
/// 16 bits are the true CRC-16; the upper ones are what shifted out.
pub fn crc16(key: &[u8]) -> u32 {
    key.iter().fold(0, |crc: u32, &byte| {
        let index = ((crc >> 8) ^ u32::from(byte)) & 0xff;
        (crc << 8) ^ u32::from(XMODEM[index as usize])
    })
}

/// twemproxy's crc32: bits 16 to 30 of the true CRC-32, as memcached's clients once cut it.
pub fn crc32(key: &[u8]) -> u32 {
    (crc32a(key) >> 16) & 0x7fff
}

/// The true CRC-32 (IEEE).
pub fn crc32a(key: &[u8]) -> u32 {
    crc32fast::hash(key)
}

const XMODEM: [u16; 256] = xmodem();

const fn xmodem() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = remainder((byte as u16) << 8);
        byte += 1;
    }
    table
}

/// The remainder of `crc` after eight bits, by XMODEM's polynomial x¹⁶ + x¹² + x⁵ + 1.
const fn remainder(mut crc: u16) -> u16 {
    let mut bit = 0;
    while bit < 8 {
        let carry = crc & 0x8000 != 0;
        crc <<= 1;
        if carry {
            crc ^= 0x1021;
        }
        bit += 1;
    }
    crc
}
