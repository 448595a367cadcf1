//! Nothing is scanned twice, and memory follows what came, not what was declared.

use crate::resp::{
    ReplyLimits, ReplyScanner, RequestLimits, RequestScanner, Scan, Span, effort, write,
};

const PIECE: usize = 16 << 10;

#[test]
fn a_million_tiny_arguments_are_looked_at_once() {
    let mut bytes = Vec::new();
    write::command(&mut bytes, &vec![b"x"; 1 << 20]);
    let mut scanner = RequestScanner::default();
    effort::take();
    let scan = in_pieces(&bytes, |shown| scanner.scan(shown, &RequestLimits::default()).unwrap());
    assert_eq!(scan, Scan::Done(bytes.len()));
    assert_eq!(scanner.args().len(), 1 << 20);
    let looked_at = effort::take();
    assert!(looked_at < bytes.len() as u64, "{looked_at} of {}", bytes.len());
}

#[test]
fn a_million_tiny_elements_are_looked_at_once() {
    let mut bytes = b"*1048576\r\n".to_vec();
    (0..1 << 18).for_each(|_| bytes.extend_from_slice(b"$1\r\nx\r\n:1\r\n+OK\r\n*0\r\n"));
    let mut scanner = ReplyScanner::default();
    effort::take();
    let scan = in_pieces(&bytes, |shown| scanner.scan(shown, &ReplyLimits::default()).unwrap());
    assert_eq!(scan, Scan::Done(bytes.len()));
    let looked_at = effort::take();
    assert!(looked_at < 2 * bytes.len() as u64, "{looked_at} of {}", bytes.len());
}

#[test]
fn a_line_that_comes_byte_by_byte_is_looked_at_once() {
    let line = [&b"+"[..], &[b'x'; 60_000], b"\r\n"].concat();
    effort::take();
    let mut scanner = ReplyScanner::default();
    for shown in 0..=line.len() {
        scanner.scan(&line[..shown], &ReplyLimits::default()).unwrap();
    }
    // The fast path looks at the first bytes each time: so many a call, however long the line.
    let looked_at = effort::take();
    assert!(looked_at < 100 * line.len() as u64, "{looked_at} of {}", line.len());

    let command = [&b"GET "[..], &[b'x'; 60_000], b"\r\n"].concat();
    let mut scanner = RequestScanner::default();
    for shown in 0..=command.len() {
        scanner.scan(&command[..shown], &RequestLimits::default()).unwrap();
    }
    let looked_at = effort::take();
    assert!(looked_at < 2 * command.len() as u64, "{looked_at} of {}", command.len());
}

#[test]
fn a_header_that_comes_byte_by_byte_is_looked_at_once() {
    let header = [&b"*1\r\n$"[..], &[b'1'; 60_000]].concat();
    let mut scanner = RequestScanner::default();
    effort::take();
    for shown in 0..=header.len() {
        scanner.scan(&header[..shown], &RequestLimits::default()).unwrap();
    }
    // Each call looks at the few bytes that could be a usual header, then at what is new.
    let looked_at = effort::take();
    assert!(looked_at < 100 * header.len() as u64, "{looked_at} of {}", header.len());
}

#[test]
fn a_body_that_is_known_is_not_looked_at() {
    let bytes = [&b"$1000000\r\n"[..], &vec![b'\r'; 1_000_000], b"\r\n"].concat();
    let mut scanner = ReplyScanner::default();
    effort::take();
    let scan = in_pieces(&bytes, |shown| scanner.scan(shown, &ReplyLimits::default()).unwrap());
    assert_eq!(scan, Scan::Done(bytes.len()));
    assert!(effort::take() < 100);
}

#[test]
fn a_declared_count_reserves_nothing() {
    let mut scanner = RequestScanner::default();
    let scan = scanner.scan(b"*1048576\r\n$1\r\nx\r\n", &RequestLimits::default());
    assert!(matches!(scan, Ok(Scan::More(_))));
    assert!(scanner.room() * size_of::<Span>() < 1024);
}

#[test]
fn a_large_command_leaves_no_large_allocation() {
    let mut bytes = Vec::new();
    write::command(&mut bytes, &vec![b"x"; 100_000]);
    let mut scanner = RequestScanner::default();
    assert_eq!(scanner.scan(&bytes, &RequestLimits::default()), Ok(Scan::Done(bytes.len())));
    scanner.reset();
    assert_eq!(scanner.room(), 0);
}

fn in_pieces(bytes: &[u8], mut scan: impl FnMut(&[u8]) -> Scan) -> Scan {
    let mut shown = 0;
    loop {
        shown = (shown + PIECE).min(bytes.len());
        let scan = scan(&bytes[..shown]);
        if shown == bytes.len() {
            return scan;
        }
        assert!(matches!(scan, Scan::More(_)));
    }
}
