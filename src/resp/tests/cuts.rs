//! Any cut of the bytes comes to the same as the whole.

use proptest::prelude::*;

use super::frames::{any_frame, body};
use crate::resp::reply::{array_len, elements};
use crate::resp::{
    ProtocolError, ReplyError, ReplyLimits, ReplyScanner, Request, RequestLimits, RequestScanner,
    Scan, Span, write,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_command_round_trips_in_any_pieces(
        args in prop::collection::vec(body(), 1..12),
        cuts in prop::collection::vec(1..200_usize, 1..20),
    ) {
        let mut bytes = Vec::new();
        write::command(&mut bytes, &args);
        let whole = bytes.len();
        bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
        let (scan, spans) = command_in_pieces(&bytes, &cuts).expect("a command");
        prop_assert_eq!(scan, Scan::Done(whole));
        let request = Request::new(&bytes[..whole], &spans);
        prop_assert!(request.args().eq(args.iter().map(Vec::as_slice)));
        for (index, arg) in args.iter().enumerate() {
            let mut wire = Vec::new();
            write::bulk_into(&mut wire, arg);
            prop_assert_eq!(request.wire_arg(index), &wire);
        }
    }

    #[test]
    fn garbage_is_the_same_garbage_in_any_pieces(
        bytes in "([*$:+ -]|[0-9]|-1|\r\n|\r|\n|\\*[1-3]\r\n|\\$[0-3]\r\n|[\"'x]){0,30}",
        cuts in prop::collection::vec(1..9_usize, 1..20),
    ) {
        let limits = RequestLimits::default();
        let mut scanner = RequestScanner::default();
        let whole = scanner.scan(bytes.as_bytes(), &limits).map(|scan| (scan, scanner.args().to_vec()));
        prop_assert_eq!(command_in_pieces(bytes.as_bytes(), &cuts), whole);

        let whole = ReplyScanner::default().scan(bytes.as_bytes(), &ReplyLimits::default());
        prop_assert_eq!(reply_in_pieces(bytes.as_bytes(), &cuts, false), whole.clone());
        prop_assert_eq!(reply_in_pieces(bytes.as_bytes(), &cuts, true), whole);
    }

    #[test]
    fn a_reply_ends_where_it_ends_in_any_pieces(
        frame in any_frame(),
        cuts in prop::collection::vec(1..200_usize, 1..20),
    ) {
        let mut bytes = frame.bytes();
        let whole = Ok(Scan::Done(bytes.len()));
        prop_assert_eq!(ReplyScanner::default().scan(&bytes, &ReplyLimits::default()), whole.clone());
        bytes.extend_from_slice(b"+NEXT\r\n");
        prop_assert_eq!(reply_in_pieces(&bytes, &cuts, false), whole.clone());
        prop_assert_eq!(reply_in_pieces(&bytes, &cuts, true), whole);
    }

    #[test]
    fn elements_are_the_frames_that_were_written(frame in any_frame()) {
        let bytes = frame.bytes();
        let expected = frame.elements();
        prop_assert_eq!(array_len(&bytes), expected.as_ref().map(|all| all.len() as u64));
        let found = elements(&bytes).map(|all| all.map(<[u8]>::to_vec).collect::<Vec<_>>());
        prop_assert_eq!(found, expected);
    }
}

/// Shows the scanner ever more of `bytes`; every `More` must turn out to have been true.
fn command_in_pieces(bytes: &[u8], cuts: &[usize]) -> Result<(Scan, Vec<Span>), ProtocolError> {
    let mut scanner = RequestScanner::default();
    let mut due = 0;
    for shown in shown(bytes.len(), cuts) {
        match scanner.scan(&bytes[..shown], &RequestLimits::default())? {
            Scan::Done(length) => {
                assert!(due <= length, "{due} bytes were due, {length} were enough");
                return Ok((Scan::Done(length), scanner.args().to_vec()));
            }
            Scan::More(missing) if shown == bytes.len() => {
                return Ok((Scan::More(missing), scanner.args().to_vec()));
            }
            Scan::More(missing) => due = shown + missing,
        }
    }
    unreachable!("the last piece shows all");
}

/// The same for a reply, perhaps passed on while it arrives.
fn reply_in_pieces(bytes: &[u8], cuts: &[usize], discard: bool) -> Result<Scan, ReplyError> {
    let mut scanner = ReplyScanner::default();
    let (mut gone, mut due) = (0, 0);
    for shown in shown(bytes.len(), cuts) {
        match scanner.scan(&bytes[gone..shown], &ReplyLimits::default())? {
            Scan::Done(length) => {
                assert!(due <= gone + length, "{due} bytes were due, {length} were enough");
                return Ok(Scan::Done(gone + length));
            }
            Scan::More(missing) if shown == bytes.len() => return Ok(Scan::More(missing)),
            Scan::More(missing) => due = shown + missing,
        }
        if discard {
            let count = scanner.scanned();
            scanner.discard(count);
            gone += count;
        }
    }
    unreachable!("the last piece shows all");
}

/// How much is shown each time, the last time all of it.
fn shown(length: usize, cuts: &[usize]) -> impl Iterator<Item = usize> + use<'_> {
    let mut shown = 0;
    let mut cuts = cuts.iter().cycle();
    let pieces = std::iter::from_fn(move || {
        shown += cuts.next()?;
        (shown < length).then_some(shown)
    });
    pieces.chain([length])
}
