//! A stretch of network between a proxy and a shard that can be made slow or cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::{Address, Shard, fake_shard};

/// Passes bytes between its own port and a shard, as well as it is told to.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    desk: Arc<Desk>,
}

impl Relay {
    /// A relay to `shard` that passes everything at once.
    pub fn to(shard: &Shard) -> Relay {
        let Address::Tcp(target) = *shard.address() else { panic!("a relay needs TCP") };
        let listener = fake_shard::listen();
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let desk = Arc::new(Desk { state: Mutex::default() });
        let shared = Arc::clone(&desk);
        thread::spawn(move || accept(&listener, target, &shared));
        Relay { port, desk }
    }

    /// A line of a pool's `servers`.
    pub fn server(&self, weight: u32, name: &str) -> String {
        format!("127.0.0.1:{}:{weight} {name}", self.port)
    }

    /// From now on everything passes at once.
    pub fn pass(&self) {
        self.desk.state().mood = Mood::Pass;
    }

    /// From now on whatever the shard says comes this much later.
    pub fn delay(&self, delay: Duration) {
        self.desk.state().mood = Mood::Delay(delay);
    }

    /// From now on what is said to the shard on the connections that are open now comes this much
    /// later; new ones are not slowed down.
    pub fn hold_back(&self, delay: Duration) {
        for pair in &self.desk.state().open {
            pair.held_back.store(delay.as_millis() as u64, Ordering::SeqCst);
        }
    }

    /// Resets all connections (RST, not FIN), and each new one as soon as it is accepted.
    pub fn reset(&self) {
        let mut state = self.desk.state();
        state.mood = Mood::Reset;
        for pair in state.open.drain(..) {
            pair.reset();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.desk.state().mood = Mood::Ended;
        // Wakes the acceptor, which then sees the end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        for pair in self.desk.state().open.drain(..) {
            pair.close();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Mood {
    #[default]
    Pass,
    Delay(Duration),
    Reset,
    Ended,
}

#[derive(Debug)]
struct Desk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    open: Vec<Arc<Pair>>,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The two connections of which one is the continuation of the other.
#[derive(Debug)]
struct Pair {
    proxy: TcpStream,
    shard: TcpStream,
    /// By how many milliseconds requests come later.
    held_back: AtomicU64,
}

impl Pair {
    fn close(&self) {
        // Errors say that they are closed already.
        let _ = self.proxy.shutdown(Shutdown::Both);
        let _ = self.shard.shutdown(Shutdown::Both);
    }

    /// The reset is sent when the pumps, which this ends, have let go of the socket; a FIN must
    /// not come before it.
    fn reset(&self) {
        let _ = set_socket_linger(&self.proxy, Some(Duration::ZERO));
        let _ = self.proxy.shutdown(Shutdown::Read);
        let _ = self.shard.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, target: u16, desk: &Arc<Desk>) {
    for proxy in listener.incoming().flatten() {
        let mut state = desk.state();
        match state.mood {
            Mood::Ended => return,
            Mood::Reset => {
                set_socket_linger(&proxy, Some(Duration::ZERO)).expect("a TCP socket");
                continue;
            }
            Mood::Pass | Mood::Delay(_) => {}
        }
        let Ok(shard) = TcpStream::connect(("127.0.0.1", target)) else { continue };
        proxy.set_nodelay(true).expect("a TCP socket");
        shard.set_nodelay(true).expect("a TCP socket");
        let pair = Arc::new(Pair { proxy, shard, held_back: AtomicU64::new(0) });
        state.open.push(Arc::clone(&pair));
        drop(state);
        let (there, desk) = (Arc::clone(&pair), Arc::clone(desk));
        thread::spawn(move || {
            let wait = || {
                let delay = there.held_back.load(Ordering::SeqCst);
                thread::sleep(Duration::from_millis(delay));
            };
            let _ = pump(&there.proxy, &there.shard, wait);
            let _ = there.shard.shutdown(Shutdown::Write);
        });
        thread::spawn(move || {
            let wait = || {
                let mood = desk.state().mood;
                if let Mood::Delay(delay) = mood {
                    thread::sleep(delay);
                }
            };
            let _ = pump(&pair.shard, &pair.proxy, wait);
            let mut state = desk.state();
            if state.mood != Mood::Reset {
                pair.close();
            }
            state.open.retain(|open| !Arc::ptr_eq(open, &pair));
        });
    }
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, wait: impl Fn()) -> std::io::Result<()> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        wait();
        to.write_all(&chunk[..count])?;
    }
}
