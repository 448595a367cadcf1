//! What a shard's answer to a heartbeat is worth, as a person would judge it.
//!
//! | answer | judged | because |
//! |---|---|---|
//! | `+PONG` | good | |
//! | `-NOPERM` | good | alive, past the password; only PING is not allowed to this user |
//! | `-NOAUTH` | locked | alive, and past the password for clients that say theirs (`auth: shard`) |
//! | `-LOADING`, `-MASTERDOWN`, `-WRONGPASS`, `-NOAUTH` where circlet should have said the password, other errors | refusal | alive, but every request would get this error |
//! | `-BUSY` | busy | alive, in a slow script that may end any moment: given more time |
//! | nothing in time, a closed or refused connection, not RESP | failure | nobody there, or nobody to be trusted |

use bytes::Bytes;
use redis_protocol::resp2::decode::decode_bytes;
use redis_protocol::resp2::types::BytesFrame;

/// A heartbeat's outcome. The texts are for a person and hold no CR or LF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The shard serves.
    Good,
    /// The shard serves whoever says a password, which is the clients' to do.
    Locked,
    /// The shard is alive and answers at once, with an error instead of its service.
    Refusal(String),
    /// The shard is alive and in the middle of a script (`-BUSY`).
    Busy(String),
    /// No answer, or one that is not Redis's.
    Failure(String),
}

/// Whose the shard's password is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// circlet's, and it has said it.
    Said,
    /// circlet's, and it has none.
    Missing,
    /// The clients' (`auth: shard`).
    OfClients,
}

/// Judges the reply to PING: one line with its CRLF.
pub fn to_ping(line: &[u8], password: Password) -> Answer {
    match simple_reply(line) {
        Ok(BytesFrame::SimpleString(text)) if text[..] == *b"PONG" => Answer::Good,
        Ok(BytesFrame::Error(text))
            if password == Password::OfClients && text.starts_with("NOAUTH") =>
        {
            Answer::Locked
        }
        Ok(BytesFrame::Error(text)) => refusal(&text, password),
        _ => garbage(line),
    }
}

/// Judges the reply to AUTH: `None` when there is nothing against going on to PING.
pub fn to_auth(line: &[u8]) -> Option<Answer> {
    match simple_reply(line) {
        Ok(BytesFrame::SimpleString(text)) if text[..] == *b"OK" => None,
        // A shard without a password serves us as well as one with: not worth its keys.
        Ok(BytesFrame::Error(text)) if wants_no_password(&text) => None,
        Ok(BytesFrame::Error(text)) => Some(refusal(&text, Password::Said)),
        _ => Some(garbage(line)),
    }
}

fn refusal(text: &str, password: Password) -> Answer {
    let advice = match text.split(' ').next().unwrap_or_default() {
        "NOPERM" => return Answer::Good,
        "BUSY" => return Answer::Busy("running a script past its time limit (BUSY)".into()),
        "LOADING" => "loading its dataset (LOADING)",
        "MASTERDOWN" => "a replica without its master (MASTERDOWN)",
        "NOAUTH" if password == Password::Missing => {
            "wants a password and the pool has none: set redis_auth to the shard's requirepass \
             (NOAUTH)"
        }
        "WRONGPASS" => WRONG_PASSWORD,
        // Redis before 6.
        "ERR" if text == "ERR invalid password" => WRONG_PASSWORD,
        _ => return Answer::Refusal(format!("answered -{}", printable(text.as_bytes()))),
    };
    Answer::Refusal(advice.into())
}

/// Redis 6 and later, then older ones.
fn wants_no_password(text: &str) -> bool {
    text.starts_with("ERR AUTH <password> called without any password")
        || text.starts_with("ERR Client sent AUTH, but no password is set")
}

fn garbage(line: &[u8]) -> Answer {
    Answer::Failure(format!("answered garbage: \"{}\"", printable(line.trim_ascii_end())))
}

/// Only a simple string or an error reaches the decoder: frames of one line, without nesting.
fn simple_reply(line: &[u8]) -> Result<BytesFrame, ()> {
    match line.first() {
        Some(b'+' | b'-') => {}
        _ => return Err(()),
    }
    match decode_bytes(&Bytes::copy_from_slice(line)) {
        Ok(Some((frame, used))) if used == line.len() => Ok(frame),
        _ => Err(()),
    }
}

