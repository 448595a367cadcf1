//! Replies: whatever the bytes, however they are cut and passed on, the scanner comes to the same,
//! and the elements of an aggregate are its bytes.

#![no_main]

use circlet::resp::reply::{array_len, elements};
use circlet::resp::{ReplyError, ReplyLimits, ReplyScanner, Scan};
use libfuzzer_sys::fuzz_target;

/// Small, so that inputs of a few hundred bytes reach them.
const LIMITS: ReplyLimits = ReplyLimits { reply: 500, nesting: 6 };

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (cuts, bytes) = input;
    // Whatever it is, taking it apart ends.
    let _ = elements(&bytes).map(Iterator::count);
    let mut rest = &bytes[..];
    loop {
        let whole = ReplyScanner::default().scan(rest, &LIMITS);
        assert_eq!(whole, scan_in_pieces(rest, &cuts, false));
        assert_eq!(whole, scan_in_pieces(rest, &cuts, true));
        let Ok(Scan::Done(length)) = whole else { return };
        check(&rest[..length]);
        rest = &rest[length..];
    }
});

fn scan_in_pieces(bytes: &[u8], cuts: &[u8], discard: bool) -> Result<Scan, ReplyError> {
    let mut scanner = ReplyScanner::default();
    let (mut gone, mut shown, mut due) = (0, 0, 0);
    let mut cuts = cuts.iter().cycle();
    loop {
        match scanner.scan(&bytes[gone..shown], &LIMITS)? {
            Scan::Done(length) => {
                assert!(due <= gone + length && gone + length <= shown);
                return Ok(Scan::Done(gone + length));
            }
            Scan::More(missing) => {
                assert!(missing > 0);
                due = shown + missing;
                if shown == bytes.len() {
                    return Ok(Scan::More(missing));
                }
            }
        }
        let cut = cuts.next().map_or(1, |&cut| usize::from(cut));
        if discard {
            let count = scanner.scanned().min(cut);
            scanner.discard(count);
            gone += count;
        }
        shown = (shown + cut.max(1)).min(bytes.len());
    }
}

fn check(reply: &[u8]) {
    let Some(found) = elements(reply) else { return };
    let found: Vec<&[u8]> = found.collect();
    assert_eq!(array_len(reply), Some(found.len() as u64));
    for element in &found {
        let scan = ReplyScanner::default().scan(element, &LIMITS);
        assert_eq!(scan, Ok(Scan::Done(element.len())));
    }
    let body = found.concat();
    assert!(
        reply.ends_with(&body) || reply.strip_suffix(b".\r\n").is_some_and(|r| r.ends_with(&body))
    );
}
