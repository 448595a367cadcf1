//! Commands whole, in pieces, wrong and too large.

use crate::resp::{ProtocolError, Request, RequestLimits, RequestScanner, Scan, inline, write};

fn scan(bytes: &[u8]) -> Result<(Scan, Vec<Vec<u8>>), ProtocolError> {
    scan_within(bytes, &RequestLimits::default())
}

fn scan_within(
    bytes: &[u8],
    limits: &RequestLimits,
) -> Result<(Scan, Vec<Vec<u8>>), ProtocolError> {
    let mut scanner = RequestScanner::default();
    let scan = scanner.scan(bytes, limits)?;
    let args = Request::new(bytes, scanner.args()).args().map(<[u8]>::to_vec).collect();
    Ok((scan, args))
}

#[test]
fn a_command_is_as_long_as_its_arguments_and_leaves_the_next_alone() {
    let bytes = b"*2\r\n$3\r\nGET\r\n$5\r\nhello\r\n*1\r\n$4\r\nPING\r\n";
    let (scan, args) = scan(bytes).unwrap();
    assert_eq!(scan, Scan::Done(24));
    assert_eq!(args, [b"GET".to_vec(), b"hello".to_vec()]);
}

#[test]
fn a_wire_arg_is_header_and_body() {
    let bytes = b"*2\r\n$3\r\nGET\r\n$12\r\nhello\r\nworld\r\n";
    let mut scanner = RequestScanner::default();
    assert_eq!(scanner.scan(bytes, &RequestLimits::default()), Ok(Scan::Done(bytes.len())));
    let request = Request::new(bytes, scanner.args());
    assert_eq!(request.wire_arg(0), b"$3\r\nGET\r\n");
    assert_eq!(request.wire_arg(1), b"$12\r\nhello\r\nworld\r\n");
}

#[test]
fn what_redis_ignores_is_done_without_arguments() {
    for (bytes, length) in [(&b"*0\r\n*1"[..], 4), (b"*-1\r\n", 5), (b"*-7\r\n+", 5)] {
        assert_eq!(scan(bytes), Ok((Scan::Done(length), Vec::new())));
    }
    let mut scanner = RequestScanner::default();
    assert_eq!(scanner.scan(b"  \r\nPING", &RequestLimits::default()), Ok(Scan::Done(4)));
    assert!(scanner.is_inline() && scanner.args().is_empty());
}

#[test]
fn more_is_what_is_missing_of_the_bulk_and_the_least_of_what_follows() {
    let cases: [(&[u8], usize); 9] = [
        (b"", 1),
        (b"*", 3),
        (b"*3\r\n", 18),
        (b"*3\r\n$", 17),
        (b"*3\r\n$1", 16),
        (b"*3\r\n$100\r\n", 114),
        (b"*3\r\n$100\r\nabc", 111),
        (b"*1\r\n$3\r\nabc\r", 1),
        (b"*2\r\n$3\r\nabc\r\n", 6),
    ];
    for (bytes, missing) in cases {
        let (scan, _) = scan(bytes).unwrap();
        assert_eq!(scan, Scan::More(missing), "{}", bytes.escape_ascii());
    }
}

#[test]
fn errors_are_redis_texts() {
    let long = |start: &[u8]| [start, &[b'1'; 70_000]].concat();
    let cases: [(Vec<u8>, &str); 12] = [
        (b"*x\r\n".to_vec(), "invalid multibulk length"),
        (b"*+1\r\n".to_vec(), "invalid multibulk length"),
        (b"*1048577\r\n".to_vec(), "invalid multibulk length"),
        (b"*1\r\n$-5\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$01\r\na\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$536870913\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n:5\r\n".to_vec(), "expected '$', got ':'"),
        (long(b"*"), "too big mbulk count string"),
        (long(b"*1\r\n$"), "too big bulk count string"),
        (long(b"GET "), "too big inline request"),
        (b"*1\r\n$1\r\nabc\r\n".to_vec(), "expected CRLF after a bulk string"),
        (b"*1\r\n$1\rxa\r\n".to_vec(), "invalid bulk length"),
    ];
    for (bytes, text) in cases {
        let error = scan(&bytes).unwrap_err();
        assert_eq!(error.to_string(), format!("Protocol error: {text}"));
    }
}

