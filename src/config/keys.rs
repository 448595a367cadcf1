//! The reference table itself.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::fault::Wrong;
use super::model::{
    Auth, CrossShard, DisplacedLimit, Distribution, Ejection, Hash, KeyBytes, Rejoin, UserScripts,
};
use super::reference::{Key, Takes, Without, Word};
use super::tls::{AuthClients, CertificateUser, Protocols, VerifyShard};
use crate::access::Switch;

/// Where twemproxy keeps the number in a C `int`.
const INT: RangeInclusive<u64> = 0..=i32::MAX as u64;
const POSITIVE_INT: RangeInclusive<u64> = 1..=i32::MAX as u64;
const GIB: u64 = 1 << 30;
const NEW: &str = "twemproxy has no such key.";

/// All keys of a pool: twemproxy's first, then circlet's own.
pub static KEYS: &[Key] = &[
    Key {
        name: "listen",
        default: Without::Derived("required, unless `tls_listen` is written"),
        takes: Takes::Listen(|pool, listen| pool.listen = Some(listen)),
        meaning: "Where clients connect. Permissions of a unix socket are octal, at most 0777. No two pools may listen on the same address. IPv6 addresses stand in brackets: `[::1]:22121`.",
        twemproxy: "",
    },
    Key {
        name: "servers",
        default: Without::Required,
        takes: Takes::Servers,
        meaning: "The shards. The weight is at least 1. A shard without a name is called `host:port` as written, the host alone if the port is 11211, a unix socket its path and a colon; no two may have the same name. The name, not the address, decides which keys a shard holds.",
        twemproxy: "",
    },
    Key {
        name: "redis",
        default: Without::Required,
        takes: Takes::RedisOnly,
        meaning: "circlet speaks Redis only: pools of memcached stay on twemproxy.",
        twemproxy: "Default false, which means memcached.",
    },
    Key {
        name: "hash",
        default: Without::Text("fnv1a_64"),
        takes: Takes::Word(HASHES),
        meaning: "The hash of a key. The default is twemproxy's and puts neighbouring numbered keys on the same shard; take `md5` or `fnv1a_32` for a new pool.",
        twemproxy: "",
    },
    Key {
        name: "hash_tag",
        default: Without::Unset("the whole key is hashed"),
        takes: Takes::TwoCharacters(|pool, tag| pool.hash_tag = Some(tag)),
        meaning: "Only what stands between these two characters in a key is hashed, as in `user:{42}:name` with `\"{}\"`.",
        twemproxy: "",
    },
    Key {
        name: "distribution",
        default: Without::Text("ketama"),
        takes: Takes::Word(DISTRIBUTIONS),
        meaning: "How a hash becomes a shard. `rendezvous` takes weights exactly and balances best, for new pools.",
        twemproxy: "Has no `rendezvous`.",
    },
    Key {
        name: "timeout",
        default: Without::Unset("a request waits for ever"),
        takes: Takes::Milliseconds(INT, |pool, time| {
            pool.timeout = (!time.is_zero()).then_some(time);
        }),
        meaning: "How long a request may wait for its reply, from when it was read; then its client is told so and a late reply is dropped, while the other requests on the link go on. 0 waits for ever.",
        twemproxy: "Fails all requests on the connection.",
    },
    Key {
        name: "backlog",
        default: Without::Text("512"),
        takes: Takes::Integer(INT, |pool, number| pool.backlog = number as u32),
        meaning: "The length of the listen queue.",
        twemproxy: "",
    },
    Key {
        name: "proxy_protocol_from",
        default: Without::Unset("no header is expected, and one is refused"),
        takes: Takes::Networks(|pool, networks| pool.proxy_protocol_from = Some(networks)),
        meaning: "Whose connections begin with a PROXY protocol header (version 1 or 2), which tells the client's real address: those of proxies in front (haproxy's `send-proxy-v2`). They have to send one within 3 seconds; from anybody else one is refused. `unix` stands for whoever comes through a unix socket.",
        twemproxy: NEW,
    },
    Key {
        name: "client_connections",
        default: Without::Text("0"),
        takes: Takes::Integer(INT, |pool, number| pool.client_connections = number as u32),
        meaning: "How many clients may be connected to the pool at once; one more is told `-ERR max number of clients reached`. 0 sets no limit but the process's open files.",
        twemproxy: "Reads it and ignores it.",
    },
    Key {
        name: "redis_auth",
        default: Without::Unset("no password"),
        takes: Takes::Text(|pool, text| pool.redis_auth = Some(text.into())),
        meaning: "The password sent to shards and required from clients, taken as typed: `0123` and `1e5` stay text.",
        twemproxy: "",
    },
    Key {
        name: "auth",
        default: Without::Derived(
            "`users` where `users` or `users_file` is set, else `pool` where `redis_auth` is, else `shard`",
        ),
        takes: Takes::Word(&[
            ("pool", |pool| pool.auth = Some(Auth::Pool)),
            ("shard", |pool| pool.auth = Some(Auth::Shard)),
            ("users", |pool| pool.auth = Some(Auth::Users)),
        ]),
        meaning: "Who decides whom a client may be. `pool`: all clients say the one password `redis_auth` and are that user to the shards. `shard`: what a client says to AUTH is said to the shards, whose ACLs apply; `redis_auth` serves heartbeats alone then. `users`: circlet has users with rules of its own; `redis_auth` is said to the shards alone.",
        twemproxy: NEW,
    },
    Key {
        name: "users",
        default: Without::Unset("no users"),
        takes: Takes::Users,
        meaning: "The users of the pool with `auth: users`, each a line of Redis's ACL, such as `\"alice on #<sha256> ~cache:* +@read\"`. Put them into quotes: in YAML a `#` behind a space begins a comment. See docs/access.md.",
        twemproxy: NEW,
    },
    Key {
        name: "users_file",
        default: Without::Unset("no file"),
        takes: Takes::Text(|pool, text| pool.users_file = Some(text.to_owned())),
        meaning: "A file with more of them, a line `user NAME RULES…` each, as Redis's `aclfile`.",
        twemproxy: NEW,
    },
    Key {
        name: "user_scripts",
        default: Without::Text("refuse"),
        takes: Takes::Word(&[
            ("refuse", |pool| pool.user_scripts = UserScripts::Refuse),
            ("trust", |pool| pool.user_scripts = UserScripts::Trust),
        ]),
        meaning: "Whether users of `auth: users` that may not do everything may run scripts and functions (EVAL, FCALL). What a script does inside only its shard sees, and that knows nothing of circlet's users: `trust` checks the command and the keys that the script declares.",
        twemproxy: NEW,
    },
    Key {
        name: "commands",
        default: Without::Unset("all that circlet serves"),
        takes: Takes::Rules(|pool, text| {
            let switch =
                Switch::read(text).map_err(|fault| Wrong::new(fault.wrong, fault.right))?;
            pool.commands = Some(Arc::new(switch));
            Ok(())
        }),
        meaning: "Commands that the pool does not serve, whoever asks, in the words of Redis's ACL: `-flushall -flushdb -keys`, `-@dangerous +info`. `+debug` and `+shutdown` switch on what is off otherwise; no category does.",
        twemproxy: "Refuses these commands and more, always.",
    },
    Key {
        name: "protected_mode",
        default: Without::Text("true"),
        takes: Takes::Boolean(|pool, on| pool.protected_mode = on),
        meaning: "Whether clients from public addresses are refused while nobody needs a password. Loopback, unix sockets and private networks are served (Redis: `protected-mode`, which serves loopback alone).",
        twemproxy: "Serves everybody.",
    },
    Key {
        name: "user_requests_per_second",
        default: Without::Text("0"),
        takes: Takes::Integer(0..=MAX_RATE, |pool, number| pool.limits.user.requests = number),
        meaning: "How many commands a second one user may send over all its connections; one more is answered `-RATELIMIT` at once. 0 sets no limit, here and below. Clients without a name are the user `default`.",
        twemproxy: NEW,
    },
    Key {
        name: "user_bytes_per_second",
        default: Without::Text("0"),
        takes: Takes::Size(0..=MAX_SIZE, |pool, size| pool.limits.user.bytes = size),
        meaning: "How many bytes a second, of commands and replies together.",
        twemproxy: NEW,
    },
    Key {
        name: "user_connections",
        default: Without::Text("0"),
        takes: Takes::Integer(INT, |pool, number| pool.limits.user.connections = number),
        meaning: "How many connections one user may have; one more is told so and closed.",
        twemproxy: NEW,
    },
    Key {
        name: "address_requests_per_second",
        default: Without::Text("0"),
        takes: Takes::Integer(0..=MAX_RATE, |pool, number| pool.limits.address.requests = number),
        meaning: "The same for all clients of one address together; of IPv6 for a network of 64 bits. Unix sockets have no address.",
        twemproxy: NEW,
    },
    Key {
        name: "address_bytes_per_second",
        default: Without::Text("0"),
        takes: Takes::Size(0..=MAX_SIZE, |pool, size| pool.limits.address.bytes = size),
        meaning: "See `user_bytes_per_second`.",
        twemproxy: NEW,
    },
    Key {
        name: "address_connections",
        default: Without::Text("0"),
        takes: Takes::Integer(INT, |pool, number| pool.limits.address.connections = number),
        meaning: "See `user_connections`.",
        twemproxy: NEW,
    },
    Key {
        name: "authentication_timeout",
        default: Without::Text("60000"),
        takes: Takes::Milliseconds(INT, |pool, time| {
            pool.authentication_timeout = (!time.is_zero()).then_some(time);
        }),
        meaning: "How long a client may stay connected without having said a password where one is wanted; 0 lets it stay. Until then it may send 10 arguments of 16 KiB a command, as to Redis.",
        twemproxy: NEW,
    },
    Key {
        name: "redis_db",
        default: Without::Text("0"),
        takes: Takes::Integer(INT, |pool, number| pool.redis_db = number as u32),
        meaning: "The database that is selected on every shard.",
        twemproxy: "",
    },
    Key {
        name: "preconnect",
        default: Without::Text("false"),
        takes: Takes::Boolean(|pool, on| pool.preconnect = on),
        meaning: "Whether shards are connected at start-up rather than at the first request.",
        twemproxy: "",
    },
    Key {
        name: "tcpkeepalive",
        default: Without::Text("false"),
        takes: Takes::Boolean(|pool, on| pool.tcpkeepalive = on),
        meaning: "Whether TCP keepalive is set on the sockets of clients and shards.",
        twemproxy: "Sets it on the sockets of clients only.",
    },
    Key {
        name: "reuseport",
        default: Without::Text("false"),
        takes: Takes::Boolean(|pool, on| pool.reuseport = on),
        meaning: "Whether SO_REUSEPORT is set, so that several processes may listen on one address.",
        twemproxy: "Not in Debian's 0.5.0.",
    },
    Key {
        name: "auto_eject_hosts",
        default: Without::Text("false"),
        takes: Takes::Boolean(|pool, on| pool.auto_eject_hosts = on),
        meaning: "Whether a shard that stops answering loses its keys to the others until it returns.",
        twemproxy: "",
    },
    Key {
        name: "server_connections",
        default: Without::Text("1"),
        takes: Takes::Integer(1..=1024, |pool, number| pool.server_connections = number as u32),
        meaning: "Links of one worker to one shard. A session uses the same one throughout, so it reads what it wrote.",
        twemproxy: "Per process; more than 1 loses the order of a client's writes and reads. Has no upper limit.",
    },
    Key {
        name: "server_retry_timeout",
        default: Without::Text("30000"),
        takes: Takes::Milliseconds(INT, |pool, time| pool.server_retry_timeout = time),
        meaning: "The earliest moment after its ejection at which a shard that answers heartbeats returns.",
        twemproxy: "The moment at which client requests are spent on finding out.",
    },
    Key {
        name: "server_failure_limit",
        default: Without::Text("2"),
        takes: Takes::Integer(INT, |pool, number| pool.server_failure_limit = number.max(1) as u32),
        meaning: "How many failures in a row, of requests or heartbeats, eject a shard; 0 counts as 1.",
        twemproxy: "",
    },
    Key {
        name: "key_bytes",
        default: Without::Text("signed"),
        takes: Takes::Word(&[
            ("signed", |pool| pool.key_bytes = KeyBytes::Signed),
            ("unsigned", |pool| pool.key_bytes = KeyBytes::Unsigned),
        ]),
        meaning: "How bytes from 0x80 enter the hash functions: `signed` places keys as twemproxy on x86 does, `unsigned` as on ARM Linux.",
        twemproxy: "Depends on the machine it was built for.",
    },
    Key {
        name: "ejection",
        default: Without::Text("skip"),
        takes: Takes::Word(&[
            ("skip", |pool| pool.ejection = Ejection::Skip),
            ("rebuild", |pool| pool.ejection = Ejection::Rebuild),
        ]),
        meaning: "What an ejection does to the keys of the other shards: with `skip` none of them moves; `rebuild` is twemproxy's way, which moves some where weights differ, for fleets that run both side by side.",
        twemproxy: "Always `rebuild`.",
    },
    Key {
        name: "displaced_limit",
        default: Without::Text("auto"),
        takes: Takes::AutoOr(INT, |pool, limit| {
            pool.displaced_limit =
                limit.map_or(DisplacedLimit::Auto, |limit| DisplacedLimit::Fixed(limit as u32));
        }),
        meaning: "How many requests of one worker may be in flight on a shard for keys of shards that are out; those beyond are answered at once with `-TRYAGAIN`, so that the shard's own are not held up. `auto` lets in as many as leave its round trips near what they were before; 0 lets in all.",
        twemproxy: "Lets in all.",
    },
    Key {
        name: "rejoin",
        default: Without::Text("keep"),
        takes: Takes::Word(&[
            ("keep", |pool| pool.rejoin = Rejoin::Keep),
            ("clean", |pool| pool.rejoin = Rejoin::Clean),
            ("move", |pool| pool.rejoin = Rejoin::Move),
            ("flush", |pool| pool.rejoin = Rejoin::Flush),
        ]),
        meaning: "What is done, before an ejected shard takes requests again, about its keys that were written elsewhere meanwhile: `keep` does nothing, so that it serves old values; `clean` removes them from it; `move` carries their values over to it; `flush` empties it. See [rejoin.md](rejoin.md).",
        twemproxy: "Always `keep`.",
    },
    Key {
        name: "rejoin_limit",
        default: Without::Text("1000000"),
        takes: Takes::Integer(POSITIVE_INT, |pool, number| pool.rejoin_limit = number),
        meaning: "How many keys written elsewhere one shard remembers for another that is out, in one database: some 80 bytes each. Past it the returning shard is suspect as a whole: `clean` empties it, `move` looks through the others for its keys.",
        twemproxy: NEW,
    },
    Key {
        name: "slow_start",
        default: Without::Text("0"),
        takes: Takes::Milliseconds(INT, |pool, time| pool.slow_start = time),
        meaning: "How long an ejected shard that returns takes to get its keys back, an eighth at a time, so that a cold one is not flattened; 0 gives them back at once.",
        twemproxy: "Always at once.",
    },
    Key {
        name: "cross_shard",
        default: Without::Text("refuse"),
        takes: Takes::Word(&[
            ("refuse", |pool| pool.cross_shard = CrossShard::Refuse),
            ("allow", |pool| pool.cross_shard = CrossShard::Allow),
        ]),
        meaning: "What becomes of a command whose keys live on several shards and that is not the same when split (SUNION, RENAME, LMOVE …): `refuse` answers `-CROSSSLOT`; `allow` does it in several steps, which is not atomic.",
        twemproxy: "Splits MGET, MSET, DEL, UNLINK and TOUCH; sends all else to the shard of the first key.",
    },
    Key {
        name: "cluster_emulation",
        default: Without::Text("false"),
        takes: Takes::Boolean(|pool, on| pool.cluster_emulation = on),
        meaning: "Whether clients in cluster mode are served: CLUSTER SLOTS and its like show them one node, the address that they connected to, which owns all slots. Set `hash_tag: \"{}\"` as well, so that keys which share a slot by their tag share a shard.",
        twemproxy: NEW,
    },
    Key {
        name: "heartbeat_interval",
        default: Without::Text("1000"),
        takes: Takes::Milliseconds(POSITIVE_INT, |pool, time| pool.heartbeat_interval = time),
        meaning: "The time between two heartbeats (PING) to one shard.",
        twemproxy: NEW,
    },
    Key {
        name: "heartbeat_timeout",
        default: Without::Text("1000"),
        takes: Takes::Milliseconds(POSITIVE_INT, |pool, time| pool.heartbeat_timeout = time),
        meaning: "How long a heartbeat may go unanswered before it counts as a failure.",
        twemproxy: NEW,
    },
    Key {
        name: "heartbeat_successes",
        default: Without::Text("2"),
        takes: Takes::Integer(POSITIVE_INT, |pool, number| {
            pool.heartbeat_successes = number as u32
        }),
        meaning: "How many good heartbeats in a row bring an ejected shard back.",
        twemproxy: "Brings it back unasked.",
    },
    Key {
        name: "client_idle_timeout",
        default: Without::Text("0"),
        takes: Takes::Milliseconds(INT, |pool, time| pool.client_idle_timeout = time),
        meaning: "How long a client may say nothing before it is disconnected, give or take two seconds (Redis: `timeout`); 0 is for ever. Subscribers, monitors, and clients that wait for a reply are exempt.",
        twemproxy: NEW,
    },
    Key {
        name: "tcp_keepalive_time",
        default: Without::Text("300000"),
        takes: Takes::Milliseconds(POSITIVE_INT, |pool, time| pool.tcp_keepalive_time = time),
        meaning: "With `tcpkeepalive`: how long a connection is silent before it is probed, and again after each third of that; three probes without an answer end it (Redis: `tcp-keepalive`). Whole seconds.",
        twemproxy: "The system's, two hours by default.",
    },
    Key {
        name: "tcp_user_timeout",
        default: Without::Text("300000"),
        takes: Takes::Milliseconds(INT, |pool, time| pool.tcp_user_timeout = time),
        meaning: "How long what was sent to a client may stay without an acknowledgement, or the client's buffers full, before the connection ends (TCP_USER_TIMEOUT); 0 leaves it to the system, some 15 minutes, and for ever where the client only does not read.",
        twemproxy: NEW,
    },
    Key {
        name: "server_tcp_user_timeout",
        default: Without::Derived(
            "twice the larger of `timeout` and `heartbeat_timeout`, at least 10000",
        ),
        takes: Takes::Milliseconds(INT, |pool, time| pool.server_tcp_user_timeout = Some(time)),
        meaning: "The same for links to shards. It ends links that a network swallowed and on which nothing has a deadline.",
        twemproxy: NEW,
    },
    Key {
        name: "connect_timeout",
        default: Without::Text("1000"),
        takes: Takes::Milliseconds(POSITIVE_INT, |pool, time| pool.connect_timeout = time),
        meaning: "How long a connection attempt to a shard may take.",
        twemproxy: "`timeout` counts for it.",
    },
    Key {
        name: "max_bulk",
        default: Without::Text("512mb"),
        takes: Takes::Size(1..=4 * GIB - 1, |pool, size| pool.max_bulk = size),
        meaning: "The largest argument of a command (Redis: `proto-max-bulk-len`).",
        twemproxy: NEW,
    },
    Key {
        name: "max_arguments",
        default: Without::Text("1048576"),
        takes: Takes::Integer(POSITIVE_INT, |pool, number| pool.max_arguments = number),
        meaning: "The most arguments of one command, its name included (Redis: 1048576).",
        twemproxy: NEW,
    },
    Key {
        name: "max_inline",
        default: Without::Text("64kb"),
        takes: Takes::Size(1..=GIB, |pool, size| pool.max_inline = size),
        meaning: "The longest inline command, such as typed in telnet (Redis: 64 KiB).",
        twemproxy: "Closes the connection at an inline command.",
    },
    Key {
        name: "max_command",
        default: Without::Text("1gb"),
        takes: Takes::Size(1..=4 * GIB - 1, |pool, size| pool.max_command = size),
        meaning: "The largest whole command (Redis: `client-query-buffer-limit`). Less than 4 GiB.",
        twemproxy: NEW,
    },
    Key {
        name: "max_reply",
        default: Without::Text("1gb"),
        takes: Takes::Size(1..=4 * GIB - 1, |pool, size| pool.max_reply = size),
        meaning: "The largest whole reply taken from a shard; a larger one closes the link and fails the requests on it.",
        twemproxy: NEW,
    },
    Key {
        name: "max_nesting",
        default: Without::Text("8192"),
        takes: Takes::Integer(1..=65536, |pool, number| pool.max_nesting = number as u32),
        meaning: "The deepest nesting of a reply. Commands of Redis rarely pass 8, tables of a script may be 7,996 deep.",
        twemproxy: NEW,
    },
    Key {
        name: "client_output_limit",
        default: Without::Text("256mb"),
        takes: Takes::Size(1..=MAX_SIZE, |pool, size| pool.client_output_limit = size),
        meaning: "How many bytes of replies may wait for a client that does not read them; past it the client is disconnected (Redis: `client-output-buffer-limit`). A large reply that is being written does not count.",
        twemproxy: "Keeps them without a limit.",
    },
    Key {
        name: "pubsub_output_limit",
        default: Without::Text("32mb"),
        takes: Takes::Size(0..=MAX_SIZE, |pool, size| pool.pubsub_output_limit = size),
        meaning: "How many bytes may wait for a client that subscribes and does not read; past it the client is disconnected (Redis: `client-output-buffer-limit pubsub`). A large message that is being written does not count; 0 sets no limit but `client_output_limit`.",
        twemproxy: NEW,
    },
    Key {
        name: "pubsub_output_soft_limit",
        default: Without::Text("8mb"),
        takes: Takes::Size(0..=MAX_SIZE, |pool, size| pool.pubsub_output_soft_limit = size),
        meaning: "The same for a client that stays above it for `pubsub_output_soft_seconds`; 0 sets none.",
        twemproxy: NEW,
    },
    Key {
        name: "pubsub_output_soft_seconds",
        default: Without::Text("60"),
        takes: Takes::Integer(INT, |pool, number| pool.pubsub_output_soft_seconds = number as u32),
        meaning: "See `pubsub_output_soft_limit`.",
        twemproxy: NEW,
    },
    Key {
        name: "link_output_limit",
        default: Without::Text("4mb"),
        takes: Takes::Size(1..=MAX_SIZE, |pool, size| pool.link_output_limit = size),
        meaning: "How many bytes of requests may wait on one link; past it the sessions that use it are not read from until it drains.",
        twemproxy: "Keeps them without a limit.",
    },
    Key {
        name: "link_pipeline_limit",
        default: Without::Text("65536"),
        takes: Takes::Integer(POSITIVE_INT, |pool, number| {
            pool.link_pipeline_limit = number as u32
        }),
        meaning: "How many requests may be in flight on one link; past it the sessions that use it are not read from until replies came.",
        twemproxy: "Takes them without a limit.",
    },
    Key {
        name: "private_links",
        default: Without::Text("4096"),
        takes: Takes::Integer(POSITIVE_INT, |pool, number| pool.private_links = number as u32),
        meaning: "How many connections of one worker to one shard sessions may have to themselves: each client that waits (BLPOP), watches (WATCH) or has a MULTI open over several round trips has one.",
        twemproxy: NEW,
    },
    Key {
        name: "script_cache",
        default: Without::Text("64mb"),
        takes: Takes::Size(0..=MAX_SIZE, |pool, size| pool.script_cache = size),
        meaning: "How many bytes of scripts that clients loaded are kept, to be loaded into shards that lack them; past it the oldest are dropped.",
        twemproxy: NEW,
    },
    Key {
        name: "client_pipeline_limit",
        default: Without::Text("4096"),
        takes: Takes::Integer(POSITIVE_INT, |pool, number| {
            pool.client_pipeline_limit = number as u32;
        }),
        meaning: "How many requests of one session may be in flight; past it the session is not read from until replies came.",
        twemproxy: "Takes them without a limit.",
    },
    Key {
        name: "tls_listen",
        default: Without::Unset("no client speaks TLS"),
        takes: Takes::ListenTcp(|pool, listen| pool.tls.listen = Some(listen)),
        meaning: "Where clients connect that speak TLS, beside `listen` or instead of it. See tls.md.",
        twemproxy: NEW,
    },
    Key {
        name: "tls_cert_file",
        default: Without::Unset("needed by `tls_listen`"),
        takes: Takes::Text(|pool, file| pool.tls.cert_file = Some(file.into())),
        meaning: "The certificate shown to clients, and those that lead from it to the authority, in PEM.",
        twemproxy: NEW,
    },
    Key {
        name: "tls_key_file",
        default: Without::Unset("needed by `tls_listen`"),
        takes: Takes::Text(|pool, file| pool.tls.key_file = Some(file.into())),
        meaning: "Its private key in PEM, without a passphrase.",
        twemproxy: NEW,
    },
    Key {
        name: "tls_ca_cert_file",
        default: Without::Unset("needed by `tls_auth_clients: yes` and `optional`"),
        takes: Takes::Text(|pool, file| pool.tls.ca_cert_file = Some(file.into())),
        meaning: "The authorities that sign clients' certificates, in PEM.",
        twemproxy: NEW,
    },
    Key {
        name: "tls_auth_clients",
        default: Without::Text("yes"),
        takes: Takes::Word(&[
            ("yes", |pool| pool.tls.auth_clients = AuthClients::Yes),
            ("optional", |pool| pool.tls.auth_clients = AuthClients::Optional),
            ("no", |pool| pool.tls.auth_clients = AuthClients::No),
        ]),
        meaning: "Whether clients at `tls_listen` have to show a certificate that one of the authorities signed (Redis: `tls-auth-clients`, with the same default). `optional`: one that is shown has to be right.",
        twemproxy: NEW,
    },
    Key {
        name: "tls_user",
        default: Without::Text("none"),
        takes: Takes::Word(&[
            ("none", |pool| pool.tls.user = CertificateUser::None),
            ("cn", |pool| pool.tls.user = CertificateUser::Cn),
            ("dns", |pool| pool.tls.user = CertificateUser::Dns),
            ("email", |pool| pool.tls.user = CertificateUser::Email),
            ("uri", |pool| pool.tls.user = CertificateUser::Uri),
        ]),
        meaning: "What in a client's certificate is the name of the user that it begins as, without a password: the subject's common name, or its one alternative name of that kind. With `auth: pool` any such certificate counts as the password.",
        twemproxy: NEW,
    },
    Key {
        name: "tls_protocols",
        default: Without::Text("TLSv1.2 TLSv1.3"),
        takes: Takes::Word(&[
            ("TLSv1.2 TLSv1.3", |pool| pool.tls.protocols = Protocols::Both),
            ("TLSv1.2", |pool| pool.tls.protocols = Protocols::Tls12),
            ("TLSv1.3", |pool| pool.tls.protocols = Protocols::Tls13),
        ]),
        meaning: "The versions of TLS that are spoken, to clients and to shards (Redis: `tls-protocols`).",
        twemproxy: NEW,
    },
    Key {
        name: "server_tls",
        default: Without::Text("false"),
        takes: Takes::Boolean(|pool, on| pool.tls.to_shards = on),
        meaning: "Whether shards are spoken to by TLS (their `tls-port`). Not over unix sockets.",
        twemproxy: NEW,
    },
    Key {
        name: "server_tls_ca_cert_file",
        default: Without::Unset("needed by `server_tls`, unless nothing is verified"),
        takes: Takes::Text(|pool, file| pool.tls.shard_ca_cert_file = Some(file.into())),
        meaning: "The authorities that sign shards' certificates, in PEM.",
        twemproxy: NEW,
    },
    Key {
        name: "server_tls_cert_file",
        default: Without::Unset("no certificate is shown to shards"),
        takes: Takes::Text(|pool, file| pool.tls.shard_cert_file = Some(file.into())),
        meaning: "The certificate shown to shards, which want one by default (Redis: `tls-auth-clients`).",
        twemproxy: NEW,
    },
    Key {
        name: "server_tls_key_file",
        default: Without::Unset("no certificate is shown to shards"),
        takes: Takes::Text(|pool, file| pool.tls.shard_key_file = Some(file.into())),
        meaning: "Its private key in PEM, without a passphrase.",
        twemproxy: NEW,
    },
    Key {
        name: "server_tls_name",
        default: Without::Unset("the host of each server"),
        takes: Takes::Text(|pool, name| pool.tls.shard_name = Some(name.to_owned())),
        meaning: "The name that shards' certificates have to bear, and that is asked for (SNI): for fleets with one certificate for all.",
        twemproxy: NEW,
    },
    Key {
        name: "server_tls_verify",
        default: Without::Text("full"),
        takes: Takes::Word(&[
            ("full", |pool| pool.tls.verify_shard = VerifyShard::Full),
            ("ca", |pool| pool.tls.verify_shard = VerifyShard::Ca),
            ("no", |pool| pool.tls.verify_shard = VerifyShard::No),
        ]),
        meaning: "What has to be right about a shard's certificate: `full` who signed it, its dates and its name; `ca` all but the name; `no` nothing, so that anybody on the way can read and change everything.",
        twemproxy: NEW,
    },
];

