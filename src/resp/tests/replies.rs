//! Replies whole, in pieces, wrong and too large.

use crate::resp::reply::{array_len, elements};
use crate::resp::{ReplyError, ReplyLimits, ReplyScanner, Scan};

fn scan(bytes: &[u8]) -> Result<Scan, ReplyError> {
    ReplyScanner::default().scan(bytes, &ReplyLimits::default())
}

const WHOLE: [&[u8]; 47] = [
    b"+OK\r\n",
    b"+\r\n",
    b"-ERR no\r\n",
    b":0\r\n",
    b":-12\r\n",
    b":+5\r\n",
    b":9223372036854775807\r\n",
    b"$0\r\n\r\n",
    b"$5\r\nhello\r\n",
    b"$2\r\n\r\n\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"_\r\n",
    b"#t\r\n",
    b"#f\r\n",
    b",3.14\r\n",
    b",-1e-5\r\n",
    b",inf\r\n",
    b",-inf\r\n",
    b",nan\r\n",
    b",-nan\r\n",
    b"(3492890328409238509324850943850943825024385\r\n",
    b"(-1\r\n",
    b"!21\r\nSYNTAX invalid syntax\r\n",
    b"=15\r\ntxt:Some string\r\n",
    b"*0\r\n",
    b"*2\r\n$1\r\na\r\n$-1\r\n",
    b"*1\r\n*1\r\n*0\r\n",
    b"~2\r\n+a\r\n:1\r\n",
    b"%1\r\n+k\r\n*2\r\n_\r\n#t\r\n",
    b"%0\r\n",
    b">2\r\n+message\r\n+x\r\n",
    b"|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n",
    b"|0\r\n+OK\r\n",
    b"|1\r\n+a\r\n|1\r\n+b\r\n:1\r\n:2\r\n|1\r\n+c\r\n:3\r\n*1\r\n:4\r\n",
    b"*2\r\n|1\r\n+a\r\n:1\r\n:2\r\n:3\r\n",
    b"$?\r\n;0\r\n",
    b"$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;1\r\nd\r\n;0\r\n",
    b"*?\r\n.\r\n",
    b"*?\r\n:1\r\n*?\r\n:2\r\n.\r\n$?\r\n;1\r\n.\r\n;0\r\n.\r\n",
    b"~?\r\n+a\r\n.\r\n",
    b"%?\r\n+a\r\n:1\r\n+b\r\n*0\r\n.\r\n",
    b"%?\r\n.\r\n",
    b"*2\r\n%?\r\n+a\r\n:1\r\n.\r\n+b\r\n",
    b"*1\r\n>1\r\n+subscribe\r\n",
    b"%?\r\n|1\r\n+a\r\n:1\r\n+k\r\n+v\r\n.\r\n",
    b"*1\r\n|0\r\n|0\r\n*0\r\n",
];

#[test]
fn a_whole_reply_is_done_at_its_end_and_at_no_byte_before() {
    for reply in WHOLE {
        let followed = [reply, b"+NEXT\r\n"].concat();
        assert_eq!(scan(reply), Ok(Scan::Done(reply.len())), "{}", reply.escape_ascii());
        assert_eq!(scan(&followed), Ok(Scan::Done(reply.len())), "{}", reply.escape_ascii());
        for cut in 0..reply.len() {
            let Ok(Scan::More(missing)) = scan(&reply[..cut]) else {
                panic!("{} cut at {cut}: {:?}", reply.escape_ascii(), scan(&reply[..cut]))
            };
            assert!((1..=reply.len() - cut).contains(&missing), "{} {cut}", reply.escape_ascii());
        }
    }
}

#[test]
fn a_reply_fed_byte_by_byte_ends_where_it_ends() {
    for reply in WHOLE {
        let mut scanner = ReplyScanner::default();
        for shown in 0..reply.len() {
            let scan = scanner.scan(&reply[..shown], &ReplyLimits::default());
            assert!(matches!(scan, Ok(Scan::More(_))), "{} {shown}", reply.escape_ascii());
        }
        let scan = scanner.scan(reply, &ReplyLimits::default());
        assert_eq!(scan, Ok(Scan::Done(reply.len())));
    }
}

