//! Listening addresses and servers, parsed from the right as twemproxy does.

use std::path::PathBuf;

use super::fault::Wrong;
use super::flags;
use super::model::{Address, Listen, Server};
use super::value::digits;

/// The port at which a server is named by its host alone, as libmemcached does.
const MEMCACHED_PORT: u16 = 11211;

/// `sun_path` holds 108 bytes, the last of them a zero.
const MAX_UNIX_PATH: usize = 107;

const LISTEN_FORM: &str = "write host:port, such as 127.0.0.1:22121, or an absolute path with optional permissions, \
     such as /run/circlet.sock 0660";

const SERVER_FORM: &str =
    "write host:port:weight [name] or /path/unix_socket:weight [name], such as 127.0.0.1:6379:1";

/// `host:port`, or `/path [permissions]`.
pub(crate) fn listen(text: &str) -> Result<Listen, Wrong> {
    if text.starts_with('/') {
        return listen_unix(text);
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(Wrong::new(format!("{text:?} has no port"), LISTEN_FORM));
    };
    let port = self::port(port)?;
    if host == "*" {
        let right = "write 0.0.0.0 for all IPv4 addresses, [::] for all IPv6 addresses too";
        return Err(Wrong::new("\"*\" is not an address", right));
    }
    Ok(Listen::Tcp { host: self::host(host, LISTEN_FORM)?, port })
}

/// `host:port`.
pub(crate) fn listen_tcp(text: &str) -> Result<Listen, Wrong> {
    match listen(text)? {
        Listen::Unix { .. } => {
            Err(Wrong::new(format!("{text:?} is a unix socket"), "write host:port"))
        }
        tcp => Ok(tcp),
    }
}

fn listen_unix(text: &str) -> Result<Listen, Wrong> {
    let (path, permissions) = match text.rsplit_once(' ') {
        Some((path, permissions)) => (path.trim_end(), Some(octal(permissions)?)),
        None => (text, None),
    };
    Ok(Listen::Unix { path: unix_path(path)?, permissions })
}

fn octal(text: &str) -> Result<u32, Wrong> {
    let valid = digits(text).and_then(|_| u32::from_str_radix(text, 8).ok());
    valid.filter(|bits| *bits <= 0o777).ok_or_else(|| {
        let wrong = format!("{text:?} is not a file permission");
        Wrong::new(wrong, "write octal digits from 0 to 0777 after the path, such as 0660")
    })
}

/// `host:port:weight [name]` or `/path/unix_socket:weight [name]`.
pub(crate) fn server(text: &str) -> Result<Server, Wrong> {
    let form = |wrong: String| Wrong::new(wrong, SERVER_FORM);
    let (place, alias) = match text.rsplit_once(' ') {
        Some((place, alias)) => (place, Some(alias)),
        None => (text, None),
    };
    if alias == Some("") {
        return Err(form(format!("{text:?} ends in a space where a name would be")));
    }
    let Some((address, weight)) = place.rsplit_once(':') else {
        return Err(form(format!("{text:?} is not a server")));
    };
    // Told apart from a weight that is wrong: the most frequent slip is to leave it out.
    let lacks_weight = !address.starts_with('/') && !address.contains(':');
    if lacks_weight {
        return Err(form(format!("{text:?} lacks a weight or a port")));
    }
    let weight = self::weight(weight)?;
    let (address, name) = if address.starts_with('/') {
        (Address::Unix(server_path(address)?), format!("{address}:"))
    } else {
        tcp_server(address)?
    };
    Ok(Server { name: alias.map_or(name, str::to_owned), address, weight, is_removed: false })
}

/// The path of a server's socket: twemproxy takes whatever is between colons for a port.
fn server_path(path: &str) -> Result<PathBuf, Wrong> {
    if path.contains(':') {
        let wrong = format!("the path {path:?} of a server holds a colon");
        return Err(Wrong::new(wrong, "name the socket without a colon"));
    }
    unix_path(path)
}