/// A nanosecond each: finer the buckets do not count.
const MAX_RATE: u64 = 1_000_000_000;

/// One pebibyte: more than a machine has, so that sums of sizes cannot overflow.
const MAX_SIZE: u64 = 1 << 50;

static HASHES: &[Word] = &[
    ("one_at_a_time", |pool| pool.hash = Hash::OneAtATime),
    ("md5", |pool| pool.hash = Hash::Md5),
    ("crc16", |pool| pool.hash = Hash::Crc16),
    ("crc32", |pool| pool.hash = Hash::Crc32),
    ("crc32a", |pool| pool.hash = Hash::Crc32a),
    ("fnv1_64", |pool| pool.hash = Hash::Fnv1_64),
    ("fnv1a_64", |pool| pool.hash = Hash::Fnv1a64),
    ("fnv1_32", |pool| pool.hash = Hash::Fnv1_32),
    ("fnv1a_32", |pool| pool.hash = Hash::Fnv1a32),
    ("hsieh", |pool| pool.hash = Hash::Hsieh),
    ("murmur", |pool| pool.hash = Hash::Murmur),
    ("jenkins", |pool| pool.hash = Hash::Jenkins),
];

static DISTRIBUTIONS: &[Word] = &[
    ("ketama", |pool| pool.distribution = Distribution::Ketama),
    ("modula", |pool| pool.distribution = Distribution::Modula),
    ("random", |pool| pool.distribution = Distribution::Random),
    ("rendezvous", |pool| pool.distribution = Distribution::Rendezvous),
];