#[test]
fn a_command_larger_than_its_limit_fails_at_the_header_that_says_so() {
    let limits = RequestLimits { command: 100, ..RequestLimits::default() };
    let fits = b"*2\r\n$3\r\nSET\r\n$78\r\n";
    assert_eq!(scan_within(fits, &limits).unwrap().0, Scan::More(80));
    let larger = b"*2\r\n$3\r\nSET\r\n$81\r\n";
    let error = scan_within(larger, &limits).unwrap_err();
    assert_eq!(error.to_string(), "Protocol error: too big command, the limit is 100 bytes");
}

#[test]
fn an_inline_command_becomes_an_array_of_bulks() {
    let cases: [(&[u8], &[&[u8]]); 7] = [
        (b"PING\r\n", &[b"PING"]),
        (b"  get\t key  \n", &[b"get", b"key"]),
        (b"SET \"a key\" 'it\\'s'\r\n", &[b"SET", b"a key", b"it's"]),
        (
            b"SET \"\\x00\\xfF\\n\\r\\t\\b\\a\\q\\xzz\" ''",
            &[b"SET", b"\x00\xff\n\r\t\x08\x07qxzz", b""],
        ),
        (b"a\"b c\" d", &[b"ab c", b"d"]),
        (b"\x0bA\x0bB\x0c \x0c", &[b"A\x0bB\x0c"]),
        (b"'\\n'", &[b"\\n"]),
    ];
    for (line, words) in cases {
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        inline::encode(line, &mut out).unwrap();
        write::command(&mut expected, words);
        assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
    for blank in [&b""[..], b"\r\n", b" \t\x0b \n"] {
        let mut out = Vec::new();
        inline::encode(blank, &mut out).unwrap();
        assert!(out.is_empty());
    }
}

#[test]
fn quotes_must_close_where_a_word_ends() {
    for line in [&b"\"a"[..], b"'a", b"\"a\"b", b"'a'b", b"\"a\\\"", b"'a\\'", b"x \"\"\"\""] {
        let mut out = b"kept".to_vec();
        assert_eq!(inline::encode(line, &mut out), Err(ProtocolError::UnbalancedQuotes));
        assert_eq!(out, b"kept");
    }
}

#[test]
fn a_header_that_came_in_pieces_does_not_hide_what_follows() {
    let limits = RequestLimits::default();
    for (bytes, cut) in [(&b"*1\r\n\r\n"[..], 2), (b"*2\r\n$0\r\n\r\n\r\n", 7)] {
        let mut scanner = RequestScanner::default();
        assert!(matches!(scanner.scan(&bytes[..cut], &limits), Ok(Scan::More(_))));
        assert_eq!(scanner.scan(bytes, &limits), Err(ProtocolError::ExpectedBulk(b'\r')));
    }
}

#[test]
fn limits_are_the_largest_that_passes() {
    let limits =
        RequestLimits { bulk: 50, arguments: 3, inline: 20, command: 80, once_known: None };
    type Case<'a> = (&'a [&'a [u8]], Result<usize, ProtocolError>);
    let commands: [Case<'_>; 6] = [
        (&[&[b'x'; 50]], Ok(61)),
        (&[&[b'x'; 51]], Err(ProtocolError::InvalidBulkLength)),
        (&[b"a", b"b", b"c"], Ok(25)),
        (&[b"a", b"b", b"c", b"d"], Err(ProtocolError::InvalidMultibulkLength)),
        (&[&[b'x'; 31], &[b'x'; 31]], Ok(80)),
        (&[&[b'x'; 31], &[b'x'; 32]], Err(ProtocolError::CommandTooLarge(80))),
    ];
    for (args, outcome) in commands {
        let mut bytes = Vec::new();
        write::command(&mut bytes, args);
        let scan = scan_within(&bytes, &limits).map(|(scan, _)| scan);
        assert_eq!(scan, outcome.map(Scan::Done), "{}", bytes.escape_ascii());
    }
    let line = |length: usize| [&vec![b'x'; length][..], b"\n"].concat();
    assert_eq!(scan_within(&line(20), &limits), Ok((Scan::Done(21), Vec::new())));
    assert_eq!(scan_within(&line(21), &limits), Err(ProtocolError::InlineTooLong));
}