/// The address and the name it gives: as written, or the host alone at port 11211.
fn tcp_server(address: &str) -> Result<(Address, String), Wrong> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(Wrong::new(format!("{address:?} has no port"), SERVER_FORM));
    };
    let port = self::port(port)?;
    let name = if port == MEMCACHED_PORT { host } else { address };
    Ok((Address::Tcp { host: self::host(host, SERVER_FORM)?, port }, name.to_owned()))
}

/// The host without the brackets of an IPv6 address.
fn host(text: &str, form: &str) -> Result<String, Wrong> {
    let inner = match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').unwrap_or_default(),
        None => text,
    };
    let unfit = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '[' | ']' | '/');
    if inner.is_empty() || inner.contains(unfit) {
        return Err(Wrong::new(format!("{text:?} is not a host"), form));
    }
    if inner.contains(':') && inner.parse::<std::net::Ipv6Addr>().is_err() {
        return Err(Wrong::new(format!("{text:?} is neither a host nor an IPv6 address"), form));
    }
    Ok(inner.to_owned())
}

fn port(text: &str) -> Result<u16, Wrong> {
    let number = digits(text).flatten().and_then(|number| u16::try_from(number).ok());
    number.filter(|port| *port > 0).ok_or_else(|| {
        Wrong::new(format!("{text:?} is not a port"), "write a port from 1 to 65535")
    })
}

/// The largest weight that twemproxy's 32-bit arithmetic takes.
const MAX_WEIGHT: u64 = i32::MAX as u64;

fn weight(text: &str) -> Result<u32, Wrong> {
    let wrong = match digits(text).map(|number| number.unwrap_or(u64::MAX)) {
        Some(0) => "the weight is 0".to_owned(),
        Some(weight @ 1..=MAX_WEIGHT) => return Ok(weight as u32),
        Some(_) => format!("the weight {text} is too large"),
        None => format!("{text:?} is not a weight"),
    };
    let right = "write a weight from 1 to 2147483647 behind the last colon; to take a server out, \
                 remove its line";
    Err(Wrong::new(wrong, right))
}

fn unix_path(path: &str) -> Result<PathBuf, Wrong> {
    if path.len() > MAX_UNIX_PATH {
        let wrong = format!("the path {path:?} has {} bytes", path.len());
        return Err(Wrong::new(wrong, format!("use at most {MAX_UNIX_PATH} bytes")));
    }
    if path.contains('\0') {
        return Err(Wrong::new(format!("the path {path:?} holds a zero byte"), "remove it"));
    }
    Ok(PathBuf::from(path))
}

