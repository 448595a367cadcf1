//! What our TCP sockets are set to: no Nagle delay, and when the kernel gives a silent peer up.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::config::Pool;

/// How a pool's sockets of one kind are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpOptions {
    /// How long a connection is silent before it is probed; `None` never probes.
    pub keepalive: Option<Duration>,
    /// How long what was sent may stay without an acknowledgement, or the peer without room for
    /// more, before the connection is over; `None` leaves it to the system.
    pub user_timeout: Option<Duration>,
}

impl TcpOptions {
    /// Those of connections from clients.
    pub fn of_clients(pool: &Pool) -> Self {
        Self { keepalive: keepalive(pool), user_timeout: unless_zero(pool.tcp_user_timeout) }
    }

    /// Those of links to shards.
    pub fn of_shards(pool: &Pool) -> Self {
        let chosen = pool.server_tcp_user_timeout.unwrap_or_else(|| shard_patience(pool));
        Self { keepalive: keepalive(pool), user_timeout: unless_zero(chosen) }
    }
}

/// Sets them.
pub fn set_options(stream: &TcpStream, options: TcpOptions) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    if let Some(time) = options.keepalive {
        let probe = (time / PROBES).max(Duration::from_secs(1));
        let keepalive = TcpKeepalive::new().with_time(time.max(Duration::from_secs(1)));
        socket.set_tcp_keepalive(&keepalive.with_interval(probe).with_retries(PROBES))?;
    }
    if options.user_timeout.is_some() {
        socket.set_tcp_user_timeout(options.user_timeout)?;
    }
    Ok(())
}

fn keepalive(pool: &Pool) -> Option<Duration> {
    pool.tcpkeepalive.then_some(pool.tcp_keepalive_time)
}

fn unless_zero(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}

/// Requests and heartbeats have found out long before that the shard is gone; this ends what waits
/// on a link of its own and has no deadline.
fn shard_patience(pool: &Pool) -> Duration {
    let asked = pool.timeout.unwrap_or_default().max(pool.heartbeat_timeout);
    (asked * 2).max(SHORTEST_PATIENCE)
}

/// Probes of a silent connection, as Redis sets them: each a third of the time after the last.
const PROBES: u32 = 3;
/// Lost packets are sent again after 0.2, 0.4, 0.8 … s: five tries before a link is given up.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (one, other) = tokio::join!(TcpStream::connect(address), listener.accept());
        (one.unwrap(), other.unwrap().0)
    }

    #[tokio::test]
    async fn the_kernel_has_what_was_set() {
        let (stream, _other) = pair().await;
        let seconds = Duration::from_secs;
        let options = TcpOptions { keepalive: Some(seconds(30)), user_timeout: Some(seconds(7)) };
        set_options(&stream, options).unwrap();
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(seconds(7)));
        assert_eq!(socket.tcp_keepalive_time().unwrap(), seconds(30));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), seconds(10));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert!(socket.keepalive().unwrap() && stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn without_them_the_system_decides() {
        let (stream, _other) = pair().await;
        set_options(&stream, TcpOptions { keepalive: None, user_timeout: None }).unwrap();
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), None);
        assert!(!socket.keepalive().unwrap());
    }
}