#[test]
fn what_was_scanned_can_be_discarded_as_it_comes() {
    for reply in WHOLE {
        let mut scanner = ReplyScanner::default();
        let mut gone = 0;
        for shown in 1..reply.len() {
            let scan = scanner.scan(&reply[gone..shown], &ReplyLimits::default());
            assert!(matches!(scan, Ok(Scan::More(_))), "{} {shown}", reply.escape_ascii());
            let count = scanner.scanned();
            scanner.discard(count);
            gone += count;
        }
        let scan = scanner.scan(&reply[gone..], &ReplyLimits::default());
        assert_eq!(scan, Ok(Scan::Done(reply.len() - gone)), "{}", reply.escape_ascii());
    }
}

#[test]
fn a_bulk_in_flight_can_be_discarded_to_its_last_byte() {
    let mut scanner = ReplyScanner::default();
    let limits = ReplyLimits::default();
    assert_eq!(scanner.scan(b"$1000\r\nabc", &limits), Ok(Scan::More(999)));
    assert_eq!(scanner.scanned(), 10);
    scanner.discard(10);
    assert_eq!(scanner.scan(&[b'x'; 500], &limits), Ok(Scan::More(499)));
    scanner.discard(500);
    let end = [&[b'x'; 497][..], b"\r\n+OK\r\n"].concat();
    assert_eq!(scanner.scan(&end, &limits), Ok(Scan::Done(499)));
}

#[test]
fn garbage_is_named() {
    let cases: [(&[u8], ReplyError); 28] = [
        (b"HTTP/1.1", ReplyError::UnknownType(b'H')),
        (b"\0", ReplyError::UnknownType(0)),
        (b";1\r\n", ReplyError::UnknownType(b';')),
        (b"$x\r\n", ReplyError::InvalidLength(b'$')),
        (b"$-2\r\n", ReplyError::InvalidLength(b'$')),
        (b"$01\r\n", ReplyError::InvalidLength(b'$')),
        (b"$\r\n", ReplyError::InvalidLength(b'$')),
        (b"!-1\r\n", ReplyError::InvalidLength(b'!')),
        (b"=?\r\n", ReplyError::InvalidLength(b'=')),
        (b">?\r\n", ReplyError::InvalidLength(b'>')),
        (b"|?\r\n", ReplyError::InvalidLength(b'|')),
        (b"*1.5\r\n", ReplyError::InvalidLength(b'*')),
        (b"%-1\r\n", ReplyError::InvalidLength(b'%')),
        (b":\r\n", ReplyError::InvalidValue(b':')),
        (b":1x\r\n", ReplyError::InvalidValue(b':')),
        (b"(-\r\n", ReplyError::InvalidValue(b'(')),
        (b"#x\r\n", ReplyError::InvalidValue(b'#')),
        (b"_1\r\n", ReplyError::InvalidValue(b'_')),
        (b",one\r\n", ReplyError::InvalidValue(b',')),
        (b"+a\nb\r\n", ReplyError::StrayLineEnd),
        (b"-a\rb\r\n", ReplyError::StrayLineEnd),
        (b"$1\r\nabc", ReplyError::ExpectedLineEnd),
        (b".\r\n", ReplyError::UnexpectedEnd),
        (b"*1\r\n.\r\n", ReplyError::UnexpectedEnd),
        (b"%?\r\n+k\r\n.\r\n", ReplyError::UnexpectedEnd),
        (b"*?\r\n|1\r\n+a\r\n+b\r\n.\r\n", ReplyError::UnexpectedEnd),
        (b"$?\r\n$1\r\n", ReplyError::ExpectedChunk(b'$')),
        (b"$?\r\n;?\r\n", ReplyError::InvalidLength(b';')),
    ];
    for (bytes, error) in cases {
        assert_eq!(scan(bytes), Err(error), "{}", bytes.escape_ascii());
    }
}

