//! Opening a link: resolve, connect, and say who we are.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::fault::LinkFault;
use crate::config::{Address, Auth, Pool};
use crate::resp::{Protocol, ReplyLimits, ReplyScanner, Scan, write};
use crate::secret::Secret;
use crate::socket::Socket;
use crate::tcp::{TcpOptions, set_options};
use crate::tls::connect as tls;
use crate::tls::files::Connector;

/// As whom a link speaks to its shard. Sessions that differ in it never share a link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The database that is selected.
    pub db: u32,
    /// The version of RESP.
    pub protocol: Protocol,
    /// The shards' user, when the client said one (`auth: shard`).
    pub user: Option<Arc<User>>,
}

/// A user of the shards, whose password a shard has accepted.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: Vec<u8>,
    /// The password; shown nowhere.
    pub password: Secret,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({:?})", String::from_utf8_lossy(&self.name))
    }
}

/// All that opening a link needs to know.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where the shard listens.
    pub address: Address,
    /// As whom to speak.
    pub identity: Identity,
    /// The pool's password, when clients do not say their own.
    pub password: Option<Secret>,
    /// Whether clients say who they are: then a refusal is theirs, and no fault of the shard.
    pub clients_decide: bool,
    /// How long connecting and greeting may take.
    pub timeout: Duration,
    /// How a TCP socket is set.
    pub tcp: TcpOptions,
    /// What a TLS handshake takes, where shards speak TLS.
    pub tls: Option<Arc<Connector>>,
}

impl Target {
    /// The target of a link to shard `shard` of `pool`.
    pub fn new(pool: &Pool, shard: usize, identity: Identity, tls: Option<Arc<Connector>>) -> Self {
        Self {
            address: pool.servers[shard].address.clone(),
            identity,
            password: pool.redis_auth.clone().filter(|_| pool.who_decides() != Auth::Shard),
            clients_decide: pool.who_decides() == Auth::Shard,
            timeout: pool.connect_timeout,
            tcp: TcpOptions::of_shards(pool),
            tls,
        }
    }
}

/// Connects and greets: AUTH, HELLO 3 and SELECT as the identity wants.
pub async fn open(target: &Target) -> Result<Socket, LinkFault> {
    let shakes_hands = AtomicBool::new(false);
    let opening = async {
        match &target.address {
            Address::Unix(path) => {
                let mut stream =
                    UnixStream::connect(path).await.map_err(|error| LinkFault::of_io(&error))?;
                greet(&mut stream, target).await?;
                Ok(Socket::Unix(stream))
            }
            Address::Tcp { host, port } => {
                let mut stream = connect_tcp(host, *port).await?;
                set_options(&stream, target.tcp).map_err(|error| LinkFault::of_io(&error))?;
                let Some(connector) = &target.tls else {
                    greet(&mut stream, target).await?;
                    return Ok(Socket::Tcp(stream));
                };
                shakes_hands.store(true, Relaxed);
                let shaken = tls::connect(connector, &target.address, stream).await;
                let mut shaken = shaken.map_err(|why| LinkFault::Tls(why.into()))?;
                shakes_hands.store(false, Relaxed);
                greet(&mut shaken, target).await?;
                Ok(Socket::Tls(Box::new(tls::settle(shaken))))
            }
        }
    };
    match timeout(target.timeout, opening).await {
        Ok(opened) => opened,
        Err(_) if shakes_hands.load(Relaxed) => Err(LinkFault::Tls(NO_TLS.into())),
        Err(_) => Err(LinkFault::ConnectTimeout),
    }
}

/// Tries the addresses of `host` in turn; the last failure is the answer.
async fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, LinkFault> {
    let mut fault = LinkFault::Resolve(format!("{host} has no address").into());
    for address in resolve(host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => fault = LinkFault::of_io(&error),
        }
    }
    Err(fault)
}

