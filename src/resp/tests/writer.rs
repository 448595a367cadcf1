//! What circlet says itself, in both protocol versions.

use crate::resp::{Protocol, ReplyLimits, ReplyScanner, Scan, Writer};

type Say = fn(&mut Writer<'_>);

const SAID: [(Say, &str, &str); 21] = [
    (|w| w.simple("OK"), "+OK\r\n", "+OK\r\n"),
    (|w| w.simple("a\r\nb"), "+a  b\r\n", "+a  b\r\n"),
    (|w| w.error("ERR no\nway"), "-ERR no way\r\n", "-ERR no way\r\n"),
    (|w| w.integer(0), ":0\r\n", ":0\r\n"),
    (|w| w.integer(-42), ":-42\r\n", ":-42\r\n"),
    (|w| w.integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"),
    (|w| w.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n"),
    (|w| w.bulk(b"hello world"), "$11\r\nhello world\r\n", "$11\r\nhello world\r\n"),
    (|w| w.null(), "$-1\r\n", "_\r\n"),
    (|w| w.null_array(), "*-1\r\n", "_\r\n"),
    (|w| w.array(0), "*0\r\n", "*0\r\n"),
    (|w| w.map(0), "*0\r\n", "%0\r\n"),
    (|w| w.set(0), "*0\r\n", "~0\r\n"),
    (|w| w.push(0), "*0\r\n", ">0\r\n"),
    (|w| w.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
    (|w| w.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n"),
    (|w| w.double(1e300), "$5\r\n1e300\r\n", ",1e300\r\n"),
    (|w| w.double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n"),
    (|w| w.boolean(true), ":1\r\n", "#t\r\n"),
    (|w| w.verbatim("text"), "$4\r\ntext\r\n", "=8\r\ntxt:text\r\n"),
    (
        |w| w.big_number("-123456789012345678901234567890"),
        "$31\r\n-123456789012345678901234567890\r\n",
        "(-123456789012345678901234567890\r\n",
    ),
];

#[test]
fn a_reply_is_written_in_the_protocol_of_the_connection() {
    for (say, resp2, resp3) in SAID {
        assert_eq!(said(say, Protocol::Resp2), resp2);
        assert_eq!(said(say, Protocol::Resp3), resp3);
    }
}

#[test]
fn what_is_written_is_one_reply() {
    for (say, ..) in SAID {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let text = said(say, protocol);
            let scan = ReplyScanner::default().scan(text.as_bytes(), &ReplyLimits::default());
            assert_eq!(scan, Ok(Scan::Done(text.len())), "{text:?}");
        }
    }
}

#[test]
fn heads_count_what_follows() {
    let heads: Say = |w| {
        w.array(12);
        w.map(12);
        w.set(3);
        w.push(3);
    };
    assert_eq!(said(heads, Protocol::Resp2), "*12\r\n*24\r\n*3\r\n*3\r\n");
    assert_eq!(said(heads, Protocol::Resp3), "*12\r\n%12\r\n~3\r\n>3\r\n");
}

fn said(say: Say, protocol: Protocol) -> String {
    let mut out = Vec::new();
    say(&mut Writer::new(&mut out, protocol));
    String::from_utf8(out).expect("text")
}
