//! Shards that send what no shard should, or nothing: what the clients see, who is spared, and
//! that circlet lives on.

mod absent;
mod fleet;
mod replies;
mod types;

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::{Reply, encode};
use fleet::{Fleet, bad, expect_error, keys};

/// Answers of a link's connection, each in turn, and what clients then read.
#[track_caller]
fn fail_their_requests(settings: &str, answers: &[(&[u8], &str)]) {
    let mut fleet: Option<Fleet> = None;
    for (answer, why) in answers {
        let answer = answer.to_vec();
        let fake = bad(1, move |mut link, _| {
            link.send(&answer);
            link.keep_silent();
        });
        let mut next = match fleet.take() {
            Some(fleet) => fleet.again(&fake, settings),
            None => Fleet::over(&fake, settings),
        };
        let mut client = next.circlet.client();
        next.expect_bad_keys_fail(&mut client, &["ERR Invalid argument", why]);
        next.expect_recovery(&mut client);
        fleet = Some(next);
    }
}

#[test]
fn garbage() {
    let answers: [(&[u8], &str); 7] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot start with byte 0x48"),
        (b"$x\r\n", "invalid length after '$'"),
        (b"$-2\r\n", "invalid length after '$'"),
        (b":12a\r\n", "invalid value after ':'"),
        (b"+a\rb\r\n", "a CR or LF that does not end it"),
        (b"$2\r\nabcd\r\n", "not followed by CRLF"),
        (b"\0\0\0\0\r\n", "cannot start with byte 0x00"),
    ];
    fail_their_requests("", &answers);
}

#[test]
fn a_reply_larger_than_max_reply() {
    // Element by element, without having said how large it will be.
    let elements = "*10000\r\n".to_owned() + &"$20\r\n01234567890123456789\r\n".repeat(9_000);
    let why = "larger than 102400 bytes";
    let answers: [(&[u8], &str); 3] =
        [(b"$200000\r\n", why), (b"*200000\r\n", why), (elements.as_bytes(), why)];
    fail_their_requests("max_reply: 100kb", &answers);
}

#[test]
fn a_reply_larger_than_the_memory() {
    let why = "larger than 1073741824 bytes";
    let answers: [(&[u8], &str); 2] =
        [(b"$9000000000000000000\r\n", why), (b"*9000000000000000000\r\n", why)];
    fail_their_requests("", &answers);
}

#[test]
fn a_reply_nested_too_deeply() {
    fail_their_requests("max_nesting: 8", &[(&b"*1\r\n".repeat(9), "deeper than 8 levels")]);
    fail_their_requests("", &[(&b"*1\r\n".repeat(100_000), "deeper than 8192 levels")]);
}

#[test]
fn an_endless_line() {
    let fake = bad(1, |mut link, _| {
        link.send("+");
        link.send_endlessly(&[b'a'; 4096]);
    });
    let mut fleet = Fleet::over(&fake, "");
    let mut client = fleet.circlet.client();
    fleet.expect_bad_keys_fail(&mut client, &["ERR Invalid argument", "longer than 65536 bytes"]);
    fleet.expect_recovery(&mut client);
}

#[test]
fn half_a_reply_then_silence_with_a_timeout() {
    for half in ["$100\r\nhalf", "$100", "*2\r\n$1\r\na\r\n", ""] {
        let fake = bad(1, move |mut link, _| {
            link.send(half);
            link.keep_silent();
        });
        let mut fleet = Fleet::over(&fake, "timeout: 800");
        let mut client = fleet.circlet.client();
        let asked = Instant::now();
        fleet.expect_bad_keys_fail(&mut client, &["ERR Connection timed out", "within timeout"]);
        assert!(asked.elapsed() >= Duration::from_millis(800), "{half:?}: {:?}", asked.elapsed());
        fleet.expect_recovery(&mut client);
    }
}

#[test]
fn half_a_reply_then_silence_without_a_timeout() {
    let fake = bad(1, |mut link, _| {
        link.send("$100\r\nhalf");
        sleep(Duration::from_millis(1_500));
    });
    let mut fleet = Fleet::over(&fake, "");
    let (mut waiting, mut other) = (fleet.circlet.client(), fleet.circlet.client());
    waiting.send(&encode(&["GET", &keys().bad]));
    waiting.expect_silence(Duration::from_millis(300));
    assert_eq!(other.command(&["SET", &keys().one, "1"]), Reply::ok(), "others go on");
    expect_error(&waiting.read_reply(), &["ERR unknown", "closed the link"]);
    fleet.expect_recovery(&mut waiting);
}

#[test]
fn closed_or_reset_in_mid_reply() {
    for reset in [false, true] {
        let fake = bad(1, move |mut link, _| {
            link.send("$100\r\nhalf");
            sleep(Duration::from_millis(50));
            if reset {
                link.reset();
            }
        });
        let mut fleet = Fleet::over(&fake, "");
        let mut client = fleet.circlet.client();
        let why = if reset { "ERR Connection reset by peer" } else { "closed the link" };
        fleet.expect_bad_keys_fail(&mut client, &[why]);
        fleet.expect_recovery(&mut client);
    }
}

/// Only what is in flight on the link fails: what was answered before is answered.
#[test]
fn closed_after_some_replies() {
    let fake = bad(1, |mut link, _| {
        for number in 0..10 {
            link.send(format!(":{number}\r\n"));
            link.read_command();
        }
    });
    let mut fleet = Fleet::over(&fake, "");
    let mut client = fleet.circlet.client();
    let gets: Vec<Vec<&str>> = vec![vec!["GET", &keys().bad]; 30];
    for (number, reply) in client.pipeline(&gets).iter().enumerate() {
        match number {
            0..10 => assert_eq!(reply.integer(), number as i64),
            _ => expect_error(reply, &["ERR unknown", "closed the link"]),
        }
    }
    fleet.expect_recovery(&mut client);
}
