//! A shard that can do so much and no more: a real one behind a desk that serves one command after
//! the other, each in a fixed time.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Client, Shard, encode, free_port, read_command};

/// What stands before a shard and takes `service` for each command of whoever is connected.
pub struct Pacer {
    port: u16,
    desk: Arc<Desk>,
}

impl Pacer {
    /// A desk before `shard`.
    pub fn to(shard: &Shard, service: Duration) -> Pacer {
        let listener = listen();
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let desk = Arc::new(Desk::default());
        let (queue, shared) = (Arc::clone(&desk), Arc::clone(&desk));
        let backend = shard.client();
        thread::spawn(move || queue.serve(backend, service));
        thread::spawn(move || accept(&listener, &shared));
        Pacer { port, desk }
    }

    /// A line of a pool's `servers`.
    pub fn server(&self, weight: u32, name: &str) -> String {
        format!("127.0.0.1:{}:{weight} {name}", self.port)
    }

    /// From now on every connection ends as soon as it is accepted, those that are open at once:
    /// the shard is gone.
    pub fn cut(&self) {
        let mut state = self.desk.state();
        state.is_cut = true;
        for connection in state.open.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        state.queue.clear();
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.cut();
        self.desk.state().is_over = true;
        self.desk.wakes.notify_all();
        // Wakes the acceptor, which then sees the end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A command at the desk.
struct Job {
    command: Vec<u8>,
    arrived: Instant,
    connection: Arc<TcpStream>,
}

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    wakes: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    open: Vec<Arc<TcpStream>>,
    is_cut: bool,
    is_over: bool,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.is_over {
                return None;
            }
            match state.queue.pop_front() {
                Some(job) => return Some(job),
                None => {
                    state = self.wakes.wait(state).unwrap_or_else(|error| error.into_inner());
                }
            }
        }
    }

    /// What the machine's scheduler makes late is made up for: the rate is the service time's.
    fn serve(&self, mut backend: Client, service: Duration) {
        let mut due = Instant::now();
        while let Some(job) = self.next() {
            due = due.max(job.arrived) + service;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if backend.try_send(&job.command).is_err() {
                return;
            }
            let Ok(reply) = backend.try_read_reply_bytes() else { return };
            // A proxy that has hung up does not read it.
            let _ = (&*job.connection).write_all(&reply);
        }
    }
}

fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
    for connection in listener.incoming().flatten() {
        let mut state = desk.state();
        if state.is_over {
            return;
        }
        if state.is_cut {
            continue;
        }
        connection.set_nodelay(true).expect("a TCP socket");
        let connection = Arc::new(connection);
        state.open.push(Arc::clone(&connection));
        drop(state);
        let desk = Arc::clone(desk);
        thread::spawn(move || {
            let mut stream = BufReader::new(&*connection);
            while let Ok(command) = read_command(&mut stream) {
                let job = Job {
                    command: encode(&command),
                    arrived: Instant::now(),
                    connection: Arc::clone(&connection),
                };
                desk.state().queue.push_back(job);
                desk.wakes.notify_one();
            }
        });
    }
}

fn listen() -> TcpListener {
    let bind = |_| TcpListener::bind(("127.0.0.1", free_port())).ok();
    (0..10).find_map(bind).expect("a free port on 127.0.0.1")
}