/// A server from the command line: the weight may be left out, IPv6 stands in brackets.
pub(crate) fn command_line_server(text: &str) -> Result<Server, Wrong> {
    let place = text.split(' ').next().unwrap_or(text);
    let after_host = place.rfind(']').map_or(place, |bracket| &place[bracket..]);
    let colons = after_host.matches(':').count();
    let complete = if place.starts_with('/') { colons >= 1 } else { colons >= 2 };
    if colons == 0 && !place.starts_with('/') {
        let right = format!("write HOST:PORT, or one of the commands {}", flags::commands());
        return Err(Wrong::new(format!("{text:?} is not a server"), right));
    }
    if colons > 2 {
        let wrong = format!("{text:?} is not a server");
        return Err(Wrong::new(wrong, "write an IPv6 address in brackets, such as [::1]:6379"));
    }
    if complete { server(text) } else { server(&format!("{place}:1{}", &text[place.len()..])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }

    #[test]
    fn servers_are_named_as_twemproxy_names_them() {
        let cases = [
            ("127.0.0.1:6379:1", "127.0.0.1:6379", tcp("127.0.0.1", 6379)),
            ("127.0.0.1:6379:1 one", "one", tcp("127.0.0.1", 6379)),
            ("cache:11211:1", "cache", tcp("cache", 11211)),
            ("cache:011211:1", "cache", tcp("cache", 11211)),
            ("cache:06379:1", "cache:06379", tcp("cache", 6379)),
            ("a:1:1 x:1", "x:1", tcp("a", 1)),
            ("::1:6379:1", "::1:6379", tcp("::1", 6379)),
            ("[::1]:6379:1", "[::1]:6379", tcp("::1", 6379)),
            ("[::1]:11211:1", "[::1]", tcp("::1", 11211)),
            ("/tmp/r.sock:1", "/tmp/r.sock:", Address::Unix("/tmp/r.sock".into())),
            ("/tmp/a b:7 r", "r", Address::Unix("/tmp/a b".into())),
            ("/tmp/r.sock:7 r", "r", Address::Unix("/tmp/r.sock".into())),
        ];
        for (text, name, address) in cases {
            let server = server(text).unwrap();
            assert_eq!((server.name.as_str(), &server.address), (name, &address), "{text}");
        }
    }

    #[test]
    fn servers_that_do_not_do() {
        let cases = [
            ("a:1:0", "the weight is 0"),
            ("a:1:-1", "\"-1\" is not a weight"),
            ("a:1:99999999999", "the weight 99999999999 is too large"),
            ("a:1", "\"a:1\" lacks a weight or a port"),
            ("a:0:1", "\"0\" is not a port"),
            ("a:70000:1", "\"70000\" is not a port"),
            (":1:1", "\"\" is not a host"),
            ("a:1:1  x", "\"1 \" is not a weight"),
            ("a:1:1 ", "\"a:1:1 \" ends in a space where a name would be"),
            ("/tmp/x:y.sock:1", "the path \"/tmp/x:y.sock\" of a server holds a colon"),
            ("./x.sock:1", "\"./x.sock:1\" lacks a weight or a port"),
            ("[::1:6379:1", "\"[::1\" is not a host"),
            ("gg::1:6379:1", "\"gg::1\" is neither a host nor an IPv6 address"),
        ];
        for (text, wrong) in cases {
            assert_eq!(server(text).unwrap_err().wrong, wrong, "{text}");
        }
    }

    #[test]
    fn listening_on_tcp_and_unix() {
        let tcp = |host: &str, port| Listen::Tcp { host: host.into(), port };
        let unix = |path: &str, permissions| Listen::Unix { path: path.into(), permissions };
        assert_eq!(listen("0.0.0.0:22121"), Ok(tcp("0.0.0.0", 22121)));
        assert_eq!(listen("[::]:22121"), Ok(tcp("::", 22121)));
        assert_eq!(listen("/tmp/a.sock"), Ok(unix("/tmp/a.sock", None)));
        assert_eq!(listen("/tmp/a.sock 0660"), Ok(unix("/tmp/a.sock", Some(0o660))));
        assert_eq!(listen("/tmp/a.sock 666"), Ok(unix("/tmp/a.sock", Some(0o666))));
        let long = format!("/{}", "x".repeat(107));
        let refused = ["127.0.0.1", "127.0.0.1:0", ":22121", "*:22121", "a b:1", "/tmp/a 1777"];
        for text in refused.into_iter().chain(["/tmp/a 0888", "/tmp/a rw", "/tmp/a +7", &long]) {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_may_leave_out_the_weight() {
        let name = |text| command_line_server(text).map(|server| (server.name, server.weight));
        assert_eq!(name("h:6379"), Ok(("h:6379".into(), 1)));
        assert_eq!(name("h:6379:3"), Ok(("h:6379".into(), 3)));
        assert_eq!(name("h:6379 one"), Ok(("one".into(), 1)));
        assert_eq!(name("[::1]:6379"), Ok(("[::1]:6379".into(), 1)));
        assert_eq!(name("/tmp/r.sock"), Ok(("/tmp/r.sock:".into(), 1)));
        assert_eq!(name("/tmp/r.sock:2"), Ok(("/tmp/r.sock:".into(), 2)));
        assert!(name("::1:6379").is_err());
        assert!(name("h").is_err());
    }
}