/// A peer's bytes for a log line or an error reply: escaped and cut.
pub(super) fn printable(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let dots = if cut.len() < bytes.len() { "…" } else { "" };
    let text = String::from_utf8_lossy(cut);
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(escape).collect::<String>() + dots
}

/// How much of a peer's text a message shows: Redis's longest common errors fit.
const SHOWN_BYTES: usize = 160;

const WRONG_PASSWORD: &str =
    "refuses the pool's password: set redis_auth to the shard's requirepass (WRONGPASS)";

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        match to_ping(line.as_bytes(), Password::Missing) {
            Answer::Refusal(text) => text,
            other => panic!("{line:?} judged {other:?}"),
        }
    }

    #[test]
    fn pong_is_good_and_so_is_a_shard_that_only_forbids_ping() {
        assert_eq!(to_ping(b"+PONG\r\n", Password::Missing), Answer::Good);
        let noperm = b"-NOPERM this user has no permissions to run the 'ping' command\r\n";
        assert_eq!(to_ping(noperm, Password::Said), Answer::Good);
    }

    #[test]
    fn an_error_is_an_answer_but_no_success() {
        assert!(refused("-LOADING Redis is loading the dataset in memory\r\n").contains("loading"));
        assert!(refused("-MASTERDOWN Link with MASTER is down\r\n").contains("without its master"));
        assert!(refused("-NOAUTH Authentication required.\r\n").contains("set redis_auth"));
        assert!(refused("-WRONGPASS invalid username-password pair\r\n").contains("redis_auth"));
        let full = refused("-ERR max number of clients reached\r\n");
        assert_eq!(full, "answered -ERR max number of clients reached");
        assert!(refused("-DENIED Redis is running in protected mode\r\n").contains("-DENIED"));
    }

    #[test]
    fn a_shard_whose_password_the_clients_say_is_alive_without_it() {
        let noauth = b"-NOAUTH Authentication required.\r\n";
        assert_eq!(to_ping(noauth, Password::OfClients), Answer::Locked);
        assert!(matches!(to_ping(noauth, Password::Said), Answer::Refusal(_)));
        let loading = b"-LOADING Redis is loading the dataset in memory\r\n";
        assert!(matches!(to_ping(loading, Password::OfClients), Answer::Refusal(_)));
    }

    #[test]
    fn busy_is_its_own_case_and_busykey_is_not_busy() {
        let busy = b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL\r\n";
        assert!(matches!(to_ping(busy, Password::Missing), Answer::Busy(_)));
        assert!(refused("-BUSYKEY Target key name already exists.\r\n").contains("BUSYKEY"));
    }

    #[test]
    fn what_is_not_a_reply_to_ping_is_a_failure() {
        for line in [
            &b"+OK\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\n",
            b":1\r\n",
            b"*1\r\n",
            b"+PONG\n",
            b"-\xff\xfe\r\n",
            b"\r\n",
        ] {
            assert!(matches!(to_ping(line, Password::Missing), Answer::Failure(_)), "{line:?}");
        }
    }

    #[test]
    fn a_superfluous_password_does_no_harm_and_a_wrong_one_is_explained() {
        assert_eq!(to_auth(b"+OK\r\n"), None);
        assert_eq!(to_auth(b"-ERR Client sent AUTH, but no password is set\r\n"), None);
        let open = b"-ERR AUTH <password> called without any password configured for the default \
                     user. Are you sure your configuration is correct?\r\n";
        assert_eq!(to_auth(open), None);
        let wrong = Some(Answer::Refusal(WRONG_PASSWORD.into()));
        assert_eq!(to_auth(b"-WRONGPASS invalid username-password pair\r\n"), wrong);
        assert_eq!(to_auth(b"-ERR invalid password\r\n"), wrong);
        assert!(matches!(to_auth(b"+PONG\r\n"), Some(Answer::Failure(_))));
    }

    #[test]
    fn a_peers_text_cannot_break_a_line_nor_fill_the_log() {
        let shown = printable(&b"a\r\n\x1b[31m\0".repeat(100));
        assert!(!shown.contains(|c: char| c.is_control()), "{shown}");
        assert!(shown.len() < SHOWN_BYTES * 8 && shown.ends_with('…'));
    }
}
