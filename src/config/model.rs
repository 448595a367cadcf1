//! What a valid configuration means to the program.
//!
//! These types hold only values that were validated; what the user typed lives in the parser
//! next door, and there is one conversion between the two.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::networks::Networks;
use super::tls::Tls;
use crate::access::{Accounts, Limits, Switch};
use crate::secret::Secret;

/// A whole configuration: one pool or more.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The pools, in the order of the file.
    pub pools: Vec<Pool>,
}

/// Several Redis servers that look like one behind one listening address.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// The pool's name: its key at the top level of the file.
    pub name: String,
    /// Where clients connect that speak no TLS; one of the two addresses is there.
    pub listen: Option<Listen>,
    /// The shards, sorted by name as twemproxy sorts them (length, then bytes). The index of a
    /// server in this list is the shard index used everywhere else.
    pub servers: Vec<Server>,
    /// The hash of a key.
    pub hash: Hash,
    /// The two delimiters of a hash tag, when one is configured.
    pub hash_tag: Option<[u8; 2]>,
    /// Whether key bytes ≥ 0x80 are hashed sign-extended (x86 builds of twemproxy) or not.
    pub key_bytes: KeyBytes,
    /// How a hash becomes a shard.
    pub distribution: Distribution,
    /// How long a request may wait for its reply, from when it was read. `None` waits for ever.
    pub timeout: Option<Duration>,
    /// Whose connections begin with a PROXY protocol header.
    pub proxy_protocol_from: Option<Networks>,
    /// The length of the listen queue.
    pub backlog: u32,
    /// How many clients may be connected at once; 0 is no limit but the process's files.
    pub client_connections: u32,
    /// The password sent to shards and required from clients.
    pub redis_auth: Option<Secret>,
    /// Who decides whom a client may be, where the file says it; see [`Self::who_decides`].
    pub auth: Option<Auth>,
    /// The users, with `auth: users`.
    pub users: Option<Arc<Accounts>>,
    /// The file that has users too.
    pub users_file: Option<String>,
    /// Whether users that may not do everything may run scripts.
    pub user_scripts: UserScripts,
    /// Which commands are served, where the file says it.
    pub commands: Option<Arc<Switch>>,
    /// Whether clients from public addresses are refused while nobody needs a password.
    pub protected_mode: bool,
    /// What each user and each address may use up.
    pub limits: Limits,
    /// How long a client may go without having said a password where one is wanted.
    pub authentication_timeout: Option<Duration>,
    /// The database that links SELECT and that sessions start in.
    pub redis_db: u32,
    /// Whether links are opened at start-up rather than at the first request.
    pub preconnect: bool,
    /// Whether TCP keepalive is set on client and shard sockets.
    pub tcpkeepalive: bool,
    /// How long such a socket is silent before it is probed.
    pub tcp_keepalive_time: Duration,
    /// TCP_USER_TIMEOUT of client sockets; zero leaves it to the system.
    pub tcp_user_timeout: Duration,
    /// The same of links to shards, where the file says it.
    pub server_tcp_user_timeout: Option<Duration>,
    /// How long a client may say nothing; zero is for ever.
    pub client_idle_timeout: Duration,
    /// Whether SO_REUSEPORT is set on the listening socket.
    pub reuseport: bool,
    /// Whether a shard that stops answering loses its keys to the others until it returns.
    pub auto_eject_hosts: bool,
    /// Links per worker, shard and identity; a session uses the same one throughout.
    pub server_connections: u32,
    /// The earliest moment after its ejection at which a shard may return.
    pub server_retry_timeout: Duration,
    /// How many failures in a row eject a shard.
    pub server_failure_limit: u32,
    /// What ejection does to the ring.
    pub ejection: Ejection,
    /// How many displaced requests a shard may have in flight.
    pub displaced_limit: DisplacedLimit,
    /// What is done about keys that were written elsewhere when their shard returns.
    pub rejoin: Rejoin,
    /// Keys written elsewhere that one stand-in remembers for one shard and database; past it the
    /// whole shard is suspect.
    pub rejoin_limit: u64,
    /// How long a returning shard takes to get all of its keys back; zero is at once.
    pub slow_start: Duration,
    /// What becomes of commands whose keys live on several shards.
    pub cross_shard: CrossShard,
    /// Whether clients in cluster mode are served: circlet is shown to them as a cluster's one node.
    pub cluster_emulation: bool,
    /// The time between two heartbeats to one shard.
    pub heartbeat_interval: Duration,
    /// How long a heartbeat may go unanswered.
    pub heartbeat_timeout: Duration,
    /// How many good heartbeats in a row readmit a shard.
    pub heartbeat_successes: u32,
    /// How long a connection attempt to a shard may take.
    pub connect_timeout: Duration,
    /// The largest bulk string accepted from a client, in bytes (Redis: proto-max-bulk-len).
    pub max_bulk: u64,
    /// The most arguments of one command.
    pub max_arguments: u64,
    /// The longest inline command, in bytes.
    pub max_inline: u64,
    /// The largest whole command, in bytes (Redis: client-query-buffer-limit).
    pub max_command: u64,
    /// The largest whole reply accepted from a shard, in bytes.
    pub max_reply: u64,
    /// The deepest nesting of a reply.
    pub max_nesting: u32,
    /// Bytes of replies that may wait for one client; past it the client is disconnected
    /// (Redis: client-output-buffer-limit).
    pub client_output_limit: u64,
    /// The same for a client that subscribes; 0 is no limit.
    pub pubsub_output_limit: u64,
    /// A lower limit, which holds for a client that stays above it for
    /// `pubsub_output_soft_seconds`; 0 is none.
    pub pubsub_output_soft_limit: u64,
    /// See `pubsub_output_soft_limit`.
    pub pubsub_output_soft_seconds: u32,
    /// Bytes of requests that may wait on one link; past it the sessions that use it are not
    /// read from until it drains.
    pub link_output_limit: u64,
    /// How many requests may be in flight on one link before sessions pause.
    pub link_pipeline_limit: u32,
    /// Requests of one session that may be in flight; past it the session is not read from.
    pub client_pipeline_limit: u32,
    /// `private_links`: of one worker to one shard.
    pub private_links: u32,
    /// Bytes of scripts that are kept for shards that lack them.
    pub script_cache: u64,
    /// TLS, before clients and before shards.
    pub tls: Tls,
}

