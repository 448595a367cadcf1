//! A visitor of the admin address, as small as HTTP allows.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{PATIENCE, eventually};

/// What the admin address answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// 200 and its kind.
    pub status: u16,
    /// The header, as it came.
    pub header: String,
    /// What follows the header.
    pub body: String,
}

/// GETs `path` from 127.0.0.1.
#[track_caller]
pub fn get(port: u16, path: &str) -> Page {
    ask(port, "GET", path, "")
}

/// Asks for `path` with any method and further header lines, each ended by `\r\n`.
#[track_caller]
pub fn ask(port: u16, method: &str, path: &str, lines: &str) -> Page {
    ask_as(port, &format!("127.0.0.1:{port}"), method, path, lines)
}

/// As [`ask`], of an address that is called `host`.
#[track_caller]
pub fn ask_as(port: u16, host: &str, method: &str, path: &str, lines: &str) -> Page {
    let mut connected = None;
    eventually("the admin address accepts", || {
        connected = TcpStream::connect(("127.0.0.1", port)).ok();
        connected.is_some()
    });
    let mut stream = connected.expect("it did");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{lines}\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("the admin address reads");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the admin address answers");
    let text = String::from_utf8(bytes).expect("the admin address speaks UTF-8");
    let (header, body) = text.split_once("\r\n\r\n").expect("a header and a body");
    let status = header.split(' ').nth(1).and_then(|digits| digits.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status: {header}"));
    Page { status, header: header.to_owned(), body: body.to_owned() }
}
