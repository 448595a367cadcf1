//! The stretch of network between the proxy and one shard, with all that networks do.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::harness::free_port;

/// Passes bytes between a port of its own and a shard, as well as it is told to.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    state: Arc<watch::Sender<State>>,
    acceptor: AbortHandle,
}

/// What happens to bytes and to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Pass,
    /// What the shard says comes so much later.
    Delay(Duration),
    /// New connections are reset.
    Reset,
    /// Each connection ends after so many more bytes from the shard, in mid-reply as a rule.
    Cut(usize),
    /// Nothing passes and nobody is told; what is sent meanwhile vanishes.
    Blackhole,
    /// Nothing passes; what is sent meanwhile arrives afterwards.
    Hold,
}

#[derive(Debug, Clone, Copy)]
struct State {
    mood: Mood,
    /// Connections of an earlier generation are reset.
    generation: u64,
}

impl Wire {
    /// A wire to `target`; `handle` is of the runtime that is to move the bytes.
    pub fn to(target: SocketAddrV4, handle: &Handle) -> Wire {
        let (listener, port) = handle.block_on(listen());
        let state = Arc::new(watch::Sender::new(State { mood: Mood::Pass, generation: 0 }));
        let acceptor = handle.spawn(accept(listener, target, Arc::clone(&state))).abort_handle();
        Wire { port, state, acceptor }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on.
    pub fn set(&self, mood: Mood) {
        self.state.send_modify(|state| state.mood = mood);
    }

    /// Resets all that is connected.
    pub fn reset_all(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.reset_all();
    }
}

async fn listen() -> (TcpListener, u16) {
    for _ in 0..10 {
        let port = free_port();
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return (listener, port);
        }
    }
    panic!("no free port on 127.0.0.1");
}

async fn accept(listener: TcpListener, target: SocketAddrV4, state: Arc<watch::Sender<State>>) {
    loop {
        let Ok((proxy, _)) = listener.accept().await else { continue };
        let states = state.subscribe();
        if states.borrow().mood == Mood::Reset {
            let _ = set_socket_linger(&proxy, Some(Duration::ZERO));
            continue;
        }
        tokio::spawn(carry(proxy, target, states));
    }
}

/// One connection from its beginning to its end.
async fn carry(proxy: TcpStream, target: SocketAddrV4, mut states: watch::Receiver<State>) {
    let generation = states.borrow().generation;
    let linger = |stream: &TcpStream| {
        let _ = set_socket_linger(stream, Some(Duration::ZERO));
    };
    // In a black hole the connection is there for the proxy, and for nobody else.
    let mut passes = states.clone();
    let is_through = passes.wait_for(|state| {
        state.generation != generation || !matches!(state.mood, Mood::Blackhole | Mood::Hold)
    });
    if !matches!(is_through.await.map(|state| state.generation), Ok(same) if same == generation) {
        return linger(&proxy);
    }
    let Ok(shard) = TcpStream::connect(target).await else { return linger(&proxy) };
    let _ = (proxy.set_nodelay(true), shard.set_nodelay(true));
    let is_over = async {
        let _ = states.wait_for(|state| state.generation != generation).await;
    };
    let (there, back) = (passes.clone(), passes);
    let (mut proxy, mut shard) = (proxy, shard);
    let is_reset = {
        let (mut from_proxy, mut to_proxy) = proxy.split();
        let (mut from_shard, mut to_shard) = shard.split();
        tokio::select! {
            is_reset = pump(&mut from_proxy, &mut to_shard, there, false) => is_reset,
            is_reset = pump(&mut from_shard, &mut to_proxy, back, true) => is_reset,
            () = is_over => true,
        }
    };
    if is_reset {
        linger(&proxy);
    }
}

/// Moves bytes until one side ends; whether the connection is to be reset rather than closed.
async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut states: watch::Receiver<State>,
    is_reply: bool,
) -> bool {
    let mut chunk = vec![0; 64 * 1024];
    let mut cut: Option<usize> = None;
    let mut has_lost = false;
    loop {
        let count = match from.read(&mut chunk).await {
            Ok(0) if !has_lost => return false,
            Ok(0) | Err(_) => return true,
            Ok(count) => count,
        };
        let mood = states.borrow().mood;
        let mut bytes = &chunk[..count];
        match mood {
            Mood::Delay(delay) if is_reply => tokio::time::sleep(delay).await,
            Mood::Cut(left) if is_reply => {
                let left = cut.get_or_insert(left);
                let passed = count.min(*left);
                *left -= passed;
                bytes = &bytes[..passed];
            }
            Mood::Hold => {
                let _ = states.wait_for(|state| state.mood != Mood::Hold).await;
            }
            Mood::Blackhole => {
                has_lost = true;
            }
            _ => {}
        }
        // What has lost bytes once can only be silent until it ends.
        if has_lost {
            let _ = states.wait_for(|state| state.mood != Mood::Blackhole).await;
            return true;
        }
        if to.write_all(bytes).await.is_err() {
            return true;
        }
        if cut == Some(0) {
            return false;
        }
    }
}
