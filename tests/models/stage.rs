//! One worker, its clients and its shards in one thread, without a network and without waiting.
//!
//! ```text
//!   Client ── socket pair ──► worker (serve) ── unix socket ──► Connection
//!      └───────────── the stage writes, reads, cuts and closes both ends ─────┘
//! ```
//!
//! The worker is the real one, and nothing in it knows that it plays. Unix sockets are there because
//! sessions and links own sockets; both ends live in this thread. [`Stage::settle`] lets the worker
//! run until it has nothing more to do, so a story has one outcome however fast the machine is.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Once};

use circlet::admin::counters::WorkerCounters;
use circlet::config::{self, Config, Format, Pool};
use circlet::route::ring::{ALL, NOTHING, Ring};
use circlet::shard::answer::Answer;
use circlet::shard::doors::Doors;
use circlet::shard::health::{Failure, ShardHealth, State};
use circlet::shard::scripts::ScriptCache;
use circlet::tls::keeper::Certificates;
use circlet::worker::{Incoming, Message, Setup, Shared, Worker, serve};
use tempfile::TempDir;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// See the module.
pub struct Stage {
    runtime: LocalRuntime,
    inbox: UnboundedSender<Message>,
    shared: Arc<Shared>,
    failures: UnboundedReceiver<Failure>,
    // For the fuzz target, as is `settle_after`.
    #[allow(dead_code)]
    pub pool: Arc<Pool>,
    /// All shards in.
    home: Ring,
    /// The shards that are in.
    pub ring: Arc<Ring>,
    pub health: Vec<ShardHealth>,
    directory: TempDir,
    listeners: Vec<Option<UnixListener>>,
    pub clients: Vec<Client>,
    pub connections: Vec<Connection>,
    next_id: u64,
}

/// A client's end.
pub struct Client {
    /// As CLIENT ID tells it.
    pub id: u64,
    /// `None` once the client has gone.
    stream: Option<UnixStream>,
    /// What it was told and has not been taken out yet.
    pub received: Vec<u8>,
    /// Whether circlet has ended the connection.
    pub is_ended: bool,
    /// Whether it reads what it is sent.
    pub reads: bool,
    /// What it has said and the socket has not taken yet.
    unsent: Vec<u8>,
}

/// A shard's end of a link.
pub struct Connection {
    pub shard: usize,
    stream: Option<UnixStream>,
    /// What it was asked and has not been taken out yet.
    pub received: Vec<u8>,
    /// Whether circlet has ended the connection.
    pub is_ended: bool,
    /// Whether it reads what it is sent.
    pub reads: bool,
    unsent: Vec<u8>,
}

impl Stage {
    /// A pool of `shards` shards with these further lines of configuration.
    pub fn new(shards: usize, lines: &str) -> Self {
        watch_panics();
        let directory = TempDir::new().expect("a directory for sockets");
        let paths: Vec<PathBuf> =
            (0..shards).map(|shard| directory.path().join(format!("s{shard}"))).collect();
        let config = configuration(&paths, lines);
        let pool = Arc::new(config.pools[0].clone());
        let home = Ring::new(&pool);
        let (inbox, messages) = unbounded_channel();
        let (report, failures) = unbounded_channel();
        let doors = Arc::new(Doors::new(&config));
        // As the first heartbeats find them.
        (0..shards).for_each(|shard| doors.note(0, shard, &Answer::Good));
        let scripts = vec![ScriptCache::new(pool.script_cache)];
        let certificates = Arc::new(Certificates::load(&config).expect("there are none to load"));
        let shared = Arc::new(Shared::new(vec![inbox.clone()], scripts, doors, certificates));
        let setup = Setup {
            index: 0,
            pools: vec![(Arc::clone(&pool), Arc::new(home.clone()))],
            counters: Arc::new(WorkerCounters::new(&[shards])),
            failures: report,
            shared: Arc::clone(&shared),
            inbox: messages,
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .expect("a runtime");
        runtime.spawn_local(serve(setup));
        let live = ShardHealth {
            state: State::Live,
            share: ALL,
            since: std::time::Instant::now(),
            cause: Arc::from(""),
        };
        let mut stage = Self {
            runtime,
            inbox,
            shared,
            failures,
            pool,
            ring: Arc::new(home.clone()),
            home,
            health: vec![live; shards],
            directory,
            listeners: (0..shards).map(|_| None).collect(),
            clients: Vec::new(),
            connections: Vec::new(),
            next_id: 1,
        };
        (0..shards).for_each(|shard| stage.open_shard(shard));
        stage.settle();
        stage
    }

    /// Another client connects; its place among the clients.
    pub fn connect(&mut self) -> usize {
        let (near, far) = UnixStream::pair().expect("a pair of sockets");
        for end in [&near, &far] {
            end.set_nonblocking(true).expect("a socket that does not block");
        }
        let id = self.next_id;
        self.next_id += 1;
        self.tell(Message::Client { stream: Incoming::Unix(far), pool: 0, id });
        self.clients.push(Client {
            id,
            stream: Some(near),
            received: Vec::new(),
            is_ended: false,
            reads: true,
            unsent: Vec::new(),
        });
        self.clients.len() - 1
    }

    /// Whether the shard accepts connections.
    pub fn is_open(&self, shard: usize) -> bool {
        self.listeners[shard].is_some()
    }

    /// The shard accepts connections from now on.
    pub fn open_shard(&mut self, shard: usize) {
        let path = self.directory.path().join(format!("s{shard}"));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).expect("a listening socket");
        listener.set_nonblocking(true).expect("a socket that does not block");
        self.listeners[shard] = Some(listener);
    }

    /// The shard accepts no further connection.
    pub fn close_shard(&mut self, shard: usize) {
        self.accept();
        self.listeners[shard] = None;
    }

