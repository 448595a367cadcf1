//! The same bytes to a real redis-server: the same error text, the same words of a line.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::resp::reply::elements;
use crate::resp::{
    ProtocolError, ReplyLimits, ReplyScanner, RequestLimits, RequestScanner, Scan, inline, number,
};

/// One byte more or less decides each of these.
const WRONG: [&str; 26] = [
    "*x\r\n",
    "*\r\n",
    "* 1\r\n",
    "*+1\r\n",
    "*01\r\n",
    "*-0\r\n",
    "*1a\r\n",
    "*2147483648\r\n",
    "*9223372036854775808\r\n",
    "*1\r\n$\r\n",
    "*1\r\n$-1\r\n",
    "*1\r\n$-5\r\n",
    "*1\r\n$04\r\nPING\r\n",
    "*1\r\n$+4\r\nPING\r\n",
    "*1\r\n$4 \r\nPING\r\n",
    "*1\r\n$x\r\n",
    "*1\r\n$536870913\r\n",
    "*1\r\n:4\r\n",
    "*1\r\nPING\r\n",
    "*1\r\n\r\n",
    "*1\r\n\n\r\n",
    "*2\r\n$4\r\nECHO\r\n!1\r\n",
    "ECHO \"a\r\n",
    "ECHO 'a\r\n",
    "ECHO \"a\"b\r\n",
    "\"\"\"\"\r\n",
];

const PING: &str = "*1\r\n$4\r\nPING\r\n";

#[test]
fn errors_are_those_of_redis_to_the_letter() {
    let redis = Redis::start();
    let endless = |start: &str| format!("{start}{}", "1".repeat(70_000));
    let long = [endless("*"), endless("*1\r\n$"), endless("*1\r\n"), endless("PING ")];
    for bytes in WRONG.into_iter().map(str::to_owned).chain(long) {
        let ours = refusal(bytes.as_bytes()).expect("an error").to_string();
        let theirs = redis.last_words(bytes.as_bytes());
        assert_eq!(theirs, format!("-ERR {ours}\r\n"), "{}", bytes.escape_debug());
    }
}

#[test]
fn whatever_redis_takes_is_taken_and_the_rest_refused_alike() {
    let redis = Redis::start();
    let piece = "\\*[0-3]\r\n|\\$[0-3]\r\n|[$*][0-9+ -]{1,2}\r\n|[a-c]{0,3}\r\n|\r\n|[:\"' a]";
    check(400, &format!("({piece}){{1,8}}"), |bytes| {
        let end = format!("{bytes}\r\n{PING}");
        match fate(end.as_bytes()) {
            Fate::Refused(error) => {
                let theirs = redis.last_words(end.as_bytes());
                let ours = format!("-ERR {error}\r\n");
                prop_assert!(theirs.ends_with(&ours), "{} not {}", theirs, ours);
            }
            Fate::Taken => prop_assert_eq!(redis.until_pong(end.as_bytes()), "+PONG\r\n"),
            // Redis waits for more, or has skipped over what is no line end; nothing to compare.
            Fate::Unfinished | Fate::Swallowed | Fate::Stricter => {}
        }
        Ok(())
    });
}

#[test]
fn a_line_has_the_words_that_redis_sees() {
    let redis = Redis::start();
    check(
        400,
        "([a-c]|[ \t\x0b\x0c\r]|[\"']|\\\\[xntrba\"'\\\\]|\\\\x[0-9a-gA-G]{1,2}|\u{e9}){0,12}",
        |words| {
            let line = format!("EVAL 'return ARGV' 0 {words}\r\n");
            let mut ours = Vec::new();
            match inline::encode(line.as_bytes(), &mut ours) {
                Err(error) => {
                    prop_assert_eq!(redis.last_words(line.as_bytes()), format!("-ERR {error}\r\n"));
                }
                Ok(()) => {
                    let seen = redis.ask(line.as_bytes());
                    let words = elements(&ours).expect("a command").skip(3);
                    prop_assert!(elements(&seen).expect("an array").eq(words));
                }
            }
            Ok(())
        },
    );
}

