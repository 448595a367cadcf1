//! Addresses of the processes under test: how a free one is found, and whose it is.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a process listens; its text is what a nutcracker.yml says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A port of 127.0.0.1.
    Tcp(u16),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Whether the process `pid` itself listens here: a port that answers may be a stranger's.
    pub fn is_listened_on_by(&self, pid: u32) -> bool {
        // The tables of all sockets are long while another test has thousands of clients: they
        // are read only once there is something to find.
        let sockets = sockets_of(pid);
        if sockets.is_empty() {
            return false;
        }
        let inodes = match self {
            Address::Tcp(port) => tcp_listeners(pid, *port),
            Address::Unix(path) => unix_listeners(pid, &path.display().to_string()),
        };
        inodes.iter().any(|inode| sockets.contains(&format!("socket:[{inode}]")))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(port) => write!(f, "127.0.0.1:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A port of 127.0.0.1 that nobody listens on now.
///
/// Not one from the kernel's ephemeral range (32768 and up, what port 0 gives): there the local
/// end of any test's connection can take the port of a shard that is down for a moment, and a
/// proxy that reconnects to its dead shard can meet itself.
pub fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    let next =
        NEXT.get_or_init(|| AtomicU32::new(RandomState::new().build_hasher().finish() as u32));
    for _ in 0..PORTS {
        let offset = next.fetch_add(1, Ordering::Relaxed) % PORTS;
        let port = FIRST_PORT + offset as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}

const FIRST_PORT: u16 = 10_000;
const PORTS: u32 = 22_000;

/// Inodes of sockets that listen on `port`, as `/proc` lists them: those that listen come first,
/// and after them thousands of connections that a busy machine has or had.
fn tcp_listeners(pid: u32, port: u16) -> Vec<String> {
    let end = format!(":{port:04X}");
    let mut inodes = Vec::new();
    for table in ["tcp", "tcp6"] {
        let Ok(file) = File::open(format!("/proc/{pid}/net/{table}")) else { continue };
        for line in BufReader::new(file).lines().skip(1).map_while(Result::ok) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.len() <= 9 || fields[3] != TCP_LISTEN {
                break;
            }
            if fields[1].ends_with(&end) {
                inodes.push(fields[9].to_owned());
            }
        }
    }
    inodes
}

fn unix_listeners(pid: u32, path: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 7 && fields[7] == path && fields[3] == UNIX_ACCEPTS)
        .map(|fields| fields[6].to_owned())
        .collect()
}

const TCP_LISTEN: &str = "0A";
const UNIX_ACCEPTS: &str = "00010000";

fn sockets_of(pid: u32) -> Vec<String> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    let texts = targets.map(|target| target.display().to_string());
    texts.filter(|text| text.starts_with("socket:")).collect()
}