/// A shard as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The name that places the shard on the ring (twemproxy's naming rules).
    pub name: String,
    /// Where the shard listens.
    pub address: Address,
    /// The share of keys relative to the other servers; at least 1.
    pub weight: u32,
    /// Whether a reload has taken it out of the configuration. Its index stays its own, for
    /// requests that are on their way to it; it has no keys.
    pub is_removed: bool,
}

/// An address to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host name or an IPv4 or IPv6 address (without brackets), and a port.
    Tcp {
        /// Host name or literal address.
        host: String,
        /// Port, 1–65535.
        port: u16,
    },
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    /// A host name or literal address (without brackets), and a port.
    Tcp {
        /// Host name or literal address.
        host: String,
        /// Port, 1–65535.
        port: u16,
    },
    /// The path of a unix socket, and the permissions it gets.
    Unix {
        /// Where the socket is made.
        path: PathBuf,
        /// Permission bits, at most 0o777.
        permissions: Option<u32>,
    },
}

/// twemproxy's twelve hash functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Hash {
    OneAtATime,
    Md5,
    Crc16,
    Crc32,
    Crc32a,
    Fnv1_64,
    Fnv1a64,
    Fnv1_32,
    Fnv1a32,
    Hsieh,
    Murmur,
    Jenkins,
}

/// How key bytes ≥ 0x80 enter the hash functions written for C's `char`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyBytes {
    /// Sign-extended, as twemproxy built for x86 does.
    #[default]
    Signed,
    /// Zero-extended, as twemproxy built for aarch64 Linux does.
    Unsigned,
}

/// Who decides whom a client may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// The pool, by its one password `redis_auth`; all clients are that user to the shards.
    Pool,
    /// The shards: what a client says to AUTH is said to them, and their ACLs apply.
    Shard,
    /// circlet, by users of its own; all clients are the same user to the shards.
    Users,
}

/// Whether users of `auth: users` that may not do everything may run scripts. What a script does
/// only its shard sees, which knows nothing of these users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserScripts {
    /// No.
    Refuse,
    /// Yes; of their keys those are checked that they declare.
    Trust,
}

impl Pool {
    /// The indices of the servers that are configured, in the order in which twemproxy sorts them.
    /// It is that of the indices, but where a reload has added or removed servers.
    pub fn configured(&self) -> Vec<usize> {
        let is_configured = |&index: &usize| !self.servers[index].is_removed;
        let mut order: Vec<usize> = (0..self.servers.len()).filter(is_configured).collect();
        let key = |index: &usize| (self.servers[*index].name.len(), &self.servers[*index].name);
        order.sort_by(|a, b| key(a).cmp(&key(b)));
        order
    }

    /// How many servers are configured.
    pub fn shard_count(&self) -> usize {
        self.servers.iter().filter(|server| !server.is_removed).count()
    }

    /// Whether there is only one shard, so that all keys live together.
    pub fn is_alone(&self) -> bool {
        self.shard_count() == 1
    }

    /// Where clients connect: the address without TLS, if it has one.
    pub fn address(&self) -> Option<&Listen> {
        self.listen.as_ref().or(self.tls.listen.as_ref())
    }

    /// Who decides whom a client may be: the pool if it has a password, else the shards, so that
    /// clients find what they would find at one Redis.
    pub fn who_decides(&self) -> Auth {
        let default = if self.redis_auth.is_some() { Auth::Pool } else { Auth::Shard };
        self.auth.unwrap_or(default)
    }

    /// Whether a client has to show that it may use the pool.
    pub fn wants_authentication(&self) -> bool {
        match self.who_decides() {
            Auth::Shard => true,
            Auth::Pool => self.redis_auth.is_some(),
            Auth::Users => {
                self.users.as_ref().is_some_and(|users| !users.default_account().is_open())
            }
        }
    }
}

/// How a hash becomes a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// twemproxy's ketama continuum.
    Ketama,
    /// Modulo over the weighted list of servers.
    Modula,
    /// A shard by chance, whatever the key.
    Random,
    /// Rendezvous (highest random weight): exact weights, least movement; for new pools.
    Rendezvous,
}

/// How many requests of one worker may be in flight on a shard for keys whose own shard is out or
/// on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisplacedLimit {
    /// As many as leave the shard's round trips near what they were while all shards were in.
    Auto,
    /// So many; 0 is no limit.
    Fixed(u32),
}

/// What becomes of a command whose keys live on several shards and that cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrossShard {
    /// It is answered with `-CROSSSLOT`.
    #[default]
    Refuse,
    /// It is done in several steps, which is not atomic.
    Allow,
}

/// What is done about keys that were written elsewhere while their shard was out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejoin {
    /// Nothing: the shard serves what it has, as behind twemproxy.
    Keep,
    /// They are removed from it and from the shards that stood in for it.
    Clean,
    /// Their values are carried over to it.
    Move,
    /// It is emptied.
    Flush,
}

/// What the ejection of a shard does to the keys of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ejection {
    /// The dead shard's points are skipped: no other shard's key moves.
    #[default]
    Skip,
    /// The ring is rebuilt over the live servers, as twemproxy does: keys of live shards may move.
    Rebuild,
}
