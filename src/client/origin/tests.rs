use super::*;

const IPV4: &[u8] = &[192, 0, 2, 9, 198, 51, 100, 1, 0x12, 0x67, 0x18, 0xeb];

/// A header of version 2.
fn binary(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = (rest.len() as u16).to_be_bytes();
    [v2::PROTOCOL_PREFIX, &[version_and_command, family], &length, rest].concat()
}

fn told(header: Result<Header, HeaderFault>) -> (usize, Option<(String, String)>) {
    match header {
        Ok(Header::Whole(length, origin)) => {
            (length, origin.map(|it| (it.peer.to_string(), it.own.to_string())))
        }
        other => panic!("{other:?}"),
    }
}

fn both(peer: &str, own: &str) -> Option<(String, String)> {
    Some((peer.into(), own.into()))
}

/// Headers that are good, and what they tell.
/// A header, and whom it tells: the peer's address and our own.
type Told = (Vec<u8>, Option<(String, String)>);

fn good() -> Vec<Told> {
    let ipv4 = both("192.0.2.9:4711", "198.51.100.1:6379");
    let ipv6 = [&[0x20; 16][..], &[0; 15], &[1, 0x12, 0x67, 0x18, 0xeb]].concat();
    let mut unix = vec![0; 216];
    unix[..9].copy_from_slice(b"/tmp/a b\n");
    unix[108..114].copy_from_slice(b"/tmp/c");
    let tlvs = [IPV4, &[0x02, 0, 11], b"example.com", &[0x04, 0, 1, 0]].concat();
    let shown = "[2020:2020:2020:2020:2020:2020:2020:2020]:4711";
    vec![
        (b"PROXY TCP4 192.0.2.9 198.51.100.1 4711 6379\r\n".to_vec(), ipv4.clone()),
        (
            b"PROXY TCP6 2001:db8::9 ::1 4711 6379\r\n".to_vec(),
            both("[2001:db8::9]:4711", "[::1]:6379"),
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), None),
        (binary(0x21, 0x11, IPV4), ipv4.clone()),
        (binary(0x21, 0x11, &tlvs), ipv4.clone()),
        (binary(0x21, 0x21, &ipv6), both(shown, "[::1]:6379")),
        (binary(0x21, 0x31, &unix), both("/tmp/a?b?:0", "/tmp/c:0")),
        (binary(0x20, 0x00, b""), None),
        (binary(0x20, 0x11, IPV4), None),
        (binary(0x21, 0x00, b"whatever"), None),
        (binary(0x21, 0x12, IPV4), None),
        (binary(0x21, 0x11, &[IPV4, &[0; LONGEST_BINARY - 16 - 12]].concat()), ipv4),
    ]
}

#[test]
fn a_good_header_is_understood_and_what_follows_is_left() {
    for (header, expected) in good() {
        let followed = [&header[..], b"\r\n*1\r\n"].concat();
        let got = told(parse(&followed));
        assert_eq!(got, (header.len(), expected), "{}", header.escape_ascii());
    }
}

#[test]
fn every_part_of_a_good_header_is_a_part() {
    for (header, _) in good() {
        for cut in 0..header.len() {
            let part = parse(&header[..cut]);
            assert_eq!(part, Ok(Header::Partial), "{}", header[..cut].escape_ascii());
        }
    }
}

#[test]
fn what_is_no_header_is_told_as_soon_as_it_shows() {
    for bytes in
        [&b"*"[..], b"PING\r\n", b"proxy ", b"PROXX", b"\r\n\r\n\x01", b"\r\nPING", b"\x16\x03"]
    {
        assert_eq!(parse(bytes), Err(HeaderFault::Missing), "{}", bytes.escape_ascii());
    }
    let endless = [b"PROXY TCP4 1.2.3.4 ", &[b'1'; 200][..]].concat();
    assert_eq!(parse(&endless), Err(HeaderFault::TooLong(LONGEST_TEXT)));
    let late_end = [&endless[..106], b"\r\n"].concat();
    assert_eq!(parse(&late_end), Err(HeaderFault::TooLong(LONGEST_TEXT)));
    let large = binary(0x21, 0x11, &[0; LONGEST_BINARY - 15]);
    assert_eq!(parse(&large[..16]), Err(HeaderFault::TooLong(LONGEST_BINARY)));
}

#[test]
fn a_header_that_makes_no_sense_is_malformed() {
    let text: [&[u8]; 10] = [
        b"PROXY \r\n",
        b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        b"PROXY TCP4 1.2.3.400 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 \xff\xfe 1 2\r\n",
    ];
    let binaries = [
        binary(0x11, 0x11, IPV4),
        binary(0x22, 0x11, IPV4),
        binary(0x21, 0x41, IPV4),
        binary(0x21, 0x13, IPV4),
        binary(0x21, 0x11, &IPV4[..11]),
        binary(0x21, 0x21, IPV4),
    ];
    let all = text.iter().map(|text| text.to_vec()).chain(binaries);
    for bytes in all {
        let fault = parse(&bytes);
        assert!(
            matches!(fault, Err(HeaderFault::Malformed(_))),
            "{fault:?} for {}",
            bytes.escape_ascii()
        );
    }
}
