//! A shard that does what a real one cannot be made to do: its behaviour is a closure.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use rustix::net::sockopt::set_socket_linger;

use super::{Address, wire};

/// A listener whose every connection is handed to a script, on a thread of its own.
///
/// ```ignore
/// // Answers the first command with one reply too many, everything else as a shard would.
/// let fake = FakeShard::start(|mut link| {
///     link.read_command();
///     link.send(b"+OK\r\n+SURPLUS\r\n");
///     link.serve(honest);
/// });
/// ```
#[derive(Debug)]
pub struct FakeShard {
    port: u16,
    desk: Arc<Desk>,
    acceptor: Option<JoinHandle<()>>,
}

impl FakeShard {
    /// Starts to accept; a script returns to close its connection.
    pub fn start(script: impl Fn(FakeConnection) + Send + Sync + 'static) -> FakeShard {
        let listener = listen();
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let desk = Arc::new(Desk::default());
        let shared = Arc::clone(&desk);
        let acceptor = std::thread::spawn(move || accept(&listener, &shared, script));
        FakeShard { port, desk, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::Tcp(self.port)
    }

    /// A line of a pool's `servers`.
    pub fn server(&self, weight: u32, name: Option<&str>) -> String {
        let name = name.map_or(String::new(), |name| format!(" {name}"));
        format!("{}:{weight}{name}", self.address())
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.desk.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for FakeShard {
    fn drop(&mut self) {
        self.desk.ended.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees the flag.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for connection in self.desk.open().values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// What the acceptor, the scripts' threads and the owner share.
#[derive(Debug, Default)]
struct Desk {
    ended: AtomicBool,
    accepted: AtomicUsize,
    open: Mutex<HashMap<usize, TcpStream>>,
}

impl Desk {
    fn open(&self) -> MutexGuard<'_, HashMap<usize, TcpStream>> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// One connection to a [`FakeShard`], in the hands of its script.
pub struct FakeConnection {
    /// How many connections came before this one.
    pub number: usize,
    stream: BufReader<TcpStream>,
}

impl FakeConnection {
    /// The next command; `None` when the other side closed.
    pub fn read_command(&mut self) -> Option<Vec<Vec<u8>>> {
        wire::read_command(&mut self.stream).ok()
    }

    /// Sends bytes, whatever they are; whether the other side still took them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Answers every command with what `answer` makes of it, until the other side closes.
    pub fn serve(&mut self, mut answer: impl FnMut(&[Vec<u8>]) -> Vec<u8>) {
        while let Some(command) = self.read_command() {
            if !self.send(answer(&command)) {
                return;
            }
        }
    }

    /// Sends `bytes` again and again until the other side has had enough; how many it took.
    pub fn send_endlessly(&mut self, bytes: &[u8]) -> u64 {
        let mut taken = 0;
        while self.send(bytes) {
            taken += bytes.len() as u64;
        }
        taken
    }

    /// Reads and says nothing until the other side closes.
    pub fn keep_silent(&mut self) {
        let _ = io::copy(&mut self.stream.by_ref(), &mut io::sink());
    }

    /// Resets the connection (RST, not FIN).
    pub fn reset(self) {
        let stream = self.stream.get_ref();
        set_socket_linger(stream, Some(std::time::Duration::ZERO)).expect("a TCP socket");
    }
}

/// What a healthy, empty shard would say: enough for handshakes and heartbeats.
pub fn honest(command: &[Vec<u8>]) -> Vec<u8> {
    match command[0].to_ascii_uppercase().as_slice() {
        b"PING" => b"+PONG\r\n".to_vec(),
        b"GET" => b"$-1\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    }
}

pub(super) fn listen() -> TcpListener {
    for _ in 0..10 {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", super::free_port())) {
            return listener;
        }
    }
    panic!("no free port on 127.0.0.1");
}

fn accept(
    listener: &TcpListener,
    desk: &Arc<Desk>,
    script: impl Fn(FakeConnection) + Send + Sync + 'static,
) {
    let script = Arc::new(script);
    for (number, stream) in listener.incoming().flatten().enumerate() {
        if desk.ended.load(Ordering::SeqCst) {
            return;
        }
        stream.set_nodelay(true).expect("a TCP socket");
        desk.open().insert(number, stream.try_clone().expect("a spare file"));
        desk.accepted.fetch_add(1, Ordering::SeqCst);
        let (script, desk) = (Arc::clone(&script), Arc::clone(desk));
        std::thread::spawn(move || {
            script(FakeConnection { number, stream: BufReader::new(stream) });
            // The socket closes, or resets, when its last handle goes.
            desk.open().remove(&number);
        });
    }
}
