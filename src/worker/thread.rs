//! The thread of a worker, and how the rest of the process talks to it.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::{Call, PoolState, Shared, Worker, flush, handshakes};
use crate::admin::counters::WorkerCounters;
use crate::client::proxied;
use crate::command::Learned;
use crate::config::Pool;
use crate::route::ring::Ring;
use crate::shard::health::{Failure, ShardHealth};
use crate::socket::Socket;
use crate::tcp::{TcpOptions, set_options};

/// What a worker is told by the rest of the process.
#[derive(Debug)]
pub enum Message {
    /// A client's connection is the worker's from now on.
    Client {
        /// The connection.
        stream: Incoming,
        /// Index of the pool it came to.
        pool: usize,
        /// The client's number.
        id: u64,
    },
    /// The health of a pool's shards has changed.
    Health {
        /// Index of the pool.
        pool: usize,
        /// The health of each shard.
        shards: Arc<[ShardHealth]>,
        /// The ring over those that are in.
        ring: Arc<Ring>,
    },
    /// Something to do.
    Call(Call),
    /// The shards of a pool told of commands that the table lacks.
    Learned {
        /// Index of the pool.
        pool: usize,
        /// All that any of them told.
        learned: Arc<Learned>,
    },
    /// The process ends.
    Stop,
}

/// A client's connection on its way from the listener to a worker; non-blocking.
#[derive(Debug)]
pub enum Incoming {
    /// A TCP connection.
    Tcp(std::net::TcpStream),
    /// A TCP connection on which the client is to speak TLS.
    Tls(std::net::TcpStream),
    /// A connection to a unix socket.
    Unix(std::os::unix::net::UnixStream),
}

/// What a worker starts with.
#[derive(Debug)]
pub struct Setup {
    /// 0 for the first worker; part of the thread's name.
    pub index: usize,
    /// The pools and their rings.
    pub pools: Vec<(Arc<Pool>, Arc<Ring>)>,
    /// What the worker counts.
    pub counters: Arc<WorkerCounters>,
    /// Tells the control thread of shards that fail.
    pub failures: UnboundedSender<Failure>,
    /// What the workers know of each other.
    pub shared: Arc<Shared>,
    /// What it is told.
    pub inbox: UnboundedReceiver<Message>,
}

/// A running worker.
#[derive(Debug)]
pub struct Handle {
    messages: UnboundedSender<Message>,
    thread: JoinHandle<()>,
    counters: Arc<WorkerCounters>,
    assigned: u64,
}

impl Handle {
    /// Hands a client's connection over.
    pub fn assign(&mut self, stream: Incoming, pool: usize, id: u64) {
        self.assigned += 1;
        self.tell(Message::Client { stream, pool, id });
    }

    /// What the worker counts in from now on.
    pub fn count_by(&mut self, counters: Arc<WorkerCounters>) {
        self.counters = counters;
    }

    /// Sessions that the worker has, those on their way to it included.
    pub fn sessions(&self) -> u64 {
        let pools = 0..self.counters.pools.len();
        self.assigned.saturating_sub(pools.map(|pool| self.ended_sessions(pool)).sum())
    }

    /// Sessions with pool `pool` that came and went.
    pub fn ended_sessions(&self, pool: usize) -> u64 {
        let counters = &self.counters.pools[pool];
        // In this order, so that a session that starts in between is not counted as ended.
        let total = counters.total_connections.value();
        total.saturating_sub(counters.client_connections.value())
    }

    /// Sends `message`; a worker that has ended needs none.
    pub fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    /// Tells the worker to end and waits until it has.
    pub fn stop(self) {
        self.tell(Message::Stop);
        let _ = self.thread.join();
    }
}

/// Starts a worker on a thread of its own.
pub fn start(setup: Setup, messages: UnboundedSender<Message>) -> io::Result<Handle> {
    let counters = Arc::clone(&setup.counters);
    let thread = std::thread::Builder::new()
        .name(format!("worker-{}", setup.index))
        .spawn(move || run(setup))?;
    Ok(Handle { messages, thread, counters, assigned: 0 })
}

fn run(setup: Setup) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build_local(LocalOptions::default())
        .expect("a runtime needs an epoll and an event descriptor, opened at start-up");
    runtime.block_on(serve(setup));
}

/// Serves until it is told to stop, in the runtime of the thread that it is called from: a program
/// that has one may play the worker's clients and shards in the same thread.
pub async fn serve(setup: Setup) {
    let pools = setup.pools.into_iter().map(|(pool, ring)| PoolState::new(pool, ring)).collect();
    let Setup { index, counters, failures, shared, mut inbox, .. } = setup;
    let worker = Worker::new(pools, counters, failures, index, shared);
    tokio::task::spawn_local(flush::run(Rc::clone(&worker)));
    start_ticks(&worker);
    worker.borrow_mut().start_timers();
    open_preconnected(&worker);
    while let Some(message) = inbox.recv().await {
        match message {
            Message::Client { stream, pool, id } => accept(&worker, stream, pool, id),
            Message::Health { pool, shards, ring } => {
                worker.borrow_mut().apply_health(pool, &shards, ring);
            }
            Message::Call(Call(what)) => what(&mut worker.borrow_mut()),
            Message::Learned { pool, learned } => {
                worker.borrow_mut().pools[pool].learned = learned;
            }
            Message::Stop => break,
        }
    }
}

fn open_preconnected(worker: &Rc<RefCell<Worker>>) {
    let worker = &mut *worker.borrow_mut();
    for pool in 0..worker.pools.len() {
        if worker.pools[pool].config.preconnect {
            worker.preconnect(pool);
        }
    }
}

/// What is told in seconds (how long a client was silent) needs no clock of its own.
fn start_ticks(worker: &Rc<RefCell<Worker>>) {
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.tick().await;
        loop {
            ticks.tick().await;
            worker.borrow_mut().tick();
        }
    });
}

fn accept(worker: &Rc<RefCell<Worker>>, stream: Incoming, pool: usize, id: u64) {
    let options = TcpOptions::of_clients(&worker.borrow().pools[pool].config);
    let tcp = |stream| {
        TcpStream::from_std(stream).and_then(|stream| {
            set_options(&stream, options)?;
            Ok(stream)
        })
    };
    let socket = match stream {
        Incoming::Tcp(stream) => tcp(stream).map(Socket::Tcp),
        Incoming::Tls(stream) => match tcp(stream) {
            Ok(stream) => {
                // A proxy in front speaks first, then the client its TLS.
                let socket = Socket::Tcp(stream);
                return proxied::admit(worker, socket, pool, id, move |worker, socket, origin| {
                    if let Socket::Tcp(stream) = socket {
                        handshakes::start(worker, stream, origin, pool, id);
                    }
                });
            }
            Err(error) => Err(error),
        },
        Incoming::Unix(stream) => UnixStream::from_std(stream).map(Socket::Unix),
    };
    match socket {
        Ok(socket) => proxied::admit(worker, socket, pool, id, move |worker, socket, origin| {
            worker.borrow_mut().add_session(socket, origin, pool, id);
        }),
        Err(error) => {
            tracing::debug!(client = id, %error, "client gone before it was served");
            worker.borrow().never_served(pool);
        }
    }
}

/// Tasks that run between two looks for new events. Higher means that more sessions share one
/// write to a shard; with tokio's 61 a thousand ready clients cost sixteen looks, here four.
const EVENT_INTERVAL: u32 = 256;
