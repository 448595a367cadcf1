//! A real redis-server to compare with.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use circlet::resp::Protocol;

use crate::frame::Frame;

/// A redis-server of our own; it ends with the value.
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts one on a free port and waits until it listens.
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--dir", std::env::temp_dir().to_str().unwrap()])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let server = Self { child, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("redis-server does not listen on {port}");
    }

    /// A connection that speaks `protocol`.
    pub fn connect(&self, protocol: Protocol) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut connection = Connection(BufReader::new(stream));
        if protocol == Protocol::Resp3 {
            connection.frame(&[b"HELLO".to_vec(), b"3".to_vec()]);
        }
        connection
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to it.
pub struct Connection(BufReader<TcpStream>);

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