    /// What the control thread does when health has changed.
    pub fn set_health(&mut self, shard: usize, state: State) {
        self.health[shard].state = state;
        self.health[shard].share = if state == State::Ejected { NOTHING } else { ALL };
        self.health[shard].cause = Arc::from("the story wants it");
        let live: Vec<bool> =
            self.health.iter().map(|shard| shard.state != State::Ejected).collect();
        self.ring = Arc::new(self.home.with_live(&live));
        let (shards, ring) = (self.health.clone().into(), Arc::clone(&self.ring));
        self.tell(Message::Health { pool: 0, shards, ring });
    }

    /// Lets this much time pass for the worker's deadlines.
    pub fn pass(&mut self, millis: u32) {
        self.ask(move |worker| {
            worker.clock.skip(millis);
            worker.sweep_timeouts();
        });
    }

    /// Asks the worker something between two of its steps.
    pub fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> T {
        let (teller, answer) = std::sync::mpsc::channel();
        self.shared.tell(0, move |worker| {
            let _ = teller.send(question(worker));
        });
        loop {
            self.turn();
            if let Ok(answer) = answer.try_recv() {
                return answer;
            }
        }
    }

    /// Lets the worker run until neither clients nor shards hear anything new.
    pub fn settle(&mut self) {
        let (mut quiet, mut turns) = (0, 0);
        while quiet < QUIET_TURNS {
            self.turn();
            quiet = if self.look() { 0 } else { quiet + 1 };
            turns += 1;
            assert!(turns < TURNS_AT_MOST, "the worker does not come to rest");
        }
        while self.failures.try_recv().is_ok() {}
        assert!(PANICS.get() == 0, "a task of the worker has panicked");
    }

    /// The same, until timers of `millis` milliseconds are over as well.
    #[allow(dead_code)]
    pub fn settle_after(&mut self, millis: u64) {
        let pause = std::time::Duration::from_millis(millis);
        self.runtime.block_on(tokio::time::sleep(pause));
        self.settle();
    }

    /// One look at all sockets by the worker, and all that follows from it.
    fn turn(&self) {
        self.runtime.block_on(async {
            for _ in 0..LOOKS_A_TURN {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Reads what has come; whether anything has.
    fn look(&mut self) -> bool {
        let mut news = self.accept();
        for client in &mut self.clients {
            let Some(stream) = &mut client.stream else { continue };
            news |= push(stream, &mut client.unsent);
            if client.reads {
                news |= pull(stream, &mut client.received, &mut client.is_ended);
            }
        }
        for connection in &mut self.connections {
            let Some(stream) = &mut connection.stream else { continue };
            news |= push(stream, &mut connection.unsent);
            if connection.reads {
                news |= pull(stream, &mut connection.received, &mut connection.is_ended);
            }
        }
        news
    }

    fn accept(&mut self) -> bool {
        let mut news = false;
        for (shard, listener) in self.listeners.iter().enumerate() {
            while let Some(Ok((stream, _))) = listener.as_ref().map(UnixListener::accept) {
                stream.set_nonblocking(true).expect("a socket that does not block");
                self.connections.push(Connection {
                    shard,
                    stream: Some(stream),
                    received: Vec::new(),
                    is_ended: false,
                    reads: true,
                    unsent: Vec::new(),
                });
                news = true;
            }
        }
        news
    }

    fn tell(&self, message: Message) {
        self.inbox.send(message).expect("the worker runs");
    }
}

impl Client {
    /// Says something.
    pub fn say(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            self.unsent.extend_from_slice(bytes);
            push(stream, &mut self.unsent);
        }
    }

    /// Says no more, and goes on listening.
    pub fn fall_silent(&mut self) {
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// Goes without a word.
    pub fn leave(&mut self) {
        self.stream = None;
    }

    pub fn has_left(&self) -> bool {
        self.stream.is_none()
    }
}

impl Connection {
    /// Replies something.
    pub fn say(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            self.unsent.extend_from_slice(bytes);
            push(stream, &mut self.unsent);
        }
    }

    pub fn close(&mut self) {
        self.stream = None;
    }

    /// Whether both sides hold it open.
    pub fn is_open(&self) -> bool {
        self.stream.is_some() && !self.is_ended
    }
}

fn configuration(paths: &[PathBuf], lines: &str) -> Config {
    let mut text = String::from("p:\n  listen: 127.0.0.1:1\n  redis: true\n");
    for line in lines.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str("  servers:\n");
    for (shard, path) in paths.iter().enumerate() {
        text.push_str(&format!("   - {}:1 s{shard}\n", path.display()));
    }
    let config = config::parse(&text, Format::Yaml, "stage");
    config.unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

/// Reads all there is; whether that was anything.
fn pull(stream: &mut UnixStream, received: &mut Vec<u8>, is_ended: &mut bool) -> bool {
    let mut news = false;
    let mut buffer = [0; 16 * 1024];
    while !*is_ended {
        match stream.read(&mut buffer) {
            Ok(0) => *is_ended = true,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => *is_ended = true,
        }
        news = true;
    }
    news
}

/// Writes what the socket takes; whether that was anything.
fn push(stream: &mut UnixStream, unsent: &mut Vec<u8>) -> bool {
    let mut written = 0;
    while written < unsent.len() {
        match stream.write(&unsent[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => written = unsent.len(),
        }
    }
    unsent.drain(..written);
    written > 0
}

/// A task that panics is dropped by the runtime without a word.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
    PANICS.set(0);
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// After so many turns without news nothing more will come: a reply takes three, from the look
/// that finds it to the flush that was put off once.
const QUIET_TURNS: usize = 3;
/// Far more than anything here takes.
const TURNS_AT_MOST: usize = 100_000;
const LOOKS_A_TURN: usize = 2;
