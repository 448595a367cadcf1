//! What twemproxy's own hashkit, compiled for x86, says of these keys.

use super::*;

const FUNCTIONS: [Hash; 12] = [
    Hash::OneAtATime,
    Hash::Md5,
    Hash::Crc16,
    Hash::Crc32,
    Hash::Crc32a,
    Hash::Fnv1_64,
    Hash::Fnv1a64,
    Hash::Fnv1_32,
    Hash::Fnv1a32,
    Hash::Hsieh,
    Hash::Murmur,
    Hash::Jenkins,
];

/// A key, and its hashes in the order of `FUNCTIONS`.
#[rustfmt::skip]
const VECTORS: [(&[u8], [u32; 12]); 19] = [
    (b"a", [
        3392050242, 3111502092, 31879, 26807, 3904355907, 2248259518,
        2248273036, 84696446, 3826002220, 2472816263, 1262581116, 3768813200,
    ]),
    (b"ab", [
        1172708952, 1140096536, 8156415, 7811, 2659403885, 3035314104,
        3041237098, 1886858552, 1294271946, 1535905475, 3820310011, 3249891675,
    ]),
    (b"abc", [
        3977453403, 2555380112, 2088017366, 13604, 891568578, 1806675403,
        88168267, 1134309195, 440920331, 3843582778, 2064434216, 2403423744,
    ]),
    (b"foo", [
        596015325, 3675831724, 205303702, 3187, 2356372769, 1805727027,
        4275688823, 1083137555, 2851307223, 1993659431, 3303027599, 2583187353,
    ]),
    (b"bar", [
        2151715081, 421377335, 1276220357, 30463, 1996459178, 1806514304,
        322520602, 513390112, 1991736602, 2197238083, 516654467, 2006320315,
    ]),
    (b"hello", [
        3372029979, 708854109, 1800389474, 13840, 907060870, 3183334599,
        2158673163, 3069866343, 1335831723, 327428805, 1377504255, 772589811,
    ]),
    (b"apple", [
        2297466611, 3195025439, 3662830516, 10542, 2838417488, 473199127,
        1488911807, 67176023, 280767167, 3738850110, 4142305122, 1442444624,
    ]),
    (b"abcdefghijkl", [
        1616577344, 114739615, 2742204415, 30328, 4135066404, 3665453173,
        3764018357, 1705886421, 3908779541, 1600274825, 3087340362, 4220209635,
    ]),
    (b"abcdefghijklm", [
        1838806748, 3518869026, 1924633911, 24052, 3723783842, 1039263394,
        965460744, 3851007266, 998463208, 1892570132, 696768699, 3055675487,
    ]),
    (b"0123456789012345678901234567890123456789", [
        878670348, 954206879, 3472151009, 9798, 2789620809, 1918886805,
        3059906549, 3946108085, 553869461, 3529048441, 3452621510, 1792861546,
    ]),
    (b"user:1000", [
        3043211087, 781738503, 3781445233, 8052, 2675185635, 3550362913,
        2927313545, 2796551329, 1350311305, 3723237737, 2384768711, 76303748,
    ]),
    (b"user:1001", [
        2745963488, 3839126290, 3781449296, 26739, 3899860853, 3550362912,
        2927313110, 2796551328, 1333533686, 3661336675, 1285847563, 2493643546,
    ]),
    (b"\xc3\xa9\x74\xc3\xa9", [
        2144029493, 510308318, 3861292903, 17617, 1154575572, 3995086359,
        3933641815, 3199958167, 200187927, 3432339831, 3664841419, 2303093779,
    ]),
    (b"\xc3\xbf", [
        244769461, 2118383603, 15275315, 31440, 4207949935, 3035330603,
        3033274423, 376872939, 788157111, 2566147614, 3732330788, 2830206212,
    ]),
    (b"\x7f", [
        3941848516, 3870731395, 36728, 4792, 314082080, 2248259488,
        2248282606, 84696416, 4195109838, 3702355519, 3256395496, 3565449662,
    ]),
    (b"foo:bar", [
        1483211938, 3253246286, 1211114374, 482, 2179118799, 313111970,
        3006876360, 2960218914, 3072740520, 3591737979, 2498833903, 2593766136,
    ]),
    (b"caf\xc3\xa9", [
        3650908318, 3833532679, 4129724007, 6317, 2561491637, 2315714289,
        3472276361, 3598905713, 1970454601, 3728705621, 3658586143, 3412207021,
    ]),
    (b"\xff\xfe\xfd", [
        1196771768, 3259918217, 504217887, 2282, 149598061, 2481844359,
        2400096983, 2437714183, 3211609367, 3649655134, 3269769215, 573299006,
    ]),
    (b"0123456789abcdef0123456789abcdef!", [
        2966876577, 3893927264, 3955734760, 31140, 2040826721, 816548526,
        3699511836, 3374602286, 3454672892, 1589396514, 3908075656, 435834532,
    ]),
];

#[test]
fn every_function_agrees_with_twemproxy() {
    for (key, hashes) in VECTORS {
        for (function, expected) in FUNCTIONS.into_iter().zip(hashes) {
            let got = hash(key, function, KeyBytes::Signed);
            assert_eq!(got, expected, "{function:?} of {:?}", key.escape_ascii().to_string());
        }
    }
}

#[test]
fn an_empty_key_hashes_to_zero() {
    for function in FUNCTIONS {
        assert_eq!(hash(b"", function, KeyBytes::Signed), 0, "{function:?}");
    }
}

#[test]
fn unsigned_bytes_are_what_aarch64_builds_hash() {
    let key = "été".as_bytes();
    assert_eq!(hash(key, Hash::Fnv1a64, KeyBytes::Signed), 3933641815);
    assert_eq!(hash(key, Hash::Fnv1a64, KeyBytes::Unsigned), 2293569623);
}

#[test]
fn only_the_functions_that_read_char_know_a_sign() {
    let reads_char = |function| {
        hash(b"ab\xff", function, KeyBytes::Signed) != hash(b"ab\xff", function, KeyBytes::Unsigned)
    };
    let signed: Vec<_> = FUNCTIONS.into_iter().filter(|&function| reads_char(function)).collect();
    let expected =
        [Hash::OneAtATime, Hash::Fnv1_64, Hash::Fnv1a64, Hash::Fnv1_32, Hash::Fnv1a32, Hash::Hsieh];
    assert_eq!(signed, expected);
}

#[test]
fn ascii_keys_hash_alike_whatever_the_build() {
    for (key, _) in VECTORS.iter().filter(|(key, _)| key.is_ascii()) {
        for function in FUNCTIONS {
            let signed = hash(key, function, KeyBytes::Signed);
            assert_eq!(signed, hash(key, function, KeyBytes::Unsigned), "{function:?}");
        }
    }
}

#[test]
fn crc32_keeps_fifteen_bits() {
    for key in 0..10_000_u32 {
        let hash = hash(&key.to_le_bytes(), Hash::Crc32, KeyBytes::Signed);
        assert!(u64::from(hash) < range(Hash::Crc32));
    }
}
