//! Clients that count up keys of their own without a pause, and know at the end how often.
//!
//! They do as libraries do: before a command they look whether the connection was closed, and
//! connect anew if so. A connection that cannot be made, or that ends while a reply is due, is a
//! failure.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use rustix::net::{RecvFlags, recv};

use crate::harness::{Address, PATIENCE, Reply, encode, read_reply};

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Commands in one write.
    pub pipeline: usize,
    /// Rounds on one connection; then it connects anew.
    pub rounds: usize,
    /// Rest between rounds.
    pub rest: Duration,
}

/// All kinds: who connects for each command, who keeps a connection, who rests, who sends hundreds of
/// commands at a time.
pub fn all_manners() -> Vec<Manner> {
    let rest = Duration::from_millis(7);
    vec![
        Manner { pipeline: 1, rounds: 1, rest: Duration::from_millis(1) },
        Manner { pipeline: 1, rounds: usize::MAX, rest: Duration::ZERO },
        Manner { pipeline: 1, rounds: usize::MAX, rest },
        Manner { pipeline: 300, rounds: usize::MAX, rest: Duration::ZERO },
        Manner { pipeline: 40, rounds: 3, rest },
    ]
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Told>>,
}

/// What a client tells at the end.
#[derive(Debug)]
pub struct Told {
    /// Its key.
    pub key: String,
    /// Commands that were acknowledged.
    pub counted: i64,
    /// Connections that it found closed between commands.
    pub closed: usize,
    /// What must not happen.
    pub failures: Vec<String>,
}

impl Load {
    /// A client of each manner at each address.
    pub fn start(addresses: &[Address], manners: &[Manner]) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = Vec::new();
        for (place, address) in addresses.iter().enumerate() {
            for (index, &manner) in manners.iter().enumerate() {
                let (stop, address) = (Arc::clone(&stop), address.clone());
                let key = format!("counter:{place}:{index}");
                clients.push(spawn(move || work(&address, manner, key, &stop)));
            }
        }
        Load { stop, clients }
    }

    /// Ends it.
    pub fn stop(self) -> Vec<Told> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().expect("it does not panic")).collect()
    }
}

fn work(address: &Address, manner: Manner, key: String, stop: &AtomicBool) -> Told {
    let mut told = Told { key, counted: 0, closed: 0, failures: Vec::new() };
    while !stop.load(Ordering::Relaxed) && told.failures.len() < 5 {
        match Connection::open(address) {
            Ok(connection) => visit(connection, manner, &mut told, stop),
            Err(error) => told.failures.push(format!("connect {address}: {error}")),
        }
    }
    told
}

fn visit(mut connection: Connection, manner: Manner, told: &mut Told, stop: &AtomicBool) {
    let command = encode(&["INCR", &told.key]);
    let commands = command.repeat(manner.pipeline);
    for _ in 0..manner.rounds {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if connection.is_closed() {
            told.closed += 1;
            return;
        }
        match connection.stream.get_mut().write_all(&commands) {
            Ok(()) => {}
            // A unix socket says so at once; nothing was sent.
            Err(error) if connection.is_unix && error.kind() == io::ErrorKind::BrokenPipe => {
                told.closed += 1;
                return;
            }
            Err(error) => return told.failures.push(format!("{manner:?}, sending: {error}")),
        }
        for place in 0..manner.pipeline {
            match read_reply(&mut connection.stream, &mut Vec::new()) {
                Ok(Reply::Integer(_)) => told.counted += 1,
                other => {
                    told.failures.push(format!("{manner:?}, reply {place}: {other:?}"));
                    return;
                }
            }
        }
        sleep(manner.rest);
    }
}

struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    is_unix: bool,
}

trait Stream: io::Read + Write {
    fn is_closed(&self) -> bool;
}

impl<T: io::Read + Write + AsFd> Stream for T {
    fn is_closed(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match recv(self, &mut [0; 1], flags) {
            Ok((_, count)) => count == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }
}

impl Connection {
    fn open(address: &Address) -> io::Result<Connection> {
        let (stream, is_unix): (Box<dyn Stream>, bool) = match address {
            Address::Tcp(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                (Box::new(stream), false)
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                (Box::new(stream), true)
            }
        };
        Ok(Connection { stream: BufReader::new(stream), is_unix })
    }

    fn is_closed(&self) -> bool {
        self.stream.get_ref().is_closed()
    }
}
