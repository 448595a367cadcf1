//! The heartbeat of one shard: PING on a connection of its own, for ever.
//!
//! ```text
//!      ┌──────────── the interval, jittered; or a nudge: a worker met a failure ───┐
//!      ▼                                                                           │
//! connect, AUTH (if there is no connection) ─▶ PING ─▶ judge ─▶ Beat ─▶ monitor ───┘
//! ```
//! A connection on which anything but one clean reply was met is closed, and the next heartbeat
//! starts with a new one. Names are resolved at each connect. While the heart rests, the connection
//! serves to ask which commands the shard has: see [`super::inquiry`].

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::answer::{self, Answer, Password};
use super::health::span;
use super::inquiry::Inquiries;
use crate::config::{Address, Auth, Pool, Server};
use crate::resp::write;
use crate::secret::Secret;
use crate::tls::connect;
use crate::tls::keeper::InForce;

/// The shortest time between two heartbeats to one shard, whatever the interval and however many
/// failures the workers report. A `heartbeat_interval` of 0 means this too: heartbeats cannot
/// be switched off, since nothing else could bring a shard back.
pub const MIN_GAP: Duration = Duration::from_millis(100);

/// The most that is read of an answer: Redis's own limit of an inline command.
pub const MAX_ANSWER: usize = 64 * 1024;

/// Whom to ask, and how patiently.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) pool: usize,
    pub(super) shard: usize,
    /// Tells what this asks from what others asked in the same place before.
    pub(super) serial: u32,
    address: Address,
    tls: Arc<InForce>,
    auth: Option<Secret>,
    password: Password,
    interval: Duration,
    timeout: Duration,
    connect_timeout: Duration,
}

/// One heartbeat's outcome.
#[derive(Debug)]
pub(super) struct Beat {
    pub(super) pool: usize,
    pub(super) shard: usize,
    /// That of its [`Target`].
    pub(super) serial: u32,
    pub(super) answer: Answer,
    pub(super) at: Instant,
}

impl Target {
    pub(super) fn new(
        (pool, shard): (usize, usize),
        settings: &Pool,
        server: &Server,
        tls: Arc<InForce>,
    ) -> Self {
        Self {
            pool,
            shard,
            serial: 0,
            address: server.address.clone(),
            tls,
            auth: settings.redis_auth.as_ref().map(auth_command),
            password: match (&settings.redis_auth, settings.who_decides()) {
                (Some(_), _) => Password::Said,
                (None, Auth::Shard) => Password::OfClients,
                (None, Auth::Pool | Auth::Users) => Password::Missing,
            },
            interval: settings.heartbeat_interval,
            timeout: settings.heartbeat_timeout.max(MIN_TIMEOUT),
            connect_timeout: settings.connect_timeout.max(MIN_TIMEOUT),
        }
    }

    pub(super) fn with_serial(self, serial: u32) -> Self {
        Self { serial, ..self }
    }

    /// Whether the other asks the same server in the same way.
    pub(super) fn asks_like(&self, other: &Self) -> bool {
        let patience = |one: &Self| (one.interval, one.timeout, one.connect_timeout);
        (&self.address, &self.auth) == (&other.address, &other.auth)
            && self.password == other.password
            && patience(self) == patience(other)
    }

    /// Asks until the monitor is gone.
    pub(super) async fn keep_asking(
        self,
        nudge: Arc<Notify>,
        beats: mpsc::Sender<Beat>,
        mut inquiries: Inquiries,
    ) {
        let (mut connection, mut lookup) = (None, None);
        loop {
            let asked = Instant::now();
            let answer = self.ask(&mut connection, &mut lookup).await;
            let at = Instant::now();
            let Self { pool, shard, serial, .. } = self;
            let beat = Beat { pool, shard, serial, answer, at };
            if beats.send(beat).await.is_err() {
                return;
            }
            let rest = async {
                sleep(MIN_GAP.saturating_sub(asked.elapsed())).await;
                let rest = jittered(self.interval).saturating_sub(asked.elapsed());
                // Elapsed or nudged: either way it is time.
                let _ = timeout(rest, nudge.notified()).await;
            };
            inquiries.during(rest, &mut connection).await;
        }
    }

    async fn ask(
        &self,
        connection: &mut Option<Connection>,
        lookup: &mut Option<Lookup>,
    ) -> Answer {
        if let Some(idle) = connection.take() {
            match self.exchange(idle, None, connection).await {
                Err(Broken::Closed(_)) => {}
                outcome => return outcome.unwrap_or_else(|broken| broken.into_answer(self)),
            }
            // A shard may close an idle connection (its own `timeout`): no failure yet.
        }
        let fresh = match timeout(self.connect_timeout, self.connect(lookup)).await {
            Ok(Ok(fresh)) => fresh,
            Ok(Err(error)) => return Answer::Failure(reason(&error)),
            Err(_) => {
                let patience = span(self.connect_timeout);
                return Answer::Failure(format!("Connection timed out (connect, {patience})"));
            }
        };
        let outcome = self.exchange(fresh, self.auth.as_ref(), connection).await;
        outcome.unwrap_or_else(|broken| broken.into_answer(self))
    }