/// A literal address costs nothing; a name is resolved on a thread of its own.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, LinkFault> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    match tokio::net::lookup_host((host, port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(LinkFault::Resolve(format!("cannot resolve {host}: {error}").into())),
    }
}

/// Says all greetings in one write and reads an answer to each.
async fn greet<S>(stream: &mut S, target: &Target) -> Result<(), LinkFault>
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    let greetings = greetings(target);
    if greetings.is_empty() {
        return Ok(());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(length(&greetings)));
    for greeting in &greetings {
        let args: Vec<&[u8]> = greeting.iter().map(Secret::bytes).collect();
        write::command(&mut bytes, &args);
    }
    stream.write_all(&bytes).await.map_err(|error| LinkFault::of_io(&error))?;
    stream.flush().await.map_err(|error| LinkFault::of_io(&error))?;
    let mut received = Vec::new();
    for _ in &greetings {
        let end = read_reply(stream, &mut received).await?;
        if matches!(received.first(), Some(b'-' | b'!')) {
            let text = String::from_utf8_lossy(&received[1..end]).trim_end().to_owned();
            if target.clients_decide && is_about_users(&text) {
                return Err(LinkFault::Denied(text.into()));
            }
            if !wants_no_password(&text) {
                return Err(LinkFault::Handshake(text.into()));
            }
        }
        received.drain(..end);
    }
    match received.is_empty() {
        true => Ok(()),
        false => Err(LinkFault::Garbage("bytes after the replies to the greeting".into())),
    }
}

/// More than all of them have on the wire.
fn length(greetings: &[Vec<Secret>]) -> usize {
    greetings.iter().flatten().map(|arg| arg.len() + 32).sum::<usize>() + 64
}

fn greetings(target: &Target) -> Vec<Vec<Secret>> {
    let mut greetings = Vec::new();
    let mut greet = |args: &[&[u8]]| greetings.push(args.iter().map(|arg| (*arg).into()).collect());
    if let Some(user) = &target.identity.user {
        greet(&[b"AUTH", &user.name, user.password.bytes()]);
    } else if let Some(password) = &target.password {
        greet(&[b"AUTH", password.bytes()]);
    }
    if target.identity.protocol == Protocol::Resp3 {
        greet(&[b"HELLO", b"3"]);
    }
    if target.identity.db != 0 {
        greet(&[b"SELECT", target.identity.db.to_string().as_bytes()]);
    }
    greetings
}

/// Whether a greeting was refused for who says it, and not for what it says.
fn is_about_users(error: &str) -> bool {
    ["NOAUTH", "NOPERM", "WRONGPASS"].iter().any(|code| error.starts_with(code))
}

/// Whether AUTH was refused because the shard has no password: then it is open to us, and a fleet
/// whose shards get their passwords one by one goes on working.
fn wants_no_password(error: &str) -> bool {
    error.contains("no password is set") || error.contains("without any password configured")
}

/// Reads until `received` starts with a whole reply; returns its length.
async fn read_reply<S>(stream: &mut S, received: &mut Vec<u8>) -> Result<usize, LinkFault>
where
    S: AsyncReadExt + Unpin,
{
    let mut scanner = ReplyScanner::default();
    loop {
        if !received.is_empty() {
            match scanner.scan(received, &GREETING_LIMITS) {
                Ok(Scan::Done(len)) => return Ok(len),
                Ok(Scan::More(_)) => {}
                Err(error) => return Err(LinkFault::of_reply(&error)),
            }
        }
        match stream.read_buf(received).await {
            Ok(0) => return Err(LinkFault::Closed),
            Ok(_) => {}
            Err(error) => return Err(LinkFault::of_io(&error)),
        }
    }
}

const NO_TLS: &str = "no answer within connect_timeout; does the shard speak TLS at this port \
     (tls-port)?";
/// A reply to HELLO is a few hundred bytes.
const GREETING_LIMITS: ReplyLimits = ReplyLimits { reply: 64 * 1024, nesting: 8 };