#[test]
fn numbers_are_those_of_redis() {
    let redis = Redis::start();
    check(200, "[-+ ]?[0-9]{0,20}", |text| {
        let bytes = format!("*{text}\r\n{PING}");
        match number::parse(text.as_bytes()) {
            Some(count) if count <= 0 => {
                prop_assert_eq!(redis.until_pong(bytes.as_bytes()), "+PONG\r\n");
            }
            Some(count) if count <= i64::from(i32::MAX) => {}
            _ => prop_assert_eq!(
                redis.last_words(bytes.as_bytes()),
                "-ERR Protocol error: invalid multibulk length\r\n"
            ),
        }
        Ok(())
    });
}

fn check(cases: u32, pattern: &str, test: impl Fn(String) -> Result<(), TestCaseError>) {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let strategy = proptest::string::string_regex(pattern).expect("a pattern");
    runner.run(&strategy, test).unwrap_or_else(|failure| panic!("{failure}"));
}

/// What becomes of `bytes`, command after command.
enum Fate {
    /// All of it, a PING last.
    Taken,
    /// All of it, the end of the PING as an argument of the last command.
    Swallowed,
    Unfinished,
    Refused(ProtocolError),
    /// Refused for a line end that Redis does not look at.
    Stricter,
}

fn fate(mut bytes: &[u8]) -> Fate {
    let mut scanner = RequestScanner::default();
    let mut fate = Fate::Swallowed;
    while !bytes.is_empty() {
        scanner.reset();
        match scanner.scan(bytes, &RequestLimits::default()) {
            Ok(Scan::More(_)) => return Fate::Unfinished,
            Ok(Scan::Done(length)) => {
                let line = &bytes[..length];
                if scanner.is_inline()
                    && let Err(error) = inline::encode(line, &mut Vec::new())
                {
                    return Fate::Refused(error);
                }
                fate = if line == PING.as_bytes() { Fate::Taken } else { Fate::Swallowed };
                bytes = &bytes[length..];
            }
            Err(ProtocolError::ExpectedLineEnd) => return Fate::Stricter,
            Err(error) => return Fate::Refused(error),
        }
    }
    fate
}

fn refusal(bytes: &[u8]) -> Option<ProtocolError> {
    match fate(bytes) {
        Fate::Refused(error) => Some(error),
        _ => None,
    }
}

/// A redis-server on a free port that dies with this value.
struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir", "/tmp"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let redis = Self { process, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        redis
    }

    fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // Redis may have closed before the end of a long one.
        let _ = stream.write_all(bytes);
        stream
    }

    /// All that Redis says until it closes the connection.
    fn last_words(&self, bytes: &[u8]) -> String {
        let mut said = Vec::new();
        let mut stream = self.send(bytes);
        let mut buffer = [0; 4096];
        // A reset, too, is an end: bytes were left unread.
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            said.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    /// What Redis says last of all, the connection staying open.
    fn until_pong(&self, bytes: &[u8]) -> String {
        let mut said = Vec::new();
        let mut stream = self.send(bytes);
        let mut buffer = [0; 4096];
        while !said.ends_with(b"+PONG\r\n") {
            match stream.read(&mut buffer) {
                Ok(count @ 1..) => said.extend_from_slice(&buffer[..count]),
                other => panic!("{other:?} after {}", said.escape_ascii()),
            }
        }
        String::from_utf8_lossy(&said[said.len() - 7..]).into_owned()
    }

    /// The one reply to one command.
    fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.send(bytes);
        let mut said = Vec::new();
        let mut scanner = ReplyScanner::default();
        let mut buffer = [0; 4096];
        while !matches!(scanner.scan(&said, &ReplyLimits::default()), Ok(Scan::Done(_))) {
            let count = stream.read(&mut buffer).expect("an answer in time");
            assert!(count > 0, "closed after {}", said.escape_ascii());
            said.extend_from_slice(&buffer[..count]);
        }
        said
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