    async fn connect(&self, lookup: &mut Option<Lookup>) -> io::Result<Connection> {
        let stream = match reach(&self.address, lookup).await? {
            Reached::Tcp(stream) => stream,
            Reached::Unix(stream) => return Ok(Connection::new(stream)),
        };
        let Some(connector) = self.tls.connector() else { return Ok(Connection::new(stream)) };
        let shaken = connect::connect(&connector, &self.address, stream).await;
        let shaken = shaken.map_err(|why| io::Error::other(format!("TLS handshake failed: {why}")));
        Ok(Connection::new(shaken?))
    }

    /// Sends AUTH (where there is something to say) and PING; puts the connection back when it is still in step.
    async fn exchange(
        &self,
        mut connection: Connection,
        auth: Option<&Secret>,
        back: &mut Option<Connection>,
    ) -> Result<Answer, Broken> {
        let talk = async {
            if let Some(auth) = auth {
                let line = connection.call(auth.bytes()).await?;
                if let Some(refused) = answer::to_auth(&line) {
                    return Ok((refused, false));
                }
            }
            let line = connection.call(b"*1\r\n$4\r\nPING\r\n").await?;
            let answer = answer::to_ping(&line, self.password);
            Ok((answer, !matches!(line[..], [b'-', ..])))
        };
        let (answer, clean) = timeout(self.timeout, talk).await.unwrap_or(Err(Broken::Silent))?;
        // After an error a new connection asks again: it may have been about the connection itself.
        if clean && !matches!(answer, Answer::Failure(_)) {
            *back = Some(connection);
        }
        Ok(answer)
    }
}

/// Why an exchange gave no reply.
enum Broken {
    Silent,
    Closed(Option<io::Error>),
    Garbage(String),
}

impl Broken {
    fn into_answer(self, target: &Target) -> Answer {
        Answer::Failure(match self {
            Self::Silent => {
                format!("Connection timed out (no answer to PING in {})", span(target.timeout))
            }
            Self::Closed(Some(error)) => reason(&error),
            Self::Closed(None) => "closed the connection instead of answering".into(),
            Self::Garbage(text) => text,
        })
    }
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection of the control plane's own.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    /// Whether the shard was not asked yet for its commands on it.
    pub(super) is_new: bool,
}

impl Connection {
    fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), is_new: true }
    }

    /// Sends a command; TLS may hold it back until it is told not to.
    pub(super) async fn send(&mut self, command: &[u8]) -> io::Result<()> {
        self.stream.write_all(command).await?;
        self.stream.flush().await
    }

    /// Sends a command and waits for one line, which must be all that comes.
    async fn call(&mut self, command: &[u8]) -> Result<Vec<u8>, Broken> {
        // A shard that hung up may have said why first (max number of clients): read anyway.
        let sent = self.send(command).await;
        let mut line = Vec::with_capacity(128);
        while !line.ends_with(b"\n") {
            match self.stream.read_buf(&mut line).await {
                Ok(0) => return Err(Broken::Closed(sent.err())),
                Ok(_) if line.len() > MAX_ANSWER => {
                    return Err(Broken::Garbage("answered with more than 64 KiB".into()));
                }
                Ok(_) => {}
                Err(error) => return Err(Broken::Closed(Some(error))),
            }
        }
        match line.iter().position(|&byte| byte == b'\n') {
            Some(end) if end + 1 < line.len() => {
                Err(Broken::Garbage("answered more than it was asked".into()))
            }
            _ => Ok(line),
        }
    }
}

/// A name being resolved. It outlives the connect that asked for it, so that a resolver that
/// hangs holds one thread a shard and not one more with each heartbeat.
type Lookup = JoinHandle<io::Result<Vec<SocketAddr>>>;

enum Reached {
    Tcp(TcpStream),
    Unix(UnixStream),
}

async fn reach(address: &Address, lookup: &mut Option<Lookup>) -> io::Result<Reached> {
    let (host, port) = match address {
        Address::Tcp { host, port } => (host, *port),
        Address::Unix(path) => return Ok(Reached::Unix(UnixStream::connect(path).await?)),
    };
    let addresses = match host.parse::<IpAddr>() {
        Ok(literal) => vec![SocketAddr::new(literal, port)],
        Err(_) => resolve(host, port, lookup).await?,
    };
    Ok(Reached::Tcp(TcpStream::connect(&addresses[..]).await?))
}

async fn resolve(
    host: &str,
    port: u16,
    lookup: &mut Option<Lookup>,
) -> io::Result<Vec<SocketAddr>> {
    let running = lookup.get_or_insert_with(|| {
        let host = host.to_owned();
        spawn_blocking(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))
    });
    let found = running.await;
    *lookup = None;
    // The system's words do not name the host.
    found?.map_err(|error| io::Error::other(format!("cannot resolve {host}: {error}")))
}

fn auth_command(password: &Secret) -> Secret {
    let mut command = Vec::with_capacity(password.len() + AUTH_HEADER);
    write::command(&mut command, &[b"AUTH", password.bytes()]);
    command.into()
}

/// The system's words for an error as C's `strerror` gives them, like twemproxy.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The interval ± 10 %, so that many proxies do not ask one shard in step.
fn jittered(interval: Duration) -> Duration {
    let seconds = interval.as_secs_f64() * (0.9 + 0.2 * fastrand::f64());
    Duration::try_from_secs_f64(seconds).unwrap_or(interval)
}

/// More than AUTH takes besides the password, so that no half of it is left behind by growing.
const AUTH_HEADER: usize = 64;

/// Zero would make every answer come too late.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);
