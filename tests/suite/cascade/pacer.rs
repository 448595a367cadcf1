//! A shard that can do so much and no more: a real one behind a desk that serves one command after
//! the other, each in a fixed time.
//!
//! ```text
//!   proxy ─▶ command ─▶ shard ─▶ reply ─▶ queue ─ until the time of all before it is over ─▶ proxy
//! ```
//! The shard is asked at once, so that its own time does not count.

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
        let backend = shard.client();
        // Nothing may be asked for a while.
        backend.set_patience(Duration::from_secs(3_600));
        let state = State {
            shard: backend.sender(),
            asked: VecDeque::new(),
            queue: VecDeque::new(),
            open: Vec::new(),
            is_cut: false,
            is_over: false,
        };
        let desk = Arc::new(Desk { state: Mutex::new(state), wakes: Condvar::new() });
        let [answers, queue, shared] = [0; 3].map(|_| Arc::clone(&desk));
        thread::spawn(move || answers.take_replies(backend));
        thread::spawn(move || queue.serve(service));
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
        let mut state = self.desk.state();
        state.is_over = true;
        state.shard.close_writing();
        drop(state);
        self.desk.wakes.notify_all();
        // Wakes the acceptor, which then sees the end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A command at the desk.
struct Job {
    arrived: Instant,
    connection: Arc<TcpStream>,
    reply: Vec<u8>,
}

struct Desk {
    state: Mutex<State>,
    wakes: Condvar,
}

struct State {
    shard: Client,
    /// Those that the shard has not answered yet.
    asked: VecDeque<Job>,
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

    fn take_replies(&self, mut shard: Client) {
        while let Ok(reply) = shard.try_read_reply_bytes() {
            let mut state = self.state();
            if let Some(job) = state.asked.pop_front() {
                state.queue.push_back(Job { reply, ..job });
                self.wakes.notify_one();
            }
        }
    }

    /// What the machine's scheduler makes late is made up for: the rate is the service time's.
    fn serve(&self, service: Duration) {
        let mut due = Instant::now();
        while let Some(job) = self.next() {
            due = due.max(job.arrived) + service;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // A proxy that has hung up does not read it.
            let _ = (&*job.connection).write_all(&job.reply);
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
                let connection = Arc::clone(&connection);
                let job = Job { arrived: Instant::now(), connection, reply: Vec::new() };
                let mut state = desk.state();
                if state.shard.try_send(&encode(&command)).is_ok() {
                    state.asked.push_back(job);
                }
            }
        });
    }
}

fn listen() -> TcpListener {
    let bind = |_| TcpListener::bind(("127.0.0.1", free_port())).ok();
    (0..10).find_map(bind).expect("a free port on 127.0.0.1")
}