#[test]
fn limits_fail_at_the_header_that_declares_too_much() {
    let limits = ReplyLimits { reply: 100, nesting: 3 };
    let scan = |bytes: &[u8]| ReplyScanner::default().scan(bytes, &limits);
    assert_eq!(scan(b"$93\r\n"), Ok(Scan::More(95)));
    assert_eq!(scan(b"$94\r\n"), Err(ReplyError::TooLarge(100)));
    assert_eq!(scan(b"*1\r\n$90\r\n"), Err(ReplyError::TooLarge(100)));
    assert_eq!(scan(b"*33\r\n"), Err(ReplyError::TooLarge(100)));
    assert_eq!(scan(b"*9223372036854775807\r\n"), Err(ReplyError::TooLarge(100)));
    assert_eq!(scan(b"%9223372036854775807\r\n"), Err(ReplyError::TooLarge(100)));
    assert_eq!(scan(b"*1\r\n*1\r\n*1\r\n:1\r\n"), Ok(Scan::Done(16)));
    assert_eq!(scan(b"*1\r\n*1\r\n*1\r\n*1\r\n"), Err(ReplyError::TooDeep(3)));
    assert_eq!(scan(b"|1\r\n|1\r\n|1\r\n|1\r\n"), Err(ReplyError::TooDeep(3)));
    let endless = [&b"+"[..], &[b'x'; 70_000]].concat();
    let whole = ReplyScanner::default().scan(&endless, &ReplyLimits::default());
    assert_eq!(whole, Err(ReplyError::LineTooLong));
}

#[test]
fn the_limit_of_a_reply_counts_what_was_discarded() {
    let limits = ReplyLimits { reply: 20, nesting: 3 };
    let mut scanner = ReplyScanner::default();
    assert!(matches!(scanner.scan(b"*?\r\n:1\r\n:2\r\n", &limits), Ok(Scan::More(_))));
    scanner.discard(12);
    assert!(matches!(scanner.scan(b":3\r\n:4\r\n", &limits), Ok(Scan::More(_))));
    scanner.discard(8);
    assert_eq!(scanner.scan(b":5\r\n", &limits), Err(ReplyError::TooLarge(20)));
}

#[test]
fn elements_are_the_frames_of_one_level() {
    let cases: [(&[u8], &[&[u8]]); 8] = [
        (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", &[b"$1\r\na\r\n", b"*1\r\n:1\r\n"]),
        (b"*0\r\n", &[]),
        (b"%1\r\n+k\r\n_\r\n", &[b"+k\r\n", b"_\r\n"]),
        (b"~1\r\n$-1\r\n", &[b"$-1\r\n"]),
        (b">1\r\n+x\r\n", &[b"+x\r\n"]),
        (b"|1\r\n+a\r\n*1\r\n:0\r\n|0\r\n*1\r\n|0\r\n:1\r\n", &[b"|0\r\n:1\r\n"]),
        (b"*?\r\n:1\r\n*?\r\n.\r\n.\r\n", &[b":1\r\n", b"*?\r\n.\r\n"]),
        (b"%?\r\n+k\r\n$?\r\n;0\r\n.\r\n", &[b"+k\r\n", b"$?\r\n;0\r\n"]),
    ];
    for (reply, expected) in cases {
        let found: Vec<&[u8]> = elements(reply).unwrap().collect();
        assert_eq!(found, expected, "{}", reply.escape_ascii());
        assert_eq!(array_len(reply), Some(expected.len() as u64));
    }
    for reply in [&b"*-1\r\n"[..], b"_\r\n", b"$1\r\na\r\n", b"+OK\r\n", b":1\r\n", b""] {
        assert!(elements(reply).is_none() && array_len(reply).is_none());
    }
}

#[test]
fn limits_are_the_largest_that_passes() {
    let limits = ReplyLimits { reply: 12, nesting: 2 };
    let cases: [(&[u8], Result<usize, ReplyError>); 9] = [
        (b"+123456789\r\n", Ok(12)),
        (b"+1234567890\r\n", Err(ReplyError::TooLarge(12))),
        (b"(1234567890\r\n", Err(ReplyError::TooLarge(12))),
        (b"$6\r\nabcdef\r\n", Ok(12)),
        (b"$7\r\nabcdefg\r\n", Err(ReplyError::TooLarge(12))),
        (b"*1\r\n+12345\r\n", Ok(12)),
        (b"*1\r\n+123456\r\n", Err(ReplyError::TooLarge(12))),
        (b"*1\r\n*1\r\n:1\r\n", Ok(12)),
        (b"*1\r\n*1\r\n:12\r\n", Err(ReplyError::TooLarge(12))),
    ];
    for (bytes, outcome) in cases {
        let scan = ReplyScanner::default().scan(bytes, &limits);
        assert_eq!(scan, outcome.map(Scan::Done), "{}", bytes.escape_ascii());
    }
}
