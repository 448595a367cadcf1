//! A real redis-server to compare with.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use circlet::resp::Protocol;
use tempfile::TempDir;

use crate::frame::Frame;

/// A redis-server of our own, on a socket in a directory of its own: tests that run at the same
/// time never meet. It ends with the value.
pub struct Server {
    child: Child,
    directory: TempDir,
}

impl Server {
    /// Starts one and waits until it listens.
    pub fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let child = Command::new("redis-server")
            .current_dir(directory.path())
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let server = Self { child, directory };
        for _ in 0..400 {
            if UnixStream::connect(server.socket()).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("redis-server does not listen on {:?}", server.socket());
    }

    /// A connection that speaks `protocol`.
    pub fn connect(&self, protocol: Protocol) -> Connection {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut connection = Connection(BufReader::new(stream));
        if protocol == Protocol::Resp3 {
            connection.frame(&[b"HELLO".to_vec(), b"3".to_vec()]);
        }
        connection
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to it.
pub struct Connection(BufReader<UnixStream>);

impl Connection {
    fn send(&mut self, args: &[Vec<u8>]) {
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            bytes.extend_from_slice(arg);
            bytes.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&bytes).unwrap();
    }

    /// The reply to `args`.
    pub fn frame(&mut self, args: &[Vec<u8>]) -> Frame {
        self.send(args);
        Frame::read(&mut self.0)
    }

    /// The first line of the reply, without its line end: all of an error.
    pub fn line(&mut self, args: &[Vec<u8>]) -> Vec<u8> {
        match self.frame(args) {
            Frame::Leaf(line) => line,
            aggregate => panic!("{aggregate:?}"),
        }
    }
}
