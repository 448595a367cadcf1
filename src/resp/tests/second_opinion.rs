//! What redis-protocol, a crate of its own mind, thinks of the same frames.
//!
//! Left out, since it is known to err or to have another API there: streamed frames and
//! attributes (its complete decoder takes none), `$-1`, `*-1` and `-nan` in RESP3, deep nesting
//! (it recurses), inline commands, aggregates as members of sets or keys of maps (it refuses them).

use proptest::prelude::*;
use redis_protocol::{resp2, resp3};

use super::frames;
use crate::resp::{ReplyLimits, ReplyScanner, RequestLimits, RequestScanner, Scan, write};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_resp2_reply_is_as_long(frame in frames::resp2()) {
        let bytes = [frame.bytes(), b"+NEXT\r\n".to_vec()].concat();
        let theirs = resp2::decode::decode(&bytes).expect("a frame").expect("a whole frame").1;
        let ours = ReplyScanner::default().scan(&bytes, &ReplyLimits::default());
        prop_assert_eq!(ours, Ok(Scan::Done(theirs)));
    }

    #[test]
    fn a_resp3_reply_is_as_long(frame in frames::resp3()) {
        let bytes = [frame.bytes(), b"+NEXT\r\n".to_vec()].concat();
        let theirs = resp3::decode::complete::decode(&bytes).expect("a frame").expect("a whole frame").1;
        let ours = ReplyScanner::default().scan(&bytes, &ReplyLimits::default());
        prop_assert_eq!(ours, Ok(Scan::Done(theirs)));
    }

    #[test]
    fn a_command_has_the_same_arguments(args in prop::collection::vec(frames::body(), 1..12)) {
        let mut bytes = Vec::new();
        write::command(&mut bytes, &args);
        let (frame, length) = resp2::decode::decode(&bytes).expect("a frame").expect("a whole frame");
        let resp2::types::OwnedFrame::Array(theirs) = frame else { panic!("{frame:?}") };
        let mut scanner = RequestScanner::default();
        prop_assert_eq!(scanner.scan(&bytes, &RequestLimits::default()), Ok(Scan::Done(length)));
        let ours = scanner.args().iter().map(|span| {
            resp2::types::OwnedFrame::BulkString(bytes[span.start as usize..span.end as usize].to_vec())
        });
        prop_assert!(ours.eq(theirs));
    }
}
