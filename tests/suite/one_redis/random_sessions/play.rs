//! A sequence played on one Redis and on circlet: what each client reads after each step.
//!
//! One Redis tells how much that is: two PINGs of somebody else later it has handled what came
//! before and all that it has to say is here. Circlet is given time to say as much.

use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::step::{Act, Line, Step};
use crate::harness::{Address, Client, Proxy, Reply, Shard, read_reply};

/// What one client read in one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// Frames that answer commands, escaped.
    pub replies: Vec<String>,
    /// Messages of channels, escaped. Between replies they may stand elsewhere than one Redis puts
    /// them: they come from another connection.
    pub messages: Vec<String>,
    /// Whether the connection was closed.
    pub is_closed: bool,
}

impl Heard {
    fn len(&self) -> usize {
        self.replies.len() + self.messages.len()
    }
}

/// The clients of a sequence, connected to one address.
pub struct Play<'a> {
    address: Address,
    clients: Vec<Voice>,
    /// Connected to the address, and to those behind it.
    controls: Vec<Client>,
    behind: &'a [Shard],
    /// What takes longer does not happen.
    patience: Duration,
}

impl<'a> Play<'a> {
    /// On one Redis.
    pub fn on_redis(single: &'a Shard, clients: usize) -> Self {
        Self::on(single.address().clone(), std::slice::from_ref(single), clients)
    }

    /// On circlet over these shards.
    pub fn on_circlet(proxy: &Proxy, shards: &'a [Shard], clients: usize) -> Self {
        Self::on(proxy.address(), shards, clients)
    }

    /// The same, where something is known to go wrong.
    pub fn impatient(self) -> Self {
        Self { patience: PATIENCE / 20, ..self }
    }

    fn on(address: Address, behind: &'a [Shard], clients: usize) -> Self {
        let mut first = Client::connect(&address);
        first.command(&["FLUSHALL"]);
        first.command(&["SCRIPT", "FLUSH"]);
        let clients = (0..clients).map(|_| Voice::connect(&address)).collect();
        let controls = std::iter::once(first).chain(behind.iter().map(Shard::client)).collect();
        Self { address, clients, controls, behind, patience: PATIENCE }
    }

    /// Plays a step without knowing what comes of it: on one Redis. How many wait afterwards, if
    /// anybody may.
    pub fn discover(&mut self, step: &Step) -> (Vec<Heard>, Option<i64>) {
        let before = step.may_wait.then(|| self.waiting());
        self.act(step);
        self.settle(2);
        if let Some(before) = before.filter(|_| step.is_short_wait()) {
            let begun = Instant::now();
            while self.waiting() > before && begun.elapsed() < self.patience {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.settle(2);
        }
        let waiting = step.may_wait.then(|| self.waiting());
        (self.clients.iter_mut().map(Voice::heard).collect(), waiting)
    }

    /// Plays a step of which so much is to come.
    pub fn expect(&mut self, step: &Step, expected: &[Heard], waiting: Option<i64>) -> Vec<Heard> {
        self.act(step);
        let until = Instant::now() + self.patience;
        let mut heard = vec![Heard::default(); self.clients.len()];
        let mut take = |clients: &mut [Voice]| {
            for (voice, heard) in clients.iter_mut().zip(&mut heard) {
                let more = voice.heard();
                heard.replies.extend(more.replies);
                heard.messages.extend(more.messages);
                heard.is_closed |= more.is_closed;
            }
            let mut all = heard.iter().zip(expected);
            all.all(|(got, wanted)| got.len() >= wanted.len() && got.is_closed == wanted.is_closed)
        };
        while !take(&mut self.clients) && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(50));
        }
        while waiting.is_some_and(|waiting| self.waiting() != waiting) && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
        }
        self.settle(if step.is_silent(expected) { 6 } else { 2 });
        take(&mut self.clients);
        heard
    }

    fn act(&mut self, step: &Step) {
        match &step.act {
            Act::Leave => self.clients[step.client] = Voice::connect(&self.address),
            Act::Say { lines, writes } => {
                let bytes: Vec<u8> = lines.iter().flat_map(Line::bytes).collect();
                let voice = &mut self.clients[step.client];
                for chunk in bytes.chunks(bytes.len().div_ceil(*writes).max(1)) {
                    voice.say(chunk);
                }
            }
        }
    }

    /// Somebody else is answered so often, by each in turn.
    fn settle(&mut self, times: usize) {
        for _ in 0..times {
            for control in &mut self.controls {
                control.command(&["PING"]);
            }
        }
    }

    /// How many clients wait.
    fn waiting(&mut self) -> i64 {
        debug_assert_eq!(self.controls.len(), self.behind.len() + 1);
        let told = self.controls[1..].iter_mut().map(|control| {
            let text = control.command(&["INFO", "clients"]);
            let text = String::from_utf8_lossy(text.bytes()).into_owned();
            let line = text.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
            line.and_then(|digits| digits.parse::<i64>().ok()).expect("INFO tells")
        });
        told.sum()
    }
}

impl Step {
    fn is_silent(&self, expected: &[Heard]) -> bool {
        expected[self.client].replies.is_empty()
    }
}

/// A connection that is listened to without waiting.
struct Voice {
    stream: TcpStream,
    bytes: Vec<u8>,
    is_closed: bool,
}

impl Voice {
    fn connect(address: &Address) -> Self {
        let Address::Tcp(port) = address else { unreachable!("all listen on ports") };
        let stream = TcpStream::connect(("127.0.0.1", *port)).expect("connect");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_nonblocking(true).expect("a socket");
        Self { stream, bytes: Vec::new(), is_closed: false }
    }

    fn say(&mut self, bytes: &[u8]) {
        // Whoever was closed says nothing more; both sides agree on that.
        let _ = self.stream.write_all(bytes);
    }

    /// The frames that are here.
    fn heard(&mut self) -> Heard {
        let mut buffer = [0; 64 * 1024];
        while !self.is_closed {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.is_closed = true,
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.is_closed = true,
            }
        }
        let mut heard = Heard { is_closed: self.is_closed, ..Heard::default() };
        loop {
            let mut raw = Vec::new();
            let mut cursor = Cursor::new(&self.bytes[..]);
            let Ok(reply) = read_reply(&mut cursor, &mut raw) else { break };
            let read = cursor.position() as usize;
            self.bytes.drain(..read);
            let shown = without_id(&raw).escape_ascii().to_string();
            if is_message(&reply) { heard.messages.push(shown) } else { heard.replies.push(shown) }
        }
        heard
    }
}

fn is_message(reply: &Reply) -> bool {
    let (Reply::Array(elements) | Reply::Push(elements)) = reply else { return false };
    matches!(elements.first(), Some(Reply::Bulk(word))
        if [&b"message"[..], b"pmessage", b"smessage"].contains(&&word[..]))
}

/// HELLO tells the client's number, which is not the same in both.
fn without_id(raw: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(raw);
    let Some((before, after)) = text.split_once("$2\r\nid\r\n:") else { return raw.to_vec() };
    let after = after.split_once("\r\n").map_or("", |(_, rest)| rest);
    format!("{before}$2\r\nid\r\n:0\r\n{after}").into_bytes()
}

/// How long a busy machine may take for one step.
const PATIENCE: Duration = Duration::from_secs(10);
